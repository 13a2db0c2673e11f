"""Raw columns -> checked columns and rejects. Every row comes out once, in one of the two."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import polars as pl

from bastau.collect.reading import MAX_TEXT_BYTES, RAW, SCALARS, Problem
from bastau.collect.times import BAD, parse_times

PLATFORMS = (
    "web", "telegram", "mastodon", "bluesky", "vk", "youtube", "x", "facebook", "instagram", "tiktok", "other",
)  # fmt: skip
KINDS = ("outlet", "website", "channel", "page", "account")
COUNTS = ("audience", "likes", "shares", "replies", "views")
MAX_ID_BYTES = 1024
MAX_ADDRESS_BYTES = 8192
"""Longest address kept; browsers and servers give up at about 8 KiB."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""The web is not older; earlier times are zeros and errors of the exporting tool."""
LATEST_AHEAD = timedelta(days=1)
"""A clock may be wrong by a time zone, not by more."""

_SAFE = re.compile(r"[-+]?[0-9][0-9:TZ.+\- ]{0,39}")
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
_HEX64 = r"^[0-9a-f]{64}$"


@dataclass(frozen=True)
class Rejected:
    """A problem, and what may be kept of its row (JSON without words, names, handles or addresses)."""

    problem: Problem
    row: str | None


def check_rows(raw: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, list[Rejected]]:
    """Return (rows with typed columns, in order; rejected rows).

    Times become ``Datetime[us, UTC]``, counts ``Int64``; blanks around short fields go, empty strings become null.
    """
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in RAW.items() if name not in raw.columns]
    raw = raw.with_columns(missing)
    short = [name for name in SCALARS if name not in ("text", "title")]
    table = raw.with_columns(
        *(pl.col(name).str.strip_chars().replace("", None) for name in short),
        *(_none_if_blank(name) for name in ("title", "text")),
    ).with_columns(
        pl.col("platform").str.to_lowercase().replace("twitter", "x"),
        pl.col("source_kind").str.to_lowercase(),
        pl.when(pl.col("language").str.contains(_LANGUAGE)).then("language"),
    )
    counts = {name: _count(name) for name in COUNTS}
    table = table.with_columns(
        *(_time(table, name) for name in ("published_at", "collected_at")),
        *(count.alias(f"{name}_n") for name, count in counts.items()),
    )
    fault = _fault(now)
    table = table.with_columns(pl.coalesce(pl.when(test).then(i) for i, (test, *_) in enumerate(fault)).alias("fault"))
    bad = table.filter(pl.col("fault").is_not_null())
    rejected = [_rejected(fault[row["fault"]][1:], row) for row in bad.iter_rows(named=True)]
    good = table.filter(pl.col("fault").is_null()) if rejected else table
    return good.select(
        *(pl.col(f"{name}_t" if name.endswith("_at") else f"{name}_n" if name in COUNTS else name).alias(name)
          for name in RAW if name not in ("media", "collected_at")),
        pl.col("collected_at_t").fill_null(now).alias("collected_at"),
        _clean_media(),
    ), rejected  # fmt: skip


def _none_if_blank(name: str) -> pl.Expr:
    # An expensive strip only where the text is short enough to be blank.
    return pl.when(pl.col(name).str.contains(r"\S")).then(name).alias(name)


def _count(name: str) -> pl.Expr:
    # pandas writes whole numbers of a column with gaps as "12.0"
    return pl.col(name).str.strip_suffix(".0").cast(pl.Int64, strict=False)


def _time(table: pl.DataFrame, name: str) -> pl.Series:
    micros = parse_times(table.get_column(name).to_arrow())
    return pl.Series(f"{name}_t", micros).replace(BAD, None).cast(pl.Datetime("us", "UTC"))


_Fault = tuple[pl.Expr, str, str, str]


def _fault(now: datetime) -> list[_Fault]:
    """Return (test, field, reason, detail) of each thing that may be wrong, most telling first."""
    latest = now + LATEST_AHEAD
    faults: list[_Fault] = [
        (pl.col(name).is_null(), name, "missing_field", f"every post needs {name}; fill it in or map a column to it")
        for name in ("post_id", "platform", "source", "published_at")
    ]
    faults += [
        (
            ~pl.col("platform").is_in(PLATFORMS),
            "platform",
            "bad_value",
            f"platform must be one of {', '.join(PLATFORMS)}",
        ),
        (
            ~pl.col("post_id").str.contains(r"^[a-z0-9_-]+:."),
            "post_id",
            "bad_value",
            "post_id must be written platform:native-id, e.g. x:123",
        ),
        (~pl.col("source_kind").is_in(KINDS), "source_kind", "bad_value", f"source_kind must be one of {', '.join(KINDS)}"),
        (
            _has_nothing("text") & _has_nothing("title") & _has_nothing("repost_of")
            & (pl.col("media").list.len().fill_null(0) == 0) & (pl.col("links").list.len().fill_null(0) == 0),
            "text",
            "missing_field",
            "every post needs text, title, media, links or repost_of",
        ),
    ]  # fmt: skip
    for name in ("published_at", "collected_at"):
        time = pl.col(f"{name}_t")
        faults += [
            (
                pl.col(name).is_not_null() & time.is_null(),
                name,
                "bad_time",
                f"{name} must be RFC 3339 (2024-05-01T12:00:00Z), YYYY-MM-DD HH:MM (UTC), or a Unix time",
            ),
            (time < EARLIEST, name, "bad_time", f"{name} lies before 1990, when there was no web; correct it"),
            (time > latest, name, "bad_time", f"{name} lies in the future; correct it, or this machine's clock"),
        ]
    faults += [
        (
            pl.col(name).is_not_null() & (pl.col(f"{name}_n").is_null() | (pl.col(f"{name}_n") < 0)),
            name,
            "bad_number",
            f"{name} must be a whole number of at least 0, or empty",
        )
        for name in COUNTS
    ]
    limits = dict.fromkeys(("title", "text"), MAX_TEXT_BYTES)
    limits |= dict.fromkeys(
        ("post_id", "source", "source_name", "repost_of", "reply_to", "forwarded_from"), MAX_ID_BYTES
    )
    limits["url"] = MAX_ADDRESS_BYTES
    faults += [
        (pl.col(name).str.len_bytes() > limit, name, "too_long", f"{name} is longer than {limit} bytes; shorten it")
        for name, limit in limits.items()
    ]
    return faults


def _has_nothing(name: str) -> pl.Expr:
    return pl.col(name).is_null()


def _clean_media() -> pl.Expr:
    item = pl.element().struct
    hashes = [item.field(name).str.to_lowercase() for name in ("sha256", "pdq")]
    return pl.col("media").list.eval(
        pl.struct(
            item.field("url"),
            *(
                pl.when(value.str.contains(_HEX64)).then(value).alias(name)
                for name, value in zip(("sha256", "pdq"), hashes, strict=True)
            ),
        )
    )


def _rejected(fault: tuple[str, str, str], row: dict[str, Any]) -> Rejected:
    field, reason, detail = fault
    return Rejected(Problem(row["line"], field, reason, detail), scrub_row(row))


def scrub_row(row: dict[str, Any]) -> str:
    """Return a row as JSON in which every value that could name or quote somebody is only counted."""
    return orjson.dumps(
        {name: _shown(name, row.get(name)) for name in RAW if row.get(name) is not None and name != "line"}
    ).decode()


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return f"[{len(value)} items]"
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    is_word = (name == "platform" and text in PLATFORMS) or (name == "source_kind" and text in KINDS)
    is_number = name in COUNTS or name.endswith("_at")
    if is_word or (is_number and _SAFE.fullmatch(text)):
        return text
    return f"[{len(text)} characters]"


def unread(problems: Iterable[Problem]) -> list[Rejected]:
    """Return problems of rows that never became rows."""
    return [Rejected(problem, None) for problem in problems]


def to_datetimes(micros: np.ndarray) -> pl.Series:
    """Return microseconds since 1970 as times; :data:`BAD` becomes null."""
    return pl.Series(micros).replace(BAD, None).cast(pl.Datetime("us", "UTC"))
