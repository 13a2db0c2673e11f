import hashlib

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from known_samples import TEXT, a_list, entries, hits, known, pdq, picture, posts

from bastau.read.known import MatchKnown
from bastau.read.known_index import KnownList, find_video, index_of
from bastau.read.known_pdq import format_vpdq, parse_vpdq
from bastau.read.known_text import TextThresholds
from bastau.schemas import KNOWN, POSTS

OTHER = "Бүгін ауылда күн ашық болды, балалар далада ойнады, ал үлкендер шөп шауып, кешке үйлеріне қайтты"


def test_without_lists_the_column_is_null():
    table = MatchKnown().run(posts({"text": TEXT}))
    assert table.schema.field("known").type == KNOWN.field("known").type
    assert table.column("known").to_pylist() == [None]


def test_no_posts_give_no_rows():
    assert known([a_list("l", ("e", "text", TEXT))]) == []


def test_each_kind_of_signal_is_found_and_named():
    lists = [
        a_list(
            "one",
            ("address", "url", "https://t.me/listed"),
            ("file", "sha256", "ab" * 32),
            ("picture", "pdq", pdq(1)),
            ("words", "text", TEXT),
        )
    ]
    found = known(
        lists,
        {"text": "бұл сілтеме https://t.me/listed/15 жаңа"},
        picture(sha256="AB" * 32),
        picture(pdq(1, flips=31)),
        {"text": f"{TEXT} деді"},
        {"text": OTHER},
    )
    assert [[(m["entry"], m["signal"], m["distance"]) for m in f or []] for f in found] == [
        [("address", "url", None)],
        [("file", "sha256", None)],
        [("picture", "pdq", 31.0)],
        [("words", "text", None)],
        [],
    ]
    assert found[3] is not None
    assert found[3][0]["similarity"] == 1.0
    assert found[4] is None


def test_the_posts_own_address_and_those_of_its_media_count():
    lists = [a_list("l", ("page", "url", "https://site.kz/news/5"), ("folder", "url", "https://cdn.site.kz/v/"))]
    assert hits(
        lists,
        {"url": "https://www.site.kz/news/5?utm_source=x"},
        picture(url="https://cdn.site.kz/v/clip.mp4"),
        {"links": ["https://site.kz/news/5"]},
        {"url": "https://site.kz/news/55"},
    ) == [[("page", None)], [("folder", None)], [("page", None)], []]


def test_addresses_listed_as_hashes_are_found_with_and_without_www():
    digests = [hashlib.sha256(e).hexdigest() for e in (b"www.a.kz/x", b"b.kz/")]
    lists = [a_list("l", ("a", "url_sha256", digests[0]), ("b", "url_sha256", digests[1]))]
    assert hits(lists, {"text": "https://a.kz/x https://sub.b.kz/y?z"}, {"text": "https://a.kz/y"}) == [
        [("a", None), ("b", None)],
        [],
    ]


URLS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["https://", "http://www.", "", "mailto:"]),
        st.sampled_from(["a.kz", "sub.a.kz", "b.kz", "t.me", "1.2.3.4", "пример.рф", "no host"]),
        st.sampled_from(["", "/", "/x", "/x/", "/x/y", "/X", "/s/x/15"]),
        st.sampled_from(["", "?q=1", "?q=1&utm_source=z", "#part"]),
    ),
)
LISTED_URLS = st.lists(st.tuples(st.sampled_from(["url", "url_sha256"]), URLS), max_size=6)


@settings(deadline=None, max_examples=150)
@given(LISTED_URLS, LISTED_URLS, st.lists(URLS, min_size=1, max_size=5))
def test_addresses_alone_give_what_posts_of_nothing_else_give(listed, negative, urls):
    lists = [
        a_list(
            name,
            *(
                (str(i), signal, url if signal == "url" else hashlib.sha256(url.encode()).hexdigest())
                for i, (signal, url) in enumerate(of)
            ),
            is_negative=name == "held",
        )
        for name, of in (("one", listed), ("held", negative), ("bare", [("url_sha256", "a.kz/"), ("url", "t.me/x")]))
    ]
    alone = MatchKnown(index_of(lists)).find_urls(urls)
    assert alone == [found or [] for found in known(lists, *({"url": url} for url in urls))]


def test_a_picture_too_far_away_is_no_match_and_a_list_may_ask_for_less():
    near = picture(pdq(1, flips=10))
    assert hits([a_list("l", ("p", "pdq", pdq(1)))], picture(pdq(1, flips=32))) == [[]]
    assert hits([a_list("l", ("p", "pdq", pdq(1)), pdq_distance=8)], near) == [[]]
    assert hits(
        [a_list("strict", ("p", "pdq", pdq(1)), pdq_distance=8), a_list("usual", ("q", "pdq", pdq(1)))], near
    ) == [[("q", None)]]


def test_a_list_may_ask_for_more_of_a_text():
    part = {"text": " ".join(TEXT.split()[:13])}
    assert hits([a_list("l", ("t", "text", TEXT))], part) == [[("t", None)]]
    assert hits([a_list("l", ("t", "text", TEXT), text=TextThresholds(containment=0.9))], part) == [[]]


def test_a_short_text_is_found_whole_only():
    short = "қысқа ұран осы жерде тұр"
    assert hits([a_list("l", ("t", "text", short))], {"text": short.upper() + "!"}, {"text": short + " және тағы"}) == [
        [("t", None)],
        [],
    ]


def test_deleted_entries_match_no_more():
    gone = KnownList.of_entries(
        "l",
        entries(
            ("u", "url", "https://t.me/listed"), ("s", "sha256", "ab" * 32), ("p", "pdq", pdq(1)), ("t", "text", TEXT),
            deleted=True,
        ),
    )  # fmt: skip
    assert hits([gone], {"text": f"{TEXT} https://t.me/listed/1"}, picture(pdq(1), "ab" * 32)) == [[], []]


def test_a_negative_bank_holds_back_the_same_picture_and_nothing_else():
    lists = [
        a_list("clips", ("clip", "pdq", pdq(1)), ("page", "url", "https://t.me/listed")),
        a_list("news", ("footage", "pdq", pdq(1, flips=6)), is_negative=True),
    ]
    held, other = hits(lists, picture(pdq(1, flips=3)), {**picture(pdq(1, flips=3)), "text": "https://t.me/listed"})
    assert held == [("clip", "negative_bank"), ("footage", "negative_bank")]
    assert ("page", None) in other
    assert ("clip", "negative_bank") in other


def test_another_picture_in_the_post_is_not_held_back():
    lists = [a_list("clips", ("clip", "pdq", pdq(1))), a_list("news", ("footage", "pdq", pdq(2)), is_negative=True)]
    both = {"media": [{"url": None, "sha256": None, "pdq": pdq(1)}, {"url": None, "sha256": None, "pdq": pdq(2)}]}
    assert hits(lists, both) == [[("clip", None)]]


def test_a_listed_passage_quoted_in_a_listed_report_is_held_back():
    report = f"{OTHER} {TEXT} {OTHER[::-1]}"
    lists = [a_list("texts", ("t", "text", TEXT)), a_list("reports", ("r", "text", report), is_negative=True)]
    assert hits(lists, {"text": report}) == [[("t", "negative_bank"), ("r", "negative_bank")]]


def test_a_report_put_beside_a_listed_passage_does_not_hold_it_back():
    lists = [a_list("texts", ("t", "text", TEXT)), a_list("reports", ("r", "text", OTHER), is_negative=True)]
    assert hits(lists, {"text": f"{TEXT} {OTHER}"}) == [[("t", None)]]


def test_a_negative_bank_alone_matches_nothing():
    lists = [a_list("news", ("footage", "pdq", pdq(1)), is_negative=True)]
    assert known(lists, picture(pdq(1))) == [None]


def test_the_same_thing_on_two_lists_is_two_matches_and_twice_in_a_post_is_one():
    lists = [a_list("one", ("a", "url", "https://t.me/listed")), a_list("two", ("b", "url", "t.me/listed"))]
    text = "https://t.me/listed/1 https://t.me/listed/1"
    assert hits(lists, {"text": text}) == [[("a", None), ("b", None)]]


def test_order_and_batching_of_posts_change_nothing():
    lists = [a_list("l", ("t", "text", TEXT), ("u", "url", "https://t.me/listed"), ("p", "pdq", pdq(1)))]
    table = posts({"text": TEXT}, {"text": OTHER}, {"text": "https://t.me/listed/2"}, picture(pdq(1)), {"text": "x"})
    whole = MatchKnown(index_of(lists)).run(table)
    chunked = pa.concat_tables([table.slice(at, 1) for at in range(5)])
    assert MatchKnown(index_of(lists)).run(chunked).column("known").to_pylist() == whole.column("known").to_pylist()
    back = MatchKnown(index_of(lists)).run(table.take([4, 3, 2, 1, 0]))
    assert back.column("known").to_pylist() == whole.column("known").to_pylist()[::-1]


def test_junk_in_the_fields_of_a_post_matches_nothing():
    lists = [a_list("l", ("s", "sha256", "ab" * 32), ("p", "pdq", pdq(1)), ("u", "url", "https://t.me/listed"))]
    junk = [
        {"media": [{"url": "::::", "sha256": "zz", "pdq": "0"}, None]},
        {"media": []},
        {"url": "https://", "links": ["", "https://[::1"]},
        {"text": "https://t.me/ https://t.me https://t.me/liste"},
    ]
    assert known(lists, *junk) == [None] * 4


def test_a_video_is_found_by_its_frames():
    digests = [pdq(n) for n in range(20)]
    value = format_vpdq([(n, 90, bytes.fromhex(d), float(n)) for n, d in enumerate(digests)]).strip().replace("\n", ";")
    index = index_of([a_list("l", ("film", "vpdq", value), ("other", "vpdq", f"0,90,{pdq(50)},0.0"))])
    clip = parse_vpdq("\n".join(f"{n},90,{pdq(n, flips=9)},{n}.0" for n in range(5, 15)))
    (held, row, given_share, listed_share), *rest = find_video(index, clip.hashes)
    assert (held.entry_id(row), given_share, listed_share, rest) == ("film", 1.0, 0.5, [])


def test_what_the_stage_needs_comes_from_earlier_stages():
    assert MatchKnown.needs.field("url") == POSTS.field("url")
    assert set(MatchKnown.needs.names) == {"url", "media", "folded", "urls"}
