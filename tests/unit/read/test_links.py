import numpy as np
import pyarrow as pa
import pytest

from bastau.hashing import hash_string
from bastau.read.links import FindLinks


def post(
    text: str | None = None, title: str | None = None, url: str | None = None, links: list[str | None] | None = None
):
    return {"title": title, "text": text, "url": url, "links": links}


def read(*posts: dict) -> list[dict]:
    schema = pa.schema([(f.name, f.type) for f in FindLinks.needs])
    return FindLinks().run(pa.Table.from_pylist(list(posts), schema)).to_pylist()


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("Қараңыз: https://Site.kz/a/?utm_source=tg, сосын www.b.kz.", ["https://site.kz/a", "https://b.kz"]),
        ("[мәтін](https://a.kz/x_(y)) (https://b.kz/z)", ["https://a.kz/x_(y)", "https://b.kz/z"]),
        ("t.me/Arna/15 және t.me/s/arna/15", ["https://t.me/arna/15"]),
        ("қысқартылған https://a.kz/ab… тұтас https://a.kz/abc", ["https://a.kz/abc"]),
        ("a@b.kz mailto:a@b.kz tg://resolve?domain=x ftp://a.kz/b", []),
        ("сөзhttps://a.kz/бет😀", ["https://a.kz/%D0%B1%D0%B5%D1%82"]),
        ("https://a.kz/x?a=1&amp;b=2#бөлім", ["https://a.kz/x?a=1&b=2"]),
        ("中文https://t.co/abc中文", ["https://t.co/abc"]),
    ],
)
def test_addresses_are_found_and_made_canonical(text: str, urls: list[str]) -> None:
    assert read(post(text))[0]["urls"] == urls


def test_addresses_come_from_title_text_and_links_in_this_order_and_once() -> None:
    row = read(
        post("https://b.kz/2 http://a.kz/1/", "https://a.kz/1", links=["https://c.kz/3", None, "https://b.kz/2"])
    )[0]
    assert row["urls"] == ["https://a.kz/1", "https://b.kz/2", "https://c.kz/3"]
    assert row["url_keys"] == [hash_string(url) for url in row["urls"]]


def test_a_post_does_not_point_to_itself_but_another_may_point_to_it() -> None:
    first, second = read(
        post("https://x.com/a/status/1 https://a.kz/1", url="https://twitter.com/A/status/1"),
        post("https://x.com/a/status/1", url="https://x.com/b/status/2"),
    )
    assert first["urls"] == ["https://a.kz/1"]
    assert second["url_keys"] == [first["own_url_key"]]


@pytest.mark.parametrize("url", [None, "", "арна", "mailto:a@b.kz"])
def test_a_post_without_a_web_address_has_no_own_key(url: str | None) -> None:
    assert read(post("x", url=url), post("y", url="https://a.kz/1"))[0]["own_url_key"] is None


def test_handles_are_lower_case_distinct_and_pseudonyms_count() -> None:
    row = read(post("RT @Arna: @p~k3x9, @arna @me@host.kz хат a@b.kz @"))[0]
    assert row["mentions"] == ["arna", "p~k3x9", "me@host.kz"]


def test_hashtags_keep_their_order_and_repeats() -> None:
    row = read(post("#Жаңалық_бүгін,#ІЗ #news #2024 &#39; #Жаңалық_бүгін a#b https://a.kz/#c #می‌خواهم"))[0]
    assert row["hashtags"] == ["жаңалық_бүгін", "із", "news", "жаңалық_бүгін", "میخواهم"]


def test_a_sequence_of_three_hashtags_has_a_key_that_minds_the_order() -> None:
    keys = [r["hashtags_key"] for r in read(post("#a #b #c"), post("#A сөз #B #C"), post("#b #a #c"), post("#a #b"))]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert keys[3] is None


def test_many_findings_in_one_post_and_long_posts_lose_nothing() -> None:
    many = " ".join(f"@u{i} #тег{i} https://a.kz/{i}" for i in range(3000))
    row = read(post("x"), post(many))[1]
    assert [len(row[name]) for name in ("urls", "mentions", "hashtags")] == [3000, 3000, 3000]
    assert row["urls"][-1] == "https://a.kz/2999"


def test_rows_keep_their_own_findings() -> None:
    rows = read(*(post(f"@u{i} https://a.kz/{i}" if i % 3 else None) for i in range(50)))
    assert [row["mentions"] for row in rows] == [[f"u{i}"] if i % 3 else [] for i in range(50)]
    assert np.array_equal([len(row["urls"]) for row in rows], [1 if i % 3 else 0 for i in range(50)])
