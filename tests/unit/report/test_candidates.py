"""What machines found becomes cases that could be opened: content and publishers' pages, each once, never a person."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from report_world import connect, post, table

from bastau.errors import Refused
from bastau.report.candidates import Candidates, candidates, changed, line_up, opened_by, post_of, speaks_again, ways
from bastau.review.acts import By, Ground, Verdict
from bastau.review.log import Book, advance, propose
from bastau.review.opinions import judge
from bastau.settings import Publishers

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PRIVATE, OTHER = "p~qwertyuiopasdfgh", "p~asdfghjklzxcvbnm"
CALL = "Take your knives and kill them"
BY = By("aygul", "aygul", "analyst")


def says(act: str = "incite", score: float = 0.8, gate: str | None = None, rule: str = "call") -> dict[str, Any]:
    return {"act": act, "rule": rule, "version": 3, "spans": [], "gate": gate, "score": score}


def lake(
    *posts: tuple[dict[str, Any], list[dict[str, Any]]], known: dict[str, list[dict[str, Any]]] | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a lake of posts, each with what rules said of it; ``known`` by post id."""
    stored = [one for one, _ in posts]
    readings = [
        {
            "post_key": one["post_key"],
            "folded": "",
            "n_words": 0,
            "urls": [],
            "url_keys": [],
            "mentions": [],
            "hashtags": [],
        }
        | {"detected_language": one["_language"], "language_score": 1.0, "script": "Cyrl"}
        for one in stored
    ]
    matches = [
        {"post_key": one["post_key"], "suggestions": said or None, "known": (known or {}).get(one["post_id"])}
        for one, said in posts
    ]
    return connect(
        {"posts": table("posts", stored), "readings": table("readings", readings), "matches": table("matches", matches)}
    )


def found(con: duckdb.DuckDBPyConnection, settings: Publishers | None = None, **more: Any) -> Candidates:
    return candidates(con, settings or Publishers(), "generation 1", NOON, **more)


def subjects(made: Candidates) -> list[tuple[str, str]]:
    return [(one.opened.subject.kind, one.opened.subject.value) for one in made.by_case.values()]


def test_a_publishers_post_is_judged_by_its_address_and_a_private_persons_by_the_hash_of_its_words() -> None:
    con = lake(
        (post("chan/1", 0, "chan", CALL, url="https://t.me/chan/1", audience=90_000), [says()]),
        (post("x/2", 1, PRIVATE, "other words", url=f"https://t.me/{PRIVATE}/2", source_kind="account"), [says()]),
    )
    made = found(con)
    sha = hashlib.sha256(b"other words").hexdigest()
    assert sorted(subjects(made)) == [("text_sha256", sha), ("url", "https://t.me/chan/1")]
    [private] = [one for one in made.by_case.values() if one.opened.subject.kind == "text_sha256"]
    assert private.opened.subject.owner is None
    assert "p~" not in repr(private.opened)
    assert private.opened.evidence[0].sha256 == sha
    assert private.opened.evidence[0].reference.startswith("lake:p")
    assert post_of(private.case) == private.post_key
    assert private.opened.by is None


def test_the_same_words_of_many_are_one_subject() -> None:
    con = lake(
        *(
            (post(f"x/{n}", n, source, CALL, source_kind="account"), [says()])
            for n, source in enumerate([PRIVATE, OTHER] * 3)
        )
    )
    [one] = found(con).by_case.values()
    assert one.n_posts == 6
    assert one.published_at - one.found_at == timedelta(minutes=1)
    assert one.opened.subject.published_on == one.published_at.date()


def test_what_context_held_back_is_no_candidate_and_the_surest_of_the_rest_is_the_suggestion() -> None:
    con = lake(
        (post("x/1", 0, PRIVATE, "quoted", source_kind="account"), [says(gate="quotation", score=1.0)]),
        (
            post("x/2", 1, PRIVATE, CALL, source_kind="account"),
            [says(gate="denial", score=1.0), says(score=0.4, rule="weak"), says("threaten", 0.6)],
        ),
    )
    [one] = found(con).by_case.values()
    assert [(s.by, s.act, s.rule, s.score) for s in one.opened.suggestions] == [("rules", "threaten", "call@3", 0.6)]


def test_words_out_of_which_a_private_name_was_struck_have_nobodys_hash() -> None:
    con = lake(
        (post("x/1", 0, PRIVATE, f"@{OTHER} {CALL}", source_kind="account"), [says()]),
        (post("chan/1", 0, "chan", f"@{OTHER} {CALL}", url="https://t.me/chan/1"), [says()]),
    )
    made = found(con)
    assert subjects(made) == [("url", "https://t.me/chan/1")]
    assert made.n_struck == 1


def test_an_address_that_may_not_be_judged_gives_way_to_the_words() -> None:
    sha = hashlib.sha256(CALL.encode()).hexdigest()
    private_by_now = post("big/1", 0, "big", CALL, url="https://t.me/big/1", source_kind="account", audience=100)
    assert subjects(found(lake((private_by_now, [says()])))) == [("text_sha256", sha)]
    named = Publishers(known=("telegram:Big",))
    assert subjects(found(lake((private_by_now, [says()])), named)) == [("url", "https://t.me/big/1")]
    other = Publishers(known=("x:big",))
    assert subjects(found(lake((private_by_now, [says()])), other)) == [("text_sha256", sha)]
    members_only = post("chan/1", 0, "chan", CALL, url="https://t.me/+AbCdEfGhIjKlMnOp")
    assert subjects(found(lake((members_only, [says()])))) == [("text_sha256", sha)]


def test_a_listed_file_is_judged_by_its_own_hash_unless_nobody_knows_which_it_is() -> None:
    hit = {"list": "tcap", "entry": "1", "signal": "sha256", "gate": None}
    file = {"url": None, "sha256": "A" * 64, "pdq": None}
    one = post("x/1", 0, PRIVATE, "look", source_kind="account", media=[file])
    two = post(
        "x/2", 0, PRIVATE, "see", source_kind="account", media=[file, {"url": None, "sha256": "b" * 64, "pdq": None}]
    )
    made = found(lake((one, []), known={one["post_id"]: [hit]}))
    assert subjects(made) == [("sha256", "a" * 64)]
    [listed] = made.by_case.values()
    assert listed.opened.suggestions == ()
    assert listed.opened.evidence[0].sha256 == "a" * 64
    assert listed.opened.subject.languages == ()
    assert subjects(found(lake((two, []), known={two["post_id"]: [hit]})))[0][0] == "text_sha256"
    assert subjects(found(lake((one, []), known={one["post_id"]: [hit | {"gate": "negative_bank"}]}))) == []


def test_a_post_without_words_or_file_is_none() -> None:
    assert not found(lake((post("x/1", 0, PRIVATE, "", source_kind="account"), [says()]))).by_case


def test_calls_for_violence_come_before_praise_the_newest_first_and_age_moves_nothing() -> None:
    con = lake(
        (post("x/1", 0, PRIVATE, "praise", source_kind="account"), [says("glorify")]),
        (post("x/2", -60 * 24 * 400, PRIVATE, "old call", source_kind="account"), [says()]),
        (post("x/3", 5, PRIVATE, "new call", source_kind="account"), [says()]),
    )
    made = found(con)
    words = [one.opened.subject.value for one in made.by_case.values()]
    assert words == [hashlib.sha256(text).hexdigest() for text in (b"new call", b"old call", b"praise")]
    assert [case.subject.value for case in line_up(Book(), made, NOON + timedelta(days=300))] == words
    assert [len(found(con, limit=n).by_case) for n in (1, 2, 9)] == [1, 2, 3]


def written(book: Book, *acts: Any) -> Book:
    for act in acts:
        made = act(book) if callable(act) else act
        n = 1 + max((case.last_n for case in book.cases.values()), default=0)
        at = NOON + timedelta(minutes=n)
        book = advance(book, [{**propose(book, made, at), "n": n, "at": at.isoformat()}])
    return book


def test_what_was_opened_is_in_the_line_once_grows_more_urgent_and_leaves_it_when_decided() -> None:
    con = lake(
        (post("x/1", 0, PRIVATE, "praise", source_kind="account"), [says("glorify")]),
        (post("x/2", 1, PRIVATE, "call", source_kind="account"), [says()]),
    )
    made = found(con)
    call, praise = made.by_case.values()
    book = written(Book(), praise.opened)
    ids = [call.case.case, praise.case.case]
    assert [case.case for case in line_up(book, made, NOON)] == ids
    assert [case.case for case in line_up(book, made, NOON + timedelta(days=60))] == ids[::-1]
    assert [case.case for case in line_up(book, made, NOON, lambda case: case.case != ids[0])] == ids[1:]
    left = Verdict(False, None, None, "none", "", "Praise of a film, not of a deed.")
    never = {"law": 0.0, "policy": 0.0, "none": 0.0}
    book = written(book, lambda b: judge(b.cases[ids[1]], BY, left, praise.opened.evidence[0].sha256, b"seed", never))
    assert [case.case for case in line_up(book, made, NOON)] == ids[:1]


def test_every_candidate_may_be_opened() -> None:
    con = lake(
        (post("chan/1", 0, "chan", CALL, url="https://t.me/chan/1", _language="kk|ky"), [says()]),
        (post("x/2", 1, PRIVATE, "other words", source_kind="account", _language="und"), [says(score=0.12345678)]),
        (
            post(
                "w/3", 2, "site.kz", "", platform="web", title="Title", url="https://site.kz/a/3", source_kind="website"
            ),
            [says()],
        ),
    )
    made = found(con)
    book = written(Book(), *(one.opened for one in made.by_case.values()))
    assert len(book.cases) == 3
    assert {case.subject.languages for case in book.cases.values()} == {("kk", "ky"), (), ("ru",)}


def test_another_suggestion_is_told_and_the_same_is_not() -> None:
    stored = post("x/1", 0, PRIVATE, CALL, source_kind="account")
    first = next(iter(found(lake((stored, [says()]))).by_case.values()))
    case = written(Book(), first.opened).cases[first.case.case]
    assert changed(case, first, "generation 2") is None
    nearly = next(iter(found(lake((stored, [says(score=0.85)]))).by_case.values()))
    assert changed(case, nearly, "generation 2") is None
    other = next(iter(found(lake((stored, [says("threaten")]))).by_case.values()))
    said = changed(case, other, "generation 2")
    assert said is not None
    assert said.suggestion.act == "threaten"
    again = written(written(Book(), first.opened), said).cases[first.case.case]
    assert again.round.lead == said.suggestion


def decide(book: Book, case: str, verdict: Verdict) -> Book:
    never = {"law": 0.0, "policy": 0.0, "none": 0.0}
    sha256 = book.cases[case].evidence[0].sha256
    return written(book, lambda b: judge(b.cases[case], BY, verdict, sha256, b"seed", never))


def test_a_decided_case_is_asked_again_only_for_an_act_that_nobody_said_before() -> None:
    stored = post("x/1", 0, PRIVATE, CALL, source_kind="account")

    def now(*said: dict[str, Any]) -> Candidates:
        return found(lake((stored, list(said))))

    first = next(iter(now(says()).by_case.values()))
    open_, case = written(Book(), first.opened), first.case.case
    left = decide(open_, case, Verdict(False, None, None, "none", "", "A line of a film, not a call."))
    ground = Ground("law", "EU 2021/784 art. 2(7)(e)")
    threat = Verdict(
        False, "threaten", ground, "none", "No report, no lesson, no art.", "It threatens a town with fire."
    )
    for_threat = decide(open_, case, threat)
    new = now(says("threaten"))
    assert [one.case for one in line_up(left, new, NOON)] == [case]
    assert line_up(left, now(says(rule="other")), NOON) == []
    assert line_up(left, now(says(gate="quotation"), says("threaten", gate="quotation")), NOON) == []
    assert not speaks_again(for_threat.cases[case], new.by_case[case])
    assert not speaks_again(open_.cases[case], new.by_case[case])
    said = changed(left.cases[case], new.by_case[case], "generation 2")
    reopened = written(left, said).cases[case]
    assert (reopened.round.why, len(reopened.rounds)) == ("suggested", 2)


def test_a_person_can_bring_a_post_in_which_everything_was_held_back_and_must_say_that_it_is_public() -> None:
    con = lake((post("chan/1", 0, "chan", CALL, url="https://t.me/chan/1"), [says(gate="quotation")]))
    key = con.execute("select post_key from posts").fetchall()[0][0]
    offers = ways(con, key, Publishers())
    assert list(offers) == ["url", "text_sha256"]
    act = opened_by(offers["url"], BY, "generation 1", is_public=True)
    assert (act.by, act.suggestions) == (BY, ())
    assert written(Book(), act).cases
    with pytest.raises(Refused) as caught:
        propose(Book(), opened_by(offers["url"], BY, "generation 1", is_public=False), NOON)
    assert caught.value.code == "not_public"


def test_a_private_persons_post_can_be_brought_by_its_words_only() -> None:
    con = lake(
        (post("x/1", 0, PRIVATE, CALL, url=f"https://t.me/{PRIVATE}/1", source_kind="account"), []),
        (post("x/2", 0, PRIVATE, f"@{OTHER} hello", source_kind="account"), []),
    )
    keys = dict(con.execute("select text, post_key from posts").fetchall())
    assert list(ways(con, keys[CALL], Publishers())) == ["text_sha256"]
    with pytest.raises(Refused):
        ways(con, keys[f"@{OTHER} hello"], Publishers())
    assert ways(con, 1, Publishers()) == {}
