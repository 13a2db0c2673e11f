"""What stands around a post, as far as it is stored."""

from typing import Any

from report_world import connect, post, table

from bastau.hashing import hash_string
from bastau.report.context import MOST, context_of

PRIVATE = "p~qwertyuiopasdfgh"


def reading(one: dict[str, Any], text_key: int | None = None, urls: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "post_key": one["post_key"],
        "folded": "",
        "n_words": 0,
        "text_key": text_key,
        "urls": list(urls),
        "url_keys": [hash_string(url) for url in urls],
        "own_url_key": hash_string(one["url"]),
        "mentions": [],
        "hashtags": [],
        "detected_language": "ru",
        "language_score": 1.0,
        "script": "Cyrl",
    }


def test_what_it_answers_repeats_and_links_to_answers_to_it_and_the_same_words() -> None:
    root = post("chan/1", 0, "chan", "root")
    middle = post("x/2", 1, PRIVATE, "middle", reply_to=root["post_id"], source_kind="account")
    mine = post("chan/3", 2, "chan", "mine", reply_to=middle["post_id"], repost_of=root["post_id"])
    answer = post("x/4", 3, PRIVATE, "answer", reply_to=mine["post_id"], source_kind="account")
    linked = post("site/5", -5, "site", "linked")
    same = [post(f"y/{n}", 10 + n, "other", "mine") for n in range(MOST + 3)]
    posts = [root, middle, mine, answer, linked, *same]
    keyed = {mine["post_key"]: 7, **{one["post_key"]: 7 for one in same}}
    readings = [reading(one, keyed.get(one["post_key"]), (linked["url"],) if one is mine else ()) for one in posts]
    con = connect({"posts": table("posts", posts), "readings": table("readings", readings)})
    around = context_of(con, mine["post_key"])
    assert around is not None
    assert [hit.text for hit in around.answered] == ["middle", "root"]
    assert around.answered[0].source is None
    assert [hit.text for hit in around.repeated] == ["root"]
    assert [hit.text for hit in around.linked] == ["linked"]
    assert [hit.text for hit in around.answers] == ["answer"]
    assert (around.n_answers, around.n_same, len(around.same)) == (1, MOST + 3, MOST)
    assert around.same[0].published_at > around.same[-1].published_at
    assert "p~" not in repr(around)


def test_two_posts_that_answer_each_other_end() -> None:
    one = post("a/1", 0, "chan", "one", reply_to="telegram:a/2")
    two = post("a/2", 1, "chan", "two", reply_to="telegram:a/1")
    con = connect({"posts": table("posts", [one, two])})
    around = context_of(con, one["post_key"])
    assert around is not None
    assert [hit.text for hit in around.answered] == ["two"]
    assert (around.n_same, around.same) == (0, ())


def test_a_post_that_is_not_stored_has_none() -> None:
    assert context_of(connect({}), 1) is None
