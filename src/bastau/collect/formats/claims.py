"""Fact-checks: ClaimReview as JSON-LD, feeds of the Check API v2, and tables under bastau's own names.

References: https://schema.org/ClaimReview - one object, a list, a ``@graph``, a data feed, or one a line; Data Commons
fact-check feed (``DataFeed.dataFeedElement[].item[]``); Meedan Check API v2, ``app/resources/api/v2/feed_resource.rb``
(JSON:API: ``data[].attributes``).
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from bastau.collect.delimited import read_records
from bastau.collect.formats.posts import delimiter
from bastau.collect.json_items import Path, walk
from bastau.collect.reading import MAX_TEXT_BYTES, Batch, Head, Problem, Request, Row, digest, raw_table, sort_out
from bastau.collect.times import BAD, parse_times
from bastau.errors import InputError


class ClaimReviews:
    """ClaimReview JSON-LD."""

    name = "claimreview"

    def accepts(self, head: Head) -> bool:
        """Say whether JSON mentions the type near its beginning."""
        start = head.text[:65536]
        return start.lstrip()[:1] in ("{", "[") and "ClaimReview" in start and '"@type"' in start

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield claims; documents are numbered from 1 in file order."""
        yield from _in_batches(enumerate(_documents(stream), 1), lambda data: map(as_claim, reviews(data)), request)


def _documents(stream: io.BufferedReader) -> Iterator[bytes]:
    if Head.of(stream.peek()).json_line is not None:
        yield from (line for line in stream if line.strip())
        return

    def enter(path: Path) -> bool:
        lists = [step for step in path if isinstance(step, str)]
        return len(path) == 0 or (lists[-1:] in (["dataFeedElement"], ["@graph"]) and isinstance(path[-1], str))

    root: list[tuple[str, bytes]] = []
    for item in walk(stream, enter):
        if item.data is None:
            continue
        if len(item.path) == 1 and isinstance(item.path[0], str):
            root.append((item.path[0], item.data))
        else:
            yield item.data
    if root:  # a single object: its fields came one by one
        yield b"{" + b",".join(orjson.dumps(name) + b":" + data for name, data in root) + b"}"


def reviews(value: Any) -> Iterator[Row]:
    """Yield every ClaimReview object inside a JSON-LD value."""
    if isinstance(value, list):
        for part in value:
            yield from reviews(part)
    elif isinstance(value, dict):
        kinds = value.get("@type")
        if "ClaimReview" in (kinds if isinstance(kinds, list) else [kinds]):
            yield value
        for name in ("@graph", "item", "dataFeedElement", "mainEntity"):
            yield from reviews(value.get(name))


def as_claim(review: Row) -> Row | Problem:
    """Return one row of the claims table, or what is missing."""
    text = _text(review.get("claimReviewed"))
    url = _text(review.get("url"))
    if not text:
        return Problem(None, "claimReviewed", "missing_field", "every fact-check needs the claim it reviewed")
    if not (url or _text(review.get("@id"))):
        return Problem(None, "url", "missing_field", "every fact-check needs an address")
    if too_long(text):
        return Problem(None, "claimReviewed", "too_long", _TOO_LONG)
    rating = review.get("reviewRating")
    rating = rating[0] if isinstance(rating, list) and rating else rating
    rating = rating if isinstance(rating, dict) else {}
    author = review.get("author") or review.get("publisher")
    author = author[0] if isinstance(author, list) and author else author
    return {
        "claim_id": _text(review.get("@id")) or url,
        "text": text,
        "title": _text(review.get("headline")) or _text(review.get("name")),
        "publisher": _text(author.get("name")) if isinstance(author, dict) else _text(author),
        "verdict": _text(rating.get("alternateName")) or _text(rating.get("ratingValue")),
        "url": url,
        "language": _text(review.get("inLanguage")),
        "published_at": parse_moment(_text(review.get("datePublished"))),
    }


_TOO_LONG = "longer than 1 MiB, which no claim is; was a whole file put into the field?"


def too_long(text: str) -> bool:
    """Say whether ``text`` is longer than any claim or post may be."""
    return len(text) > MAX_TEXT_BYTES // 4 and len(text.encode()) > MAX_TEXT_BYTES


def _text(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def parse_moment(text: str | None) -> int | None:
    """Return microseconds since 1970 of a date or time, or None."""
    micros = parse_times(pa.array([text or ""]), dates=True)
    return None if micros[0] == BAD else int(np.int64(micros[0]))


class CheckFeed:
    """Answers of a shared feed of Meedan Check (API v2), one JSON:API document or one a line."""

    name = "check-feed"

    def accepts(self, head: Head) -> bool:
        """Say whether JSON:API attributes of a fact-check stand near the beginning."""
        start = head.text[:65536]
        return start.lstrip()[:1] == "{" and '"attributes"' in start and '"fact-check-' in start.replace("_", "-")

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield claims; items are numbered from 1 in file order."""
        yield from _in_batches(_feed_items(stream), lambda item: [as_feed_claim(item)], request)


def _feed_items(stream: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    number = 0
    if Head.of(stream.peek()).json_line is not None:  # one document a line
        for line in stream:
            items = _data_of(line)
            for item in [line] if items is None else items:
                number += 1
                yield number, item
        return
    for found in walk(stream, lambda path: len(path) == 0 or (path[-1] == "data" and len(path) == 1)):
        if found.data is not None and len(found.path) == 2 and found.path[0] == "data":
            number += 1
            yield number, found.data


def _data_of(line: bytes) -> list[bytes] | None:
    """Return the items under ``data`` of one document, None when it is broken or is one item itself."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    held = document.get("data") if isinstance(document, dict) else None
    if held is None:
        return None
    return [orjson.dumps(item) for item in (held if isinstance(held, list) else [held])]


def as_feed_claim(item: Any) -> Row | Problem:
    """Return one row of the claims table from an item of a Check feed, or what is missing."""
    given = item.get("attributes") if isinstance(item, dict) else None
    if not isinstance(given, dict):
        return Problem(None, "attributes", "missing_field", "every item of a Check feed needs attributes")
    fields = {str(name).replace("_", "-"): value for name, value in given.items()}
    text = _text(fields.get("claim")) or _text(fields.get("fact-check-title"))
    url, ident = _text(fields.get("published-article-url")), _text(item.get("id"))
    if not text:
        return Problem(None, "claim", "missing_field", "every fact-check needs the claim it reviewed")
    if not (url or ident):
        return Problem(None, "id", "missing_field", "every fact-check needs an address or an id")
    return _checked(
        {
            "claim_id": url or f"check:{ident}",
            "text": text,
            "title": _text(fields.get("fact-check-title")),
            "publisher": _text(fields.get("organization")),
            "verdict": _text(fields.get("fact-check-rating")),
            "url": url,
            "language": _text(fields.get("fact-check-language")) or _text(fields.get("language")),
            "published_at": parse_moment(_text(fields.get("fact-check-published-on"))),
        }
    )


class ClaimTable:
    """Fact-checks under the names of the claims table, as CSV or one JSON object a line.

    ``text`` is needed, and ``claim_id`` or ``url``; ``title``, ``publisher``, ``verdict``, ``language`` and ``published_at`` may be there.
    """

    name = "claims-table"

    def accepts(self, head: Head) -> bool:
        """Say whether the rows have a claim_id and a text and are no posts."""
        line = head.json_line
        if line is not None:
            return {"claim_id", "text"} <= line.keys() and "post_id" not in line
        return head.has_columns("claim_id", "text") and not head.has_columns("post_id")

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield claims."""
        head = Head.of(stream.peek())
        if head.text.lstrip()[:1] == "{":  # one object a line, however long the first one is
            lines = ((n, line) for n, line in enumerate(stream, 1) if line.strip())
            yield from _in_batches(lines, lambda row: [as_table_claim(row)], request)
            return
        for records in read_records(stream, delimiter(stream), list(_COLUMNS), request.batch_rows):
            claims: list[Row] = []
            problems = list(records.problems)
            for row in records.table.iter_rows(named=True):
                found = as_table_claim(row)
                line = row.get("line")
                sort_out(replace(found, line=line) if isinstance(found, Problem) else found, problems, claims)
            yield Batch(records.content, raw_table([]), problems, claims=claims)


_COLUMNS = ("claim_id", "text", "title", "publisher", "verdict", "url", "language", "published_at")


def as_table_claim(row: Any) -> Row | Problem:
    """Return one row of the claims table from a row under the same names, or what is wrong with it."""
    if not isinstance(row, dict):
        return Problem(None, None, "bad_json", "no JSON object")
    found = {name: _text(row.get(name)) for name in _COLUMNS}
    found["claim_id"] = found["claim_id"] or found["url"]
    if not found["text"]:
        return Problem(None, "text", "missing_field", "every fact-check needs the claim it reviewed")
    if not found["claim_id"]:
        return Problem(None, "claim_id", "missing_field", "every fact-check needs an id or an address")
    moment = parse_moment(found["published_at"])
    if found["published_at"] and moment is None:
        return Problem(
            None, "published_at", "bad_time", "no date or time; write it as 2026-05-01 or 2026-05-01T12:00:00Z"
        )
    return _checked(found | {"published_at": moment})


def _checked(claim: Row) -> Row | Problem:
    return Problem(None, "text", "too_long", _TOO_LONG) if too_long(str(claim["text"])) else claim


def _in_batches(
    items: Iterable[tuple[int, bytes]], convert: Callable[[Any], Iterable[Row | Problem]], request: Request
) -> Iterator[Batch]:
    """Yield the claims that ``convert`` finds in numbered JSON, and its problems under that number."""
    claims: list[Row] = []
    problems: list[Problem] = []
    content = b""
    for number, data in items:
        content = digest(content, data)
        try:
            found = list(convert(orjson.loads(data)))
        except orjson.JSONDecodeError:
            found = [Problem(None, None, "bad_json", "no JSON object; was it cut off?")]
        for one in found:
            sort_out(replace(one, line=number) if isinstance(one, Problem) else one, problems, claims)
        if len(claims) + len(problems) >= request.batch_rows:
            yield Batch(content, raw_table([]), problems, claims=claims)
            claims, problems, content = [], [], b""
    if content:
        yield Batch(content, raw_table([]), problems, claims=claims)


class AnyClaims:
    """Fact-checks in any of these forms: what ``bastau import --claims`` reads a file as."""

    name = "claims"

    def accepts(self, head: Head) -> bool:
        """Say no: only chosen by name."""
        return False

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield claims.

        Raises:
            InputError: the file is in none of the forms; a table needs a ``text`` and a ``claim_id`` or ``url``.
        """
        head = Head.of(stream.peek())
        for reader in (CLAIM_REVIEWS, CHECK_FEED):
            if reader.accepts(head):
                yield from reader.read(stream, request)
                return
        line = head.json_line
        names = set(line) if line is not None else {name.lower() for name in head.columns}
        if line is None and head.text.lstrip()[:1] == "{":  # the first object is longer than the head
            start = head.text[:65536]
            names = {name for name in ("text", "claim_id", "url") if f'"{name}"' in start}
        if not ("text" in names and names & {"claim_id", "url"}):
            raise InputError(
                "holds no fact-checks: give ClaimReview JSON-LD, a Check feed, or a table with claim_id (or url) and text"
            )
        yield from CLAIM_TABLE.read(stream, request)


CLAIM_REVIEWS = ClaimReviews()
CHECK_FEED = CheckFeed()
CLAIM_TABLE = ClaimTable()
ANY_CLAIMS = AnyClaims()
