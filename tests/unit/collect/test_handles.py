"""Handles in text and addresses, plain and hidden."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.collect import handles
from bastau.collect.mentions import AT, CLOSER_LOOK, flag_rows
from bastau.collect.privacy import Authors, scrub_column, scrub_id, scrub_ids
from bastau.collect.pseudonyms import Pseudonyms
from bastau.settings import Publishers

P = "p~aaaaaaaaaaaaaaaa"


def hide(platform: str, handle: str) -> str | None:
    return None if handle in ("press", "press@lake.example") else P


def scrub(text: str, platform: str = "x") -> str:
    return handles.scrub(text, platform, hide)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("hello @qaskyr_b!", f"hello @{P}!"),
        ("RT @Qaskyr_B: hi", f"RT @{P}: hi"),
        ("see @press, @qaskyr_b", f"see @press, @{P}"),
        ("mail press.office@lake.example", "mail press.office@lake.example"),
        ("қара:@qaskyr_b", f"қара:@{P}"),
        ("@qaskyr_b@lake.example", f"@{P}"),
        ("@press@lake.example", "@press@lake.example"),
        ("https://x.com/qaskyr_b/status/5", f"https://x.com/{P}/status/5"),
        ("https://twitter.com/Qaskyr_B?s=20", f"https://twitter.com/{P}?s=20"),
        ("https://x.com/press/status/5", "https://x.com/press/status/5"),
        ("https://x.com/i/web/status/5 https://x.com/hashtag/lake", "https://x.com/i/web/status/5 https://x.com/hashtag/lake"),
        ("netflix.com/qaskyr_b", "netflix.com/qaskyr_b"),
        ("t.me/qaskyr_b/7", f"t.me/{P}/7"),
        ("https://t.me/s/qaskyr_b", f"https://t.me/s/{P}"),
        ("https://qaskyr_b.t.me", f"https://{P}.t.me"),
        ("tg://resolve?domain=qaskyr_b", f"tg://resolve?domain={P}"),
        ("https://t.me/joinchat/AAA https://t.me/+AAA", "https://t.me/joinchat/AAA https://t.me/+AAA"),
        ("vk.com/id123 vk.com/qaskyr_b vk.com/club5", f"vk.com/{P} vk.com/{P} vk.com/club5"),
        ("https://vk.com/wall123_4 https://vk.com/wall-5_6", f"https://vk.com/wall{P} https://vk.com/wall-5_6"),
        ("[id123|Ғалым Сері]", f"[{P}|{P}]"),
        ("[club5|Ауыл клубы]", "[club5|Ауыл клубы]"),
        ("@id123 (Ғалым Сері), рақмет", f"@{P}, рақмет"),
        ("https://instagram.com/qaskyr_b/ https://instagram.com/p/Cabc", f"https://instagram.com/{P}/ https://instagram.com/p/Cabc"),
        ("https://facebook.com/qaskyr.b", f"https://facebook.com/{P}"),
        ("https://www.facebook.com/profile.php?id=100", f"https://www.facebook.com/profile.php?id={P}"),
        ("https://www.facebook.com/people/Galym-Seri/100", f"https://www.facebook.com/people/{P}/{P}"),
        ("https://www.tiktok.com/@qaskyr_b/video/9", f"https://www.tiktok.com/@{P}/video/9"),
        ("https://youtube.com/@qaskyr_b https://youtube.com/watch?v=abc", f"https://youtube.com/@{P} https://youtube.com/watch?v=abc"),
        ("https://youtube.com/c/qaskyr_b", f"https://youtube.com/c/{P}"),
        ("https://bsky.app/profile/qaskyr.bsky.social/post/3", f"https://bsky.app/profile/{P}/post/3"),
        ("https://bsky.app/profile/did:plc:abc", f"https://bsky.app/profile/{P}"),
        ("https://lake.example/@qaskyr_b/1", f"https://lake.example/@{P}/1"),
        ("https://lake.example/@press", "https://lake.example/@press"),
        ("https://www.linkedin.com/in/qaskyr-b/", f"https://www.linkedin.com/in/{P}/"),
        ("https://lınkedın.com/in/qaskyr_b https://INſTAGRAM.com/qaskyr_b", f"https://lınkedın.com/in/{P} https://INſTAGRAM.com/{P}"),
        ("https://tİktok.com/@qaskyr_b VK.com/qaskyr_b", f"https://tİktok.com/@{P} VK.com/{P}"),
        ("[Ғалым Сері](https://t.me/qaskyr_b)", f"[{P}](https://t.me/{P})"),
        ("[оқу](https://steppe.example/a)", "[оқу](https://steppe.example/a)"),
        ('<a href="https://lake.example/@qaskyr_b" class="u-url mention">@<span>qaskyr_b</span></a>',
         f'<a href="https://lake.example/@{P}" class="u-url mention">@{P}</a>'),
        ('<a href="https://t.me/qaskyr_b">Ғалым Сері</a>', f'<a href="https://t.me/{P}">@{P}</a>'),
        (f"@{P} https://x.com/{P}", f"@{P} https://x.com/{P}"),
    ],
)  # fmt: skip
def test_handles_are_found_where_they_stand(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    ["＠qaskyr_b", "@\u200bqaskyr_b", "@qas\u200dkyr_b", "@qas\u00adkyr_b", "&#64;qaskyr_b", "&commat;qaskyr_b",
     "&amp;#64;qaskyr_b", "%40qaskyr_b", "%2540qaskyr_b", "https://lake.example/?u=https%3A%2F%2Fx.com%2Fqaskyr_b",
     "https://x.com/%71askyr_b", "x&#46;com/qaskyr_b", "@ｑａｓｋｙｒ_b", "@𝐪askyr_b", "t.\u200bme/qaskyr_b", "@q\u2060as\ufeffkyr_b",
     "@\U000e0071qaskyr_b", "https://X.COM/QASKYR_B", "@QASKYR_B~", "a@qaskyr_b", "@@qaskyr_b", "/@qaskyr_b",
     "@qaskyr_b…", "“@qaskyr_b”", "@qaskyr_bқ"],
)  # fmt: skip
def test_hidden_handles_are_found(text: str) -> None:
    column = scrub_column(texts_of_publishers([f"сөз {text} сөз"]), authors())
    assert "qaskyr_b" not in handles.normalise(column[0]).casefold()


def texts_of_publishers(texts: list[str]) -> pl.DataFrame:
    nobody = pl.lit(None, pl.String)
    return pl.DataFrame({"platform": ["x"] * len(texts), "value": texts}).with_columns(
        _own=nobody, _name=nobody, _pseudonym=nobody
    )


def authors(**known: tuple[str, ...]) -> Authors:
    return Authors(Publishers(**known), Pseudonyms(b"k" * 32), None)


PIECES = st.sampled_from(
    [
        "@qaskyr_b",
        "@press",
        "@Press.",
        " ",
        "сөз",
        ",",
        "@",
        "a@b.kz",
        "https://t.co/x",
        "\n",
        "@qas-kyr.b",
        "!",
        "қ",
        "(@tau)",
        "#тег",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=1, max_size=6))
def test_the_kernel_agrees_with_the_patterns(texts: list[str]) -> None:
    book = authors(known=("x:press",))
    assert scrub_column(texts_of_publishers(texts), book).to_list() == [
        handles.scrub(text, "x", book.replace) for text in texts
    ]


@given(st.lists(PIECES, max_size=10).map("".join))
def test_scrubbing_twice_changes_nothing(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_plain_text_needs_no_closer_look() -> None:
    texts = pa.array(
        ["жай сөз", "@press сөз", "100 % таза", "❤️ жүрек", "№5 & co", "қ@press", "@press…", "%D2%9B", None]
    )
    flags = flag_rows(texts)
    assert [bool(f & AT) for f in flags] == [False, True, False, False, False, True, True, False, False]
    assert [bool(f & CLOSER_LOOK) for f in flags] == [False, False, False, False, False, False, True, True, False]


@pytest.mark.parametrize(
    ("platform", "source", "handle"),
    [
        ("x", "@Qaskyr", "qaskyr"),
        ("telegram", "https://t.me/Qaskyr", "qaskyr"),
        ("web", "https://www.Lake.example/about", "lake.example"),
        ("mastodon", "@a@lake.example", "a@lake.example"),
        ("telegram", "Тау хабары", "тау хабары"),
    ],
)
def test_a_source_is_compared_in_one_spelling(platform: str, source: str, handle: str) -> None:
    assert handles.canonical(platform, source) == handle


IDS = st.sampled_from(
    ["x:1", "x:press/1", "x:qaskyr_b/1", "telegram:-100/5", "telegram:tau/5", "vk:-5_6", "vk:123_4", "vk:wall123_4",
     "other:threads-C9", "other:1234-tau", "bluesky:did:plc:abc/app.bsky.feed.post/3k", "web:https://steppe.example/a/b",
     "mastodon:https://lake.example/@tau/1", "x:tau", "x:TAU", "youtube:aB_c-D", "instagram:Cx-_1"]
)  # fmt: skip


@given(st.lists(IDS, min_size=1, max_size=12))
def test_the_fast_way_with_ids_equals_the_obvious_one(ids: list[str]) -> None:
    book = authors(known=("press",))
    book.settle(
        pl.DataFrame(
            {"platform": ["x", "other", "telegram"], "source": ["tau", "tau", "tau"]},
        ).with_columns(source_kind=pl.lit(None, pl.String), audience=pl.lit(None, pl.Int64))
    )
    assert scrub_ids(pl.Series("post_id", ids), book).to_list() == [scrub_id(i, book) for i in ids]


def test_ids_of_people_lose_the_person_and_others_stay() -> None:
    book = authors(known=("press",))
    for kept in ("x:1", "x:press/1", "telegram:-100/5", "vk:-5_6", "web:https://steppe.example/a/b", "instagram:Cx-_1"):
        assert scrub_id(kept, book) == kept
    for named in (
        "x:qaskyr_b/1",
        "vk:123_4",
        "bluesky:did:plc:abc/app.bsky.feed.post/3k",
        "mastodon:https://lake.example/@tau/1",
    ):
        assert "p~" in scrub_id(named, book)


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ('<a href="/users/qaskyr_b">Ғалым Сері</a>', True),
        ("<a href='/@qaskyr_b'>Ғалым Сері</a>", True),
        ("<a href=/u/qaskyr_b>Ғалым Сері</a>", True),
        ('<a class="by" href = "../profile/qaskyr_b?tab=1">Ғалым Сері</a>', True),
        ('<a href="/%40qaskyr_b">Ғалым Сері</a>', True),
        ('<a href="/&#64;qaskyr_b">Ғалым Сері</a>', True),
        ('<img src="/users/qaskyr_b">', True),
        ('<a href="/news/users/2024">Ғалым Сері</a>', False),
        ('<a href="mailto:press@lake.example">Ғалым Сері</a>', False),
        ('<a href="#users/qaskyr_b">Ғалым Сері</a>', False),
        ('<a href="//[users/qaskyr_b">Ғалым Сері</a>', False),
        ('<link href="/profile/">', False),
    ],
)
def test_profiles_on_the_host_of_a_page_are_found_by_their_relative_links(link: str, found: bool) -> None:
    page = f"<p>сөз {link} сөз</p>"
    scrubbed = handles.scrub(handles.with_own_host(page, "https://lake.example/a/1"), "web", hide, markup=True)
    assert (scrubbed != page) == found
    assert not (found and ("qaskyr_b" in scrubbed or "Сері" in scrubbed))


def test_links_that_name_nobody_stay_as_they_are() -> None:
    page = '<a href="/news/1">a</a><a href="users.html">b</a><link href="/css/u/../a.css"><a href="?u=1">c</a>'
    assert handles.with_own_host(page, "https://lake.example/") == page
