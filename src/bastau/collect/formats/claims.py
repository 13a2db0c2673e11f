"""Fact-checks: schema.org ClaimReview as JSON-LD - one object, a list, a ``@graph``, a data feed, or one a line.

Reference: https://schema.org/ClaimReview; Data Commons fact-check feed (``DataFeed.dataFeedElement[].item[]``).
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from bastau.collect.json_items import Path, walk
from bastau.collect.reading import Batch, Head, Problem, Request, Row, digest, raw_table, sort_out
from bastau.collect.times import BAD, parse_times


class ClaimReviews:
    """ClaimReview JSON-LD."""

    name = "claimreview"

    def accepts(self, head: Head) -> bool:
        """Say whether JSON mentions the type near its beginning."""
        start = head.text[:65536]
        return start.lstrip()[:1] in ("{", "[") and "ClaimReview" in start and '"@type"' in start

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield claims; documents are numbered from 1 in file order."""
        claims: list[Row] = []
        problems: list[Problem] = []
        content = b""
        for number, data in enumerate(_documents(stream), 1):
            content = digest(content, data)
            try:
                found = list(reviews(orjson.loads(data)))
            except orjson.JSONDecodeError:
                problems.append(Problem(number, None, "bad_json", "no JSON object; was it cut off?"))
                continue
            for review in found:
                claim = as_claim(review)
                sort_out(replace(claim, line=number) if isinstance(claim, Problem) else claim, problems, claims)
            if len(claims) + len(problems) >= request.batch_rows:
                yield Batch(content, raw_table([]), problems, claims=claims)
                claims, problems, content = [], [], b""
        if content:
            yield Batch(content, raw_table([]), problems, claims=claims)


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


def _text(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def parse_moment(text: str | None) -> int | None:
    """Return microseconds since 1970 of a date or time, or None."""
    micros = parse_times(pa.array([text or ""]), dates=True)
    return None if micros[0] == BAD else int(np.int64(micros[0]))


CLAIM_REVIEWS = ClaimReviews()
