"""However a private handle is written into a post, it does not come out."""

import random
from pathlib import Path
from typing import Any

import collect_samples as samples
import orjson
import polars as pl
import pytest

from bastau.collect.checking import check_rows
from bastau.collect.formats.posts import POST_LINES
from bastau.collect.lines import objects, read_lines
from bastau.collect.privacy import Authors, scrub_posts
from bastau.collect.reading import RAW, Problem, Request, raw_table
from bastau.settings import Publishers

HANDLE, NAME = "zhol_belgi", "Жол Белгі"
FORMS = """@{h}|RT @{h}:|https://x.com/{h}|https://x.com/{h}/status/1|t.me/{h}|https://t.me/s/{h}/5|vk.com/{h}|instagram.com/{h}
https://www.facebook.com/{h}?x=1|https://tiktok.com/@{h}|https://youtube.com/@{h}|bsky.app/profile/{h}|https://lake.example/@{h}
@{h}@lake.example|[{n}](https://t.me/{h})|<a href="https://x.com/{h}">{n}</a>|&#64;{h}|%40{h}|＠{h}|@\u200b{h}
https%3A%2F%2Fx.com%2F{h}|https://l.facebook.com/l.php?u=https%3A%2F%2Finstagram.com%2F{h}|(@{h})|“@{h}”|@{h}'s|#тег@{h}
https://web.archive.org/web/2020/https://twitter.com/{h}|<https://x.com/{h}>|@{h}/list|https://x.com/@{h}|https://vk.com/@{h}
https://mobile.twitter.com/{h}|http://t.me:443/{h}|https://t.me//{h}|https://m.vk.com/{h}?from=1|https://x.com/#!/{h}
HTTPS://X.COM/{h}|https://instagram.com/stories/{h}/12|https://twitter.com/intent/user?screen_name={h}|https://ok.ru/{h}
https://x.com/search?q=from:@{h}|https://facebook.com/{h}/posts/5|https://linkedin.com/in/{h}|https://threads.net/@{h}/post/x"""
PLATFORMS = ("x", "telegram", "mastodon", "vk", "instagram", "web", "other", "youtube")
WORDS = ("көл", "тау", "и", "the", "https://t.co/abc", "№5", "❤️", "100%", "\n", "-")


def a_post(rng: random.Random, number: int) -> dict[str, object]:
    """Return a post of a channel, or of the private person, that names the person in one more field."""
    forms = [form for line in FORMS.split("\n") for form in line.split("|")] + ["[{h}|{n}]"]
    handle = rng.choice([HANDLE, HANDLE.upper(), HANDLE.title()])
    named = [form.format(h=handle, n=NAME) for form in forms]
    platform = rng.choice(PLATFORMS)
    text = " ".join(rng.choice(named if rng.random() < 0.4 else WORDS) for _ in range(rng.randrange(1, 9)))
    post: dict[str, object] = {
        "post_id": f"{platform}:{number}",
        "platform": platform,
        "source": "steppe_press",
        "source_kind": "channel",
        "published_at": 1714557600,
        "text": f"{text} .",
    }
    ids = [
        f"{platform}:{handle}/5",
        f"{platform}:@{HANDLE}#5",
        f"{platform}:https://x.com/{HANDLE}/5",
        f"{platform}:5-{HANDLE}",
    ]
    post |= rng.choice(
        [
            {"title": rng.choice(named)},
            {"url": rng.choice(named)},
            {"links": [rng.choice(named), "https://steppe.example"]},
            {"media": [{"url": rng.choice(named)}]},
            {"repost_of": rng.choice(ids)},
            {"forwarded_from": rng.choice([HANDLE, f"@{HANDLE}", NAME, f"https://t.me/{HANDLE}"])},
        ]
    )
    if rng.random() < 0.3:
        own = {
            "source": handle,
            "source_kind": "account",
            "source_name": NAME,
            "post_id": rng.choice([*ids[:1], f"{platform}:{number}-{HANDLE}"]),
        }
        post |= own | {"text": f"{text} {NAME} ({HANDLE})"}
    return post


@pytest.mark.parametrize("seed", [1, 2])
def test_no_form_of_a_private_handle_gets_through(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    rows = [a_post(rng, n) for n in range(1500)]
    # In the first row the person is an author on each platform, so that every later part of an id is known as theirs.
    rows[:0] = [
        {
            "post_id": f"{p}:first",
            "platform": p,
            "source": HANDLE,
            "source_kind": "account",
            "published_at": 1714557600,
            "text": "x",
        }
        for p in PLATFORMS
    ]
    path = tmp_path / "p.ndjson"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    posts = samples.rows(samples.read(path))
    assert len(posts) > 1000
    for post in posts:
        shown = str(post).casefold()
        assert HANDLE not in shown
        assert NAME.casefold() not in shown


def test_reading_whole_stretches_equals_reading_line_by_line(tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "p.ndjson"
    path.write_bytes(
        b"\n".join([*(orjson.dumps(a_post(rng, n)) for n in range(200)), b"", orjson.dumps(a_post(rng, 200))])
    )
    with path.open("rb") as stream:
        (batch,) = POST_LINES.read(stream, Request(1000))
    with path.open("rb") as stream:
        (lines,) = read_lines(stream, 1000)
    plain = raw_table({**value, "line": n} for n, value in objects(lines) if not isinstance(value, Problem))
    assert batch.rows.select(RAW.names()).equals(plain.select(RAW.names()))
    assert batch.rows.get_column("line").to_list() == [*range(1, 201), 202]


@pytest.mark.shared
def test_real_channel_posts_are_read_through_a_mapping() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "telegram-ru-news" / "messages.ndjson.gz"
    if not path.exists():
        pytest.skip("../shared/data is not there")
    mapping = samples.MAPPINGS["foreign.ndjson"]
    chunks = samples.read(path, mapping=mapping, now=samples.NOW.replace(year=2026))
    posts = pl.concat([pl.DataFrame(pl.from_arrow(c.posts)) for c in chunks])
    n_rejects = sum(c.rejects.num_rows for c in chunks)
    assert posts.height + n_rejects + sum(c.n_repeats for c in chunks) == 20_034
    assert n_rejects < 20
    assert posts.get_column("is_publisher").all()


# ---- accounts that go by a number ----------------------------------------------------------------------------

DID = "did:plc:" + "a" * 24


def _bluesky(did: str, handle: str, key: str, **changes: Any) -> dict[str, Any]:
    return {
        "post_id": f"bluesky:{did}/{key}",
        "platform": "bluesky",
        "source": handle,
        "source_kind": "account",
        "published_at": "2024-05-01T10:00:00Z",
        "text": "Көлдің суы көтерілді",
        "media": [{"url": f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/bafkrei1"}],
    } | changes


def test_a_publishers_number_is_kept_and_a_private_authors_is_nowhere() -> None:
    other = DID.replace("a", "b")
    outlet = _bluesky(DID, "tau.example", "3k1", audience=9000)
    repost = _bluesky(
        other,
        "biri.bsky.social",
        "r-3k2",
        repost_of=f"bluesky:{DID}/3k1",
        links=[f"https://bsky.app/profile/{other}/post/3k9"],
    )
    table, rejected = check_rows(raw_table([outlet, repost]), samples.NOW)
    assert not rejected
    kept, hidden = scrub_posts(table, Authors(Publishers(), samples.PSEUDONYMS, None)).to_dicts()
    assert (kept["post_id"], kept["media"][0]["url"].split("/")[-2]) == (f"bluesky:{DID}/3k1", DID)
    assert hidden["repost_of"] == kept["post_id"]
    assert other not in str(hidden)
    assert hidden["post_id"].endswith("/r-3k2")
