import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bastau.read.url_columns import canonical_urls
from bastau.urls import MAX_LENGTH, canonical_host, canonical_url

PIECES = st.sampled_from(
    [
        *["https://", "http://", "HTTPS://", "hxxp://", "www.", "m.", "mobile.", "amp.", "site.kz", "Site.KZ", "сайт.рф", "com.kz", "t.me", "x.com", "twitter.com", "vk.com", "youtu.be"],
        *["youtube.com", "google.com", "google.kz", "l.facebook.com", "a.cdn.ampproject.org", ":80", ":8080", "/", "//", "/s/", "/S/", "/.", "/..", "/amp", "/amp/s/", "/a", "/Name"],
        *["/12", "/status/12", "/statuses/12", "/i/web", "/away.php", "/l.php", "/url", "/watch", "/shorts/abcdefgh", "?", "&", "?to=", "?u=", "?q=", "?url=", "?v=abcdefgh"],
        *["w=wall-1_2", "utm_source=x", "UTM_x=1", "a=1", "b=%d0%b0", "b=%41", "%2f", "%zz", "#", "#!", "#a", "@", "user:pw@", ";", "&amp;", "\\", "+", "~", "_", "-", ".", "…", "қ", "ё", "😀", "(", "]", "'", "1.2.3.4", "[::1]"],
        " ", "\n", "https%3A%2F%2Fa.kz%2F", "www.c.kz/v/s/",
    ]
)  # fmt: skip
ADDRESSES = st.one_of(
    st.lists(PIECES, max_size=9).map("".join),
    st.lists(PIECES, max_size=6).map(lambda pieces: "https://" + "".join(pieces)),
    st.text(st.characters(codec="utf-8"), max_size=30),
)


@settings(deadline=None, max_examples=600)
@given(ADDRESSES)
@example("https://google.com/amp/s/google.com/amp/s/a.kz")
def test_doing_it_twice_changes_nothing(url: str) -> None:
    once = canonical_url(url)
    assert once is None or canonical_url(once) == once


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(ADDRESSES, st.none()), max_size=12))
def test_a_column_short_or_long_gives_what_each_address_gives(urls: list[str | None]) -> None:
    each = [None if url is None else canonical_url(url) for url in urls]
    assert canonical_urls(pa.array(urls, pa.string())).to_pylist() == each
    assert canonical_urls(pa.array(urls * 40, pa.string())).to_pylist() == each * 40


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://WWW.Site.KZ:80/Жол/?b=2&utm_source=tg&a=1#x", "https://site.kz/%D0%96%D0%BE%D0%BB?a=1&b=2"),
        ("https://a.kz/%7euser/%d0%b0", "https://a.kz/~user/%D0%B0"),
        ("https://a.kz/x/../y/./z/", "https://a.kz/y/z"),
        ("https://Пример.рф/", "https://xn--e1afmkfd.xn--p1ai"),
        ("//a.kz", None),
        ("a.kz/b", "https://a.kz/b"),
        ("https://a.kz:8443/b", "https://a.kz:8443/b"),
        ("https://user:secret@a.kz/b", "https://a.kz/b"),
        ("https://a.kz/#!/бет", "https://a.kz#!/%D0%B1%D0%B5%D1%82"),
        ("https://m.site.kz/a", "https://site.kz/a"),
        ("https://m.com.kz/a", "https://m.com.kz/a"),
        ("https://amp.site.kz/a/amp/", "https://site.kz/a"),
        ("https://www.google.com/amp/s/www.site.kz/a", "https://site.kz/a"),
        ("https://site-kz.cdn.ampproject.org/c/s/site.kz/a", "https://site.kz/a"),
        ("https://t.me/s/Arna/15?single", "https://t.me/arna/15"),
        ("https://telegram.me/Arna", "https://t.me/arna"),
        ("https://t.me/+AbC", "https://t.me/+AbC"),
        ("https://mobile.twitter.com/User/status/12/photo/1?s=20", "https://x.com/user/status/12"),
        ("https://youtu.be/dQw4w9WgXcQ?t=5", "https://youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://m.youtube.com/watch?feature=x&v=dQw4w9WgXcQ&t=1s", "https://youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://www.youtube.com/shorts/dQw4w9WgXcQ", "https://youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://m.vk.com/feed?w=wall-1_2", "https://vk.com/wall-1_2"),
        ("https://vk.com/away.php?to=https%3A%2F%2Fa.kz%2Fb%3Futm_x%3D1&cc_key=", "https://a.kz/b"),
        ("https://l.facebook.com/l.php?u=https%3A%2F%2Fa.kz%2Fb%3Ffbclid%3D1&h=AT", "https://a.kz/b"),
        ("https://www.google.kz/url?sa=t&q=https://a.kz/b&usg=1", "https://a.kz/b"),
        ("https://t.umblr.com/redirect?z=http%3A%2F%2Fa.kz&t=1", "https://a.kz"),
        ("hxxps://bad.kz/x", "https://bad.kz/x"),
        ("mailto:a@b.kz", None),
        ("javascript:alert(1)", None),
        ("ftp://a.kz/b", None),
        ("https://localhost/x", None),
        ("https://a..kz/", None),
        ("", None),
    ],
)
def test_examples_a_reader_can_check(url: str, canonical: str | None) -> None:
    assert canonical_url(url) == canonical


def test_a_wrapper_that_leads_nowhere_stays_itself() -> None:
    assert canonical_url("https://vk.com/away.php?to=javascript:x") == "https://vk.com/away.php?to=javascript:x"


def test_endless_wrappers_and_endless_addresses_are_given_up() -> None:
    url = "https://a.kz"
    for _ in range(30):
        url = "https://google.com/amp/s/" + url.removeprefix("https://")
    assert canonical_url(url) is None
    assert canonical_url("https://a.kz/" + "x" * MAX_LENGTH) is None
    assert canonical_url("https://a.kz/" + "x" * (MAX_LENGTH - 20)) is not None


@pytest.mark.parametrize("host", ["a", "a b.kz", "-a.kz", "a.k", "1.2.3", "ё" * 80 + ".kz", "a.kz:x"])
def test_what_is_no_host_name_is_none(host: str) -> None:
    assert canonical_host(host) is None
