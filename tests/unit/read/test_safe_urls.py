import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.hashing import hash_string
from bastau.listed_urls import listed_expressions, page_expressions
from bastau.prefix_client import safe_canonical, safe_expressions, safe_hashes
from bastau.read.known_keys import URL_SEED, key_filter
from bastau.read.known_urls import address_keys, probe_addresses
from bastau.urls import canonical_url

CANONICAL = [
    ("http://host/%25%32%35", "http://host/%25"),
    ("http://host/%25%32%35%25%32%35", "http://host/%25%25"),
    ("http://host/%2525252525252525", "http://host/%25"),
    ("http://host/asdf%25%32%35asd", "http://host/asdf%25asd"),
    ("http://host/%%%25%32%35asd%%", "http://host/%25%25%25asd%25%25"),
    ("http://www.google.com/", "http://www.google.com/"),
    (
        "http://%31%36%38%2e%31%38%38%2e%39%39%2e%32%36/%2E%73%65%63%75%72%65/%77%77%77%2E%65%62%61%79%2E%63%6F%6D/",
        "http://168.188.99.26/.secure/www.ebay.com/",
    ),
    (
        "http://195.127.0.11/uploads/%20%20%20%20/.verify/.eBaysecure=updateuserdataxplimnbqmn-xplmvalidateinfo",
        "http://195.127.0.11/uploads/%20%20%20%20/.verify/.eBaysecure=updateuserdataxplimnbqmn-xplmvalidateinfo",
    ),
    (
        "http://host%23.com/%257Ea%2521b%2540c%2523d%2524e%25f%255E00%252611%252A22%252833%252944_55%252B",
        "http://host%23.com/~a!b@c%23d$e%25f^00&11*22(33)44_55+",
    ),
    ("http://3279880203/blah", "http://195.127.0.11/blah"),
    ("http://0xc37f000b/blah", "http://195.127.0.11/blah"),
    ("http://0303.0177.0.013/blah", "http://195.127.0.11/blah"),
    ("http://195.127.11/", "http://195.127.0.11/"),
    ("http://www.google.com/blah/..", "http://www.google.com/"),
    ("http://a.kz/b/../../c/./d/.", "http://a.kz/c/d/"),
    ("www.google.com/", "http://www.google.com/"),
    ("www.google.com", "http://www.google.com/"),
    ("http://www.evil.com/blah#frag", "http://www.evil.com/blah"),
    ("http://www.GOOgle.com/", "http://www.google.com/"),
    ("http://www.google.com.../", "http://www.google.com/"),
    ("http://www.google.com/foo\tbar\rbaz\n2", "http://www.google.com/foobarbaz2"),
    ("http://www.google.com/q?", "http://www.google.com/q?"),
    ("http://www.google.com/q?r?", "http://www.google.com/q?r?"),
    ("http://www.google.com/q?r?s", "http://www.google.com/q?r?s"),
    ("http://evil.com/foo#bar#baz", "http://evil.com/foo"),
    ("http://evil.com/foo;", "http://evil.com/foo;"),
    ("http://evil.com/foo?bar;", "http://evil.com/foo?bar;"),
    (b"http://\x01\x80.com/", "http://%01%80.com/"),
    ("http://notrailingslash.com", "http://notrailingslash.com/"),
    ("http://www.gotaport.com:1234/", "http://www.gotaport.com/"),
    ("http://user:pass@host.com/x", "http://host.com/x"),
    ("  http://www.google.com/  ", "http://www.google.com/"),
    ("http:// leadingspace.com/", "http://%20leadingspace.com/"),
    ("http://%20leadingspace.com/", "http://%20leadingspace.com/"),
    ("%20leadingspace.com/", "http://%20leadingspace.com/"),
    ("https://www.securesite.com/", "https://www.securesite.com/"),
    ("http://host.com/ab%23cd", "http://host.com/ab%23cd"),
    ("http://host.com//twoslashes?more//slashes", "http://host.com/twoslashes?more//slashes"),
    ("http://қазақ.kz/a", "http://xn--80aag3a8b.kz/a"),
]


@pytest.mark.parametrize(("given_url", "expected"), CANONICAL[:-1])
def test_the_published_examples_have_their_published_form(given_url, expected):
    assert safe_canonical(given_url) == expected


def test_a_host_in_other_letters_becomes_punycode():
    canonical = safe_canonical("http://сайт.kz/a")
    assert canonical is not None
    assert canonical.startswith("http://xn--")


@pytest.mark.parametrize("url", ["", "http://", "http:///path", "...", "a" * 10_000])
def test_what_has_no_host_or_is_too_long_has_no_form(url):
    assert safe_canonical(url) is None
    assert safe_hashes(url) == []


@given(st.text(alphabet=st.characters(max_codepoint=0x500), max_size=40))
def test_the_canonical_form_of_a_canonical_form_is_itself(text):
    once = safe_canonical("http://a.kz/" + text)
    assert once is not None
    assert safe_canonical(once) == once


def test_expressions_are_those_of_the_published_examples():
    assert safe_expressions("http://a.b.c/1/2.html?param=1") == [
        "a.b.c/1/2.html?param=1",
        "a.b.c/1/2.html",
        "a.b.c/",
        "a.b.c/1/",
        "b.c/1/2.html?param=1",
        "b.c/1/2.html",
        "b.c/",
        "b.c/1/",
    ]
    hosts = ["a.b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g"]
    assert safe_expressions("http://a.b.c.d.e.f.g/1.html") == [h + p for h in hosts for p in ("/1.html", "/")]
    assert safe_expressions("http://1.2.3.4/1/") == ["1.2.3.4/1/", "1.2.3.4/"]


def test_no_address_has_more_than_thirty_expressions():
    url = "http://a.b.c.d.e.f.g.h/1/2/3/4/5/6/7.html?q"
    assert len(safe_expressions(url)) == 30
    assert safe_hashes(url)[0] == hashlib.sha256(b"a.b.c.d.e.f.g.h/1/2/3/4/5/6/7.html?q").digest()


_LABEL = st.text(alphabet="abz0-", min_size=1, max_size=4).map(lambda label: "x" + label.strip("-"))
_ADDRESS = st.builds(
    lambda labels, port, path, query: f"https://{'.'.join(labels)}{port}{path}{query}",
    st.lists(_LABEL, min_size=2, max_size=8),
    st.sampled_from(["", ":8080"]),
    st.lists(st.text(alphabet="ab.%20", max_size=4), max_size=7).map(lambda parts: "".join("/" + p for p in parts)),
    st.sampled_from(["", "?a=1", "?a=/b/&c", "#!/x", "?q#!f"]),
)


@given(_ADDRESS)
def test_the_kernel_makes_the_keys_of_the_expressions(address):
    expected = {hash_string(e, URL_SEED) & (2**64 - 1) for e in page_expressions(address)}
    assert set(address_keys(address)) == expected


@given(st.ip_addresses(v=4))
def test_the_kernel_takes_no_suffix_of_a_number(ip):
    address = f"https://{ip}/a/b"
    assert set(address_keys(address)) == {hash_string(e, URL_SEED) & (2**64 - 1) for e in page_expressions(address)}


def test_a_probe_finds_the_listed_among_others_and_survives_what_is_no_address():
    listed = pa.array(["site.kz/dir/"])
    words, shift = key_filter(pa_keys(listed))
    rows, keys = probe_addresses(
        pa.array([None, "", "https://", "https://site.kz/dir/a?b=1", "https://x"]), words, shift
    )
    assert 3 in rows[keys == pa_keys(listed)[0]]


def pa_keys(strings):
    import numpy as np

    from bastau.hashing import hash_strings

    return hash_strings(strings, URL_SEED).view(np.uint64)


def found(listed, address):
    canonical = canonical_url(address)
    assert canonical is not None
    return not set(listed_expressions(listed)[0]).isdisjoint(page_expressions(canonical))


@pytest.mark.parametrize(
    ("listed", "address"),
    [
        ("http://www.site.kz/news/1?utm_source=a", "https://site.kz/news/1"),
        ("site.kz/dir/", "https://m.site.kz/dir/deep/page.html?x=1"),
        ("site.kz/dir/", "https://site.kz/dir"),
        ("site.kz", "https://sub.site.kz/anything"),
        ("https://t.me/s/channel", "https://t.me/Channel/15"),
        ("https://twitter.com/name", "https://x.com/name/status/12"),
        ("http://3279880203/blah", "http://195.127.0.11/blah"),
        ("https://youtu.be/abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk&t=3"),
    ],
)
def test_a_listed_address_is_found_in(listed, address):
    assert found(listed, address)


@pytest.mark.parametrize(
    ("listed", "address"),
    [
        ("site.kz/dir", "https://site.kz/dir/other"),
        ("site.kz/dir/", "https://site.kz/directory"),
        ("sub.site.kz", "https://site.kz/"),
        ("https://t.me/channel", "https://t.me/channel2/15"),
        ("https://t.me/channel/15", "https://t.me/channel/16"),
        ("https://youtu.be/abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijX"),
    ],
)
def test_a_listed_address_is_not_found_in(listed, address):
    assert not found(listed, address)


@pytest.mark.parametrize(
    "listed",
    ["https://t.me/", "youtube.com", "https://www.facebook.com", "com.kz", "https://youtube.com/watch", "t.me/s/",
     "https://facebook.com/groups/", "x.com/i"],
)  # fmt: skip
def test_an_entry_that_would_match_half_of_all_posts_is_rejected(listed):
    assert listed_expressions(listed) == ([], "too_broad")


@pytest.mark.parametrize("listed", ["", "words with spaces", "mailto:a@b.kz", "javascript:alert(1)", "http://"])
def test_an_entry_that_is_no_address_is_rejected(listed):
    assert listed_expressions(listed) == ([], "bad_url")


@pytest.mark.parametrize(
    "url",
    [
        "http://u@хост.kz/",
        "http://u:p@хост.kz:80/",
        "http://a@b@ХОСТ.kz/",
        "http://ä@хост.kz/",
        "ht\ntp://хост.kz/",
        "http://хост..kz./",
        "http://%D1%85%D0%BE%D1%81%D1%82.kz/",
    ],
)
def test_a_host_that_is_not_ascii_is_one_host_in_any_spelling(url: str) -> None:
    assert safe_canonical(url) == "http://xn--n1agdj.kz/"
