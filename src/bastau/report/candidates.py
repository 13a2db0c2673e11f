"""What machines found in stored posts, as cases that could be opened: content, or a publisher's page. Never a person."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from heapq import merge
from operator import itemgetter
from typing import Any

import duckdb

from bastau.collect.handles import canonical
from bastau.collect.privacy import named_publishers
from bastau.errors import Refused
from bastau.hashing import format_id, parse_id
from bastau.report.queries import at, is_pseudonym, rows
from bastau.review.acts import By, Evidence, Opened, Suggested, Suggestion
from bastau.review.cases import SCORE_STEP, Case, apply, outcome
from bastau.review.log import Book
from bastau.review.queue import is_waiting, order, priority, waiting_appeal
from bastau.review.subjects import Owner, Subject, canonical_value, case_id, check_subject
from bastau.settings import Publishers

MOST = 20_000
"""Posts looked at, highest scores first."""
LAKE = "lake:"
"""Evidence that is a stored post is referred to as this and the hash that names it: a post's own id may name its author."""
_RULES = "rules"
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_FILES = ("sha256", "pdq")


@dataclass(frozen=True)
class Candidate:
    """A subject that nobody has opened a case about, as the act that would open it.

    Attributes:
        opened: by nobody yet.
        case: as if it were open.
        urgency: :func:`bastau.review.queue.priority` without the time waited.
        post_key: the latest post with it.
        n_posts: stored posts with it.
        published_at: of the latest.
        found_at: when the first was collected.
    """

    opened: Opened
    case: Case
    urgency: float
    post_key: int
    n_posts: int
    published_at: datetime
    found_at: datetime


@dataclass(frozen=True)
class Candidates:
    """Candidates by the id of their case, the most urgent first.

    Attributes:
        n_struck: posts left out since a private account's name was struck out of their words: nobody's copy has the hash of what
            is left.
        languages: of all of them.
    """

    by_case: dict[str, Candidate]
    n_struck: int
    languages: frozenset[str]


def candidates(
    con: duckdb.DuckDBPyConnection, publishers: Publishers, data_version: str, now: datetime, limit: int = MOST
) -> Candidates:
    """Return what rules and lists found and nothing held back, one candidate a subject.

    A publisher's post is judged by its address, anybody else's by the hash of its words, a file on a list by its own hash. Where the
    rules of :mod:`bastau.review.subjects` refuse the address, the words are judged. A finding that quotation, news, denial or another
    gate held back is none, as in :mod:`bastau.report.findings`; a person can still bring such a post to review.
    """
    sql = """
        with best as (
            select post_key, arg_max(s, (s.score, s.rule)) as s
            from (select post_key, unnest(suggestions) as s from matches where suggestions is not null)
            where s.gate is null group by 1),
        listed as (
            select post_key, list(distinct k.signal) as signals
            from (select post_key, unnest(known) as k from matches where known is not null)
            where k.gate is null group by 1)
        select post_key, s.act as act, s.rule as rule, s.version as version, s.score as score, coalesce(signals, []) as signals
        from best full join listed using (post_key) order by s is null, s.score desc, post_key limit ?"""
    hits = {row["post_key"]: row for row in rows(con, sql, [limit])}
    named = named_publishers(publishers)
    made: dict[str, _Growing] = {}
    n_struck = 0
    for post in _posts(con, list(hits)):
        subject = _subject(post, hits[post["post_key"]], publishers, named)
        if subject is None:
            n_struck += 1
            continue
        made.setdefault(case_id(subject), _Growing(subject)).add(post, hits[post["post_key"]])
    grown = sorted((one.finish(data_version, now) for one in made.values()), key=_place)
    languages = frozenset(tag for one in grown for tag in one.opened.subject.languages)
    return Candidates({one.case.case: one for one in grown}, n_struck, languages)


def line_up(
    book: Book, found: Candidates, now: datetime, fits: Callable[[Case], bool] = lambda case: True
) -> list[Case]:
    """Return what waits for somebody and fits: appeals by their deadline, then cases and candidates by how urgent they are.

    Candidates do not grow more urgent by waiting, as cases do: nobody has asked yet, and a large archive of old posts would stand
    before today's calls for violence. Equal ones: the newest post first. A decided case of which the rules say something else by now
    (:func:`speaks_again`) stands where its candidate would.
    """

    def is_new(key: str, one: Candidate) -> bool:
        return (key not in book.cases or speaks_again(book.cases[key], one)) and fits(one.case)

    cases = order(filter(fits, book.cases.values()), now)
    appeals = [case for case in cases if waiting_appeal(case) is not None]
    rest = ((-priority(case, now), case) for case in cases[len(appeals) :])
    new = ((-one.urgency, book.cases.get(key, one.case)) for key, one in found.by_case.items() if is_new(key, one))
    return appeals + [case for _, case in merge(rest, new, key=itemgetter(0))]


def changed(case: Case, found: Candidate, data_version: str) -> Suggested | None:
    """Return what the rules say of a case now, None if it is what they said."""
    new = next(iter(found.opened.suggestions), None)
    old = next((one for one in case.suggestions if one.by == _RULES), None)
    if new is None or (
        old is not None
        and (old.act, old.rule, old.model) == (new.act, new.rule, new.model)
        and abs(old.score - new.score) < SCORE_STEP
    ):
        return None
    return Suggested(case.case, new, data_version)


def speaks_again(case: Case, found: Candidate) -> bool:
    """Say whether the rules suggest an act for a decided case that is neither what they said nor what was decided.

    Another version of a rule that finds the same act asks nobody again.
    """
    new, decided = found.case.round.lead, outcome(case.round)
    if new is None or decided is None or is_waiting(case):
        return False
    old = next((one.act for one in case.suggestions if one.by == _RULES), None)
    return new.act not in (old, decided.listed_act)


def ways(con: duckdb.DuckDBPyConnection, post_key: int, publishers: Publishers) -> dict[str, Opened]:
    """Return how a stored post can be brought to review, by kind of subject, held back or not; nobody has said yet that it is public.

    Raises:
        Refused: ``no_words``: nothing in it has a hash that a copy elsewhere would have.
    """
    post = next(_posts(con, [post_key]), None)
    if post is None:
        return {}
    subjects = list(_subjects(post, publishers, named_publishers(publishers)))
    if not subjects:
        raise Refused("no_words", "no words or file that a copy elsewhere would share")
    sql = """
        select s.act as act, s.rule as rule, s.version as version, s.score as score
        from (select unnest(suggestions) as s from matches where post_key = ? and suggestions is not null)
        where s.gate is null order by s.score desc, s.rule limit 1"""
    best = next(iter(rows(con, sql, [post_key])), None)
    suggestions = (_suggestion(best),) if best else ()
    return {
        one.kind: Opened(case_id(one), None, replace(one, is_public=False), suggestions, (_evidence(one, post),), "")
        for one in subjects
    }


def opened_by(way: Opened, by: By, data_version: str, *, is_public: bool) -> Opened:
    """Return the act by which a person opens a case in one of the :func:`ways`."""
    subject = replace(way.subject, is_public=is_public)
    return replace(way, by=by, subject=subject, data_version=data_version)


def post_of(case: Case) -> int | None:
    """Return the stored post that the newest evidence of a case refers to, None for none."""
    references = (one.reference.removeprefix(LAKE) for one in reversed(case.evidence) if one.reference.startswith(LAKE))
    return next((key for ref in references if (key := parse_id("p", ref)) is not None), None)


@dataclass
class _Growing:
    """A candidate to which further posts with the same subject are added."""

    subject: Subject
    best: dict[str, Any] | None = None
    posts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, post: dict[str, Any], hit: dict[str, Any]) -> None:
        self.posts.append(post)
        if hit["act"] and (self.best is None or (hit["score"], hit["rule"]) > (self.best["score"], self.best["rule"])):
            self.best = hit

    def finish(self, data_version: str, now: datetime) -> Candidate:
        first = min(self.posts, key=lambda post: (post["at_us"], post["post_key"]))
        latest = max(self.posts, key=lambda post: (post["at_us"], post["post_key"]))
        tags = {tag for post in self.posts for tag in _languages(post)} if self.subject.kind not in _FILES else ()
        subject = replace(self.subject, languages=tuple(sorted(tags)), published_on=at(first["at_us"]).date())
        suggestions = (_suggestion(self.best),) if self.best else ()
        act = Opened(
            case_id(subject), None, subject, suggestions, (_evidence(subject, latest),), data_version
        )  # fmt: skip
        case = apply(None, 0, now, act)
        found_at = at(min(post["seen_us"] for post in self.posts))
        return Candidate(
            act, case, priority(case, now), latest["post_key"], len(self.posts), at(latest["at_us"]), found_at
        )


def _place(one: Candidate) -> tuple[float, float, str]:
    return -one.urgency, -one.published_at.timestamp(), one.case.case


def _suggestion(hit: dict[str, Any]) -> Suggestion:
    return Suggestion(_RULES, hit["act"], f"{hit['rule']}@{hit['version']}", "", round(min(1.0, hit["score"]), 4))


def _evidence(subject: Subject, post: dict[str, Any]) -> Evidence:
    sha256 = subject.value if subject.kind == "sha256" else post["words_sha256"]
    return Evidence(sha256, LAKE + format_id("p", post["post_key"]))


def _posts(con: duckdb.DuckDBPyConnection, post_keys: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield what of posts makes subjects; ``words`` as stored, of which a copy elsewhere has the same hash."""
    sql = """
        with wanted as (select unnest(?::bigint[]) as post_key),
        mine as (
            select *, coalesce(nullif(text, ''), title, '') as words from posts
            where post_key in (select post_key from wanted)),
        heard as (
            select platform, source, max(audience) as audience from publishers
            where source in (select source from mine where is_publisher) group by 1, 2)
        select p.post_key, p.platform, p.source, p.source_kind, p.is_publisher, p.url,
               greatest(p.audience, h.audience) as audience,
               epoch_us(p.published_at) as at_us, coalesce(epoch_us(p.collected_at), epoch_us(p.published_at)) as seen_us,
               p.words <> '' as has_words, regexp_matches(p.words, 'p~[a-z2-7]{16}') as is_struck,
               sha256(p.words) as words_sha256, p.media, coalesce(r.detected_language, 'und') as language
        from mine p left join readings r using (post_key) left join heard h using (platform, source)
        order by p.post_key"""
    yield from rows(con, sql, [list(post_keys)])


def _languages(post: dict[str, Any]) -> Iterator[str]:
    tags = (tag.split("-")[0] for tag in post["language"].split("|"))
    return (tag for tag in tags if tag != "und" and _LANGUAGE.fullmatch(tag))


def _subject(
    post: dict[str, Any], hit: dict[str, Any], publishers: Publishers, named: frozenset[tuple[str, str]]
) -> Subject | None:
    """Return what to judge of a post: a listed file if nothing else was found, else the first of its subjects."""
    offered = _subjects(post, publishers, named)
    if hit["act"] or not set(_FILES) & set(hit["signals"]):
        return next((one for one in offered if one.kind not in _FILES), None)
    kinds = {one.kind: one for one in offered}
    wanted = (*(kind for kind in _FILES if kind in hit["signals"]), "url", "text_sha256")
    return next((kinds[kind] for kind in wanted if kind in kinds), None)


def _subjects(post: dict[str, Any], publishers: Publishers, named: frozenset[tuple[str, str]]) -> Iterator[Subject]:
    """Yield what can be judged of a post: address, words, its one file."""
    languages, day = tuple(sorted(set(_languages(post)))), at(post["at_us"]).date()
    content = ("text",) if post["has_words"] else ("other",)
    if post["is_publisher"] and not is_pseudonym(post["source"]) and post["url"]:
        owner = Owner(
            post["platform"],
            post["source"],
            post["source_kind"] or "account",
            post["audience"],
            (post["platform"], canonical(post["platform"], post["source"])) in named,
            publishers.min_audience,
        )
        address = _address(post["url"], owner)
        if address is not None:
            yield Subject("url", address, True, owner, languages, content, day)
    if post["has_words"] and not post["is_struck"]:
        yield Subject("text_sha256", post["words_sha256"], True, None, languages, content, day)
    for kind in _FILES:
        hashes = {(one[kind] or "").lower() for one in post["media"] or ()} - {""}
        value = canonical_value(kind, hashes.pop()) if len(hashes) == 1 else None
        if value is not None:  # of several files nobody has said which
            yield Subject(kind, value, True, None, (), ("image",) if kind == "pdq" else ("other",), day)


@lru_cache(maxsize=100_000)
def _address(url: str, owner: Owner) -> str | None:
    """Return the canonical address of a publisher's post, None where it may not be judged."""
    address = canonical_value("url", url)
    try:
        check_subject(Subject("url", address or "", True, owner, (), ("text",), None))
    except Refused:
        return None
    return address
