"""Check texts that are in no lake: rules, known content and fact-checks, for one text or a file of them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from bastau.claim_matches import as_one, check_claims, claim_lines
from bastau.evaluate.labelled import labelled_rows
from bastau.factchecks.matcher import ClaimMatcher
from bastau.factchecks.store import claims_fingerprint, open_matcher
from bastau.matching import Matchers, matchers_stamp, open_matchers
from bastau.reading import read_stages
from bastau.schemas import MEDIA, POSTS
from bastau.settings import Settings
from bastau.stage import Stage, run_stages

if TYPE_CHECKING:
    from bastau.home import Home

BATCH_ROWS = 8192
MAX_TEXT = 1 << 20
"""Characters of one text; longer ones are refused, not cut: a cut could hide what follows."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Checker:
    """All that answers depend on, opened once; safe to use from several threads.

    Attributes:
        stages: how texts are read.
        matchers: rules and lists.
        claims: the collection of fact-checks; None: there is none.
    """

    stages: tuple[Stage, ...]
    matchers: Matchers
    claims: ClaimMatcher | None = None


def open_checker(home: "Home | None") -> Checker:
    """Return the shipped rules with the rules, lists and fact-checks of ``home``.

    Raises:
        ConfigError: a rule or a list does not load, or the settings name what cannot be used.
        LakeDamaged: a stored file is broken.
    """
    settings = home.settings if home is not None else Settings()
    matchers = open_matchers(home)
    return Checker(tuple(read_stages(settings)), matchers, open_matcher(home) if home is not None else None)


def checker_stamp(home: "Home") -> str:
    """Return what changes whenever :func:`open_checker` would give other answers; opens no list."""
    return f"{matchers_stamp(home)} {claims_fingerprint(home)}"


def check_rows(rows: list[Row], checker: Checker) -> list[Row]:
    """Return one answer for each row, in order.

    Args:
        rows: ``id``, ``text``, and optionally ``title``, ``url`` and ``media`` (list of {url, sha256, pdq}).
        checker: what they are checked by.

    Returns:
        {id, flagged, suggestions, known, claims} each. ``flagged`` says that a rule or a list found something and no gate
        held it back: a reviewer should look. It is no decision. ``claims`` is the fact-check that
        the text repeats, if one surely is about it: {claim_id, score, claim, title, publisher, verdict, url, language, published_at},
        in the publisher's words. It flags nothing.
    """
    given: dict[str, Any] = {name: [row.get(name) for row in rows] for name in ("title", "text", "url", "media")}
    given["post_key"] = range(len(rows))
    columns = [
        pa.array(given[field.name], field.type) if field.name in given else pa.nulls(len(rows), field.type)
        for field in POSTS
    ]
    posts = pa.Table.from_arrays(columns, POSTS.names)
    found = checker.matchers.run(run_stages(checker.stages, posts))
    by_key = {match["post_key"]: match for match in found.to_pylist()}
    return [_answer(row, by_key.get(key, {}), checker.claims) for key, row in enumerate(rows)]


def _answer(row: Row, match: Row, claims: ClaimMatcher | None) -> Row:
    suggestions, known = match.get("suggestions") or [], match.get("known") or []
    answer = {
        "id": row["id"],
        "flagged": any(found["gate"] is None for found in (*suggestions, *known)),
        "suggestions": suggestions,
        "known": known,
        "claims": [] if claims is None else check_claims(claims, as_one(row.get("title"), row.get("text"))),
    }
    for name in ("techniques", "model_score"):
        if match.get(name) is not None:
            answer[name] = match[name]
    return answer


def answer_lines(answer: Row, text: str) -> list[str]:
    """Return an answer in words: what was found, in which words, and what held it back."""
    lines = ["a reviewer should look at this text" if answer["flagged"] else "nothing that a reviewer must look at"]
    for one in answer["suggestions"]:
        held = f"held back: {one['gate']}" if one["gate"] else "not held back"
        lines.append(f"  {one['act']} ({one['rule']} {one['version']}), {held}")
        lines += [f"    {span['slot']}: {text[span['start'] : span['end']]}" for span in one["spans"]]
    for one in answer["known"]:
        held = f"held back: {one['gate']}" if one["gate"] else "not held back"
        lines.append(f"  known: {one['signal']} on list {one['list']}, entry {one['entry']}, {held}")
    lines += [f"  technique: {technique}" for technique in answer.get("techniques", [])]
    lines += claim_lines(answer["claims"])
    return [*lines, "This is a suggestion; people decide. `bastau rules explain` says why."]


def check_file(path: Path, checker: Checker) -> Iterator[Row]:
    """Yield one answer for each row of a CSV or NDJSON file, in order and in bounded memory.

    A row that cannot be used gives {line, error} instead.

    Raises:
        InputError: the file cannot be read at all.
    """
    rows = _file_rows(path)
    while chunk := list(itertools.islice(rows, BATCH_ROWS)):
        usable = [row for row in chunk if "error" not in row]
        answers = iter(check_rows(usable, checker))
        for row in chunk:
            yield row if "error" in row else next(answers)


def _file_rows(path: Path) -> Iterator[Row]:
    for line, row in labelled_rows(path):
        if isinstance(row, str):
            yield {"line": line, "error": row}
            continue
        text = row.get("text") or ""
        if not (text or row.get("title") or row.get("url") or row.get("media")):
            yield {"line": line, "error": "text: missing or empty; every row needs a text, title, url or media"}
        elif len(text) > MAX_TEXT:
            yield {"line": line, "error": f"text: longer than {MAX_TEXT:,} characters; split it"}
        else:
            try:
                media = _media(row.get("media") or "")
            except ValueError as error:
                yield {"line": line, "error": f"media: {error}"}
                continue
            yield {
                "id": row.get("id") or str(line),
                **{k: row.get(k) or None for k in ("title", "text", "url")},
                "media": media,
            }


def _media(text: str) -> list[dict[str, str | None]] | None:
    if not text:
        return None
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError("not valid JSON; give a list of {url, sha256, pdq}") from error
    names = [field.name for field in MEDIA]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("give a list of {url, sha256, pdq}")
    return [{name: None if item.get(name) is None else str(item[name]) for name in names} for item in items]
