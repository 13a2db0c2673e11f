"""Files into tables: recognise, read, check, pseudonymise. Nothing is stored here; the pipeline does that."""

import base64
import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from bastau import plugins
from bastau.collect.checking import Rejected, check_rows, scrub_row, unread
from bastau.collect.handles import with_own_host
from bastau.collect.privacy import Authors, scrub_ids, scrub_posts, scrub_records
from bastau.collect.pseudonyms import Pseudonyms
from bastau.collect.reading import Batch, Head, Problem, Reader, Request, Row, digest, raw_table
from bastau.collect.unpacking import HEAD_BYTES, Member, Opened, as_utf8, open_file
from bastau.errors import ConfigError, InputError
from bastau.hashing import hash_strings
from bastau.schemas import CLAIMS, PAGES, POSTS, REJECTS, SIGHTINGS
from bastau.settings import Settings
from bastau.tables import conform

logger = logging.getLogger(__name__)

_PAGE_FIELDS = {"html": True, "url": False, "headers": True}
_SIGHTING_FIELDS = {"url": False, "value": False}
_CLAIM_FIELDS = {"claim_id": False, "text": False, "title": False, "url": False}


@dataclass(frozen=True)
class Chunk:
    """What one stretch of a file gave.

    Attributes:
        batch: name, a hash of the input bytes and of how they were read; the same for the same bytes anywhere.
        posts: new posts, each ``post_id`` once, private authors pseudonymised.
        rejects: rows left out, with the reason.
        pages: web pages, for website families.
        claims: fact-checks.
        bytes_read: bytes of the file (packed) taken since the chunk before; they add up to its size.
        format: recognised format.
        n_repeats: rows left out because the same post with the same text came earlier in the chunk.
        notes: what the operator should know about the file, such as its encoding or what of it was left out.
    """

    batch: str
    posts: pa.Table
    rejects: pa.Table
    pages: pa.Table
    claims: pa.Table
    bytes_read: int
    format: str
    n_repeats: int = 0
    notes: tuple[str, ...] = ()


def recognise(path: Path) -> str:
    """Return the name of the format of ``path``, told by its content; of the first known member of an archive.

    Raises:
        InputError: missing, empty, damaged, or nothing known; says what was seen and what to do.
    """
    unknown: InputError | None = None
    opened = open_file(path)
    with contextlib.closing(opened.raw):
        for member in opened.members:
            try:
                return _recognise(member, mapped=False)[0].name
            except InputError as error:
                unknown = unknown or error
    raise unknown or InputError(f"{path}: holds no file to import")


def read_file(
    path: Path,
    *,
    settings: Settings,
    pseudonyms: Pseudonyms,
    now: datetime,
    mapping: Mapping[str, str] | None = None,
    format: str | None = None,
    is_publisher: Callable[[str, str], bool] | None = None,
) -> Iterator[Chunk]:
    """Yield the content of ``path`` in chunks of about ``settings.lake.batch_rows`` rows and at most 32 MiB of input.

    Args:
        now: time of the import; ``collected_at`` where a file does not say, and the end of plausible times.
        mapping: ``{bastau field: their column}`` for a foreign CSV or NDJSON; ``=value`` is a constant and
            ``{column}`` inside a value a slot to fill.
        format: name of the format, where the content does not tell it.
        is_publisher: asked with (platform, handle in lower case) about handles that the file itself does not show to
            be publishers.

    Raises:
        InputError: the file cannot be read as anything known; chunks before that stand.
        ConfigError: the mapping does not fit, or no such format.
    """
    opened = open_file(path)
    authors = Authors(settings.publishers, pseudonyms, is_publisher)
    request = Request(settings.lake.batch_rows, mapping)
    taken = 0
    unknown: list[InputError] = []
    n_known = 0
    with contextlib.closing(opened.raw):
        for member in opened.members:
            try:
                reader, stream = _recognise(member, mapped=mapping is not None, format=format)
            except InputError as error:
                if not opened.is_archive:
                    raise
                unknown.append(error)
                logger.warning("%s: not a known format, left out", member.name)
                continue
            n_known += 1
            yield from _chunks(member, reader, stream, request, authors, opened, now, taken)
            taken = opened.raw.count
    if not n_known:
        raise unknown[0] if unknown else InputError(f"{path}: holds no file to import")


def _chunks(
    member: Member,
    reader: Reader,
    stream: Any,
    request: Request,
    authors: Authors,
    opened: Opened,
    now: datetime,
    taken: int,
) -> Iterator[Chunk]:
    salt = digest(reader.name.encode(), repr(sorted((request.mapping or {}).items())).encode())
    notes = tuple(member.notes)
    with contextlib.closing(_ahead(_named(reader.read(stream, request), member.name))) as batches:
        for batch in batches:
            chunk = _chunk(batch, salt, member.name, reader.name, authors, now, opened.raw.count - taken, notes)
            taken, notes = opened.raw.count, ()
            yield chunk


def _ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Yield ``batches``, the next one being read by a thread while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def _named(batches: Iterator[Batch], file: str) -> Iterator[Batch]:
    """Yield ``batches``; an error in the middle of one says which file, also where the reader does not know it."""
    try:
        yield from batches
    except InputError as error:
        raise error if str(error).startswith(file) else InputError(f"{file}: {error}") from error


def _chunk(
    batch: Batch,
    salt: bytes,
    file: str,
    format_name: str,
    authors: Authors,
    now: datetime,
    bytes_read: int,
    notes: tuple[str, ...],
) -> Chunk:
    good, rejected = check_rows(batch.rows, now)
    posts, doubles, n_repeats = _without_doubles(scrub_posts(good, authors))
    rejected = sorted([*unread(batch.problems), *rejected, *doubles], key=lambda r: r.problem.line or 0)
    return Chunk(
        batch=base64.b32encode(digest(salt, batch.content)[:15]).decode("ascii").lower(),
        posts=conform(posts, POSTS),
        rejects=_rejects(rejected, file, now),
        pages=_pages(batch.pages, authors),
        claims=pa.Table.from_pylist(scrub_records(batch.claims, _CLAIM_FIELDS, authors), CLAIMS),
        bytes_read=bytes_read,
        format=format_name,
        n_repeats=n_repeats,
        notes=(*notes, *batch.notes),
    )


@dataclass(frozen=True)
class LiveChunk:
    """Checked and pseudonymised rows of live visits.

    Attributes:
        posts: each ``post_id`` once, in the order given.
        lines: int64, ``line`` of the row that each post came from.
        rejects: rows left out, with the reason.
        changed: post ids as stored, of what ``changes`` named.
    """

    posts: pa.Table
    lines: pa.ChunkedArray
    rejects: pa.Table
    pages: pa.Table
    sightings: pa.Table
    changed: list[str]


def read_live(
    rows: list[Row],
    pages: list[Row],
    sightings: list[Row],
    changed: Sequence[str],
    *,
    authors: Authors,
    now: datetime,
    place: str,
) -> LiveChunk:
    """Check and pseudonymise what live visits brought, as rows of files are.

    Args:
        rows: posts under the names of the Post format, each ``post_id`` once; ``line`` tells them apart.
        changed: raw ids of posts of which a place says that they are otherwise now.
        place: stands where a file's name would in rejects.
    """
    good, rejected = check_rows(raw_table(rows), now)
    posts, doubles, _ = _without_doubles(scrub_posts(good, authors))
    ids = scrub_ids(pl.Series([*(row["post_id"] for row in sightings), *changed], dtype=pl.String), authors).to_list()
    said = [
        {**row, "post_id": post_id, "said_at": _time(row.get("said_at")), "seen_at": _time(row.get("seen_at")) or now}
        for row, post_id in zip(sightings, ids[: len(sightings)], strict=True)
    ]
    return LiveChunk(
        posts=conform(posts, POSTS),
        lines=posts.column("line"),
        rejects=_rejects([*rejected, *doubles], place, now),
        pages=_pages(pages, authors),
        sightings=pa.Table.from_pylist(scrub_records(said, _SIGHTING_FIELDS, authors), SIGHTINGS),
        changed=ids[len(sightings) :],
    )


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value


def _pages(pages: list[Row], authors: Authors) -> pa.Table:
    """Return pages as they are stored; their ads.txt without comments and lines with an ``@``: those name persons, sellers
    never need them.
    """
    rows = []
    for page in pages:
        html, ads_txt = page.get("html"), page.get("ads_txt")
        whole = {"html": with_own_host(html, str(page["url"]))} if isinstance(html, str) else {}
        records = {"ads_txt": _records_of(ads_txt)} if isinstance(ads_txt, str) else {}
        rows.append(page | whole | records)
    return pa.Table.from_pylist(scrub_records(rows, _PAGE_FIELDS, authors), PAGES)


def _records_of(ads_txt: str) -> str:
    if "#" not in ads_txt and "@" not in ads_txt:
        return ads_txt
    lines = (line.split("#", 1)[0].rstrip() for line in ads_txt.splitlines())
    return "\n".join(line for line in lines if line and "@" not in line)


def content_keys(title: pl.Series, text: pl.Series) -> pl.Series:
    """Return the hash of title and text as stored, int64 (n,)."""
    joined = pl.select((title.fill_null("") + "\x1f" + text.fill_null("")).alias("content")).to_series()
    return pl.Series("content_key", hash_strings(joined.to_arrow()))


def _without_doubles(table: pl.DataFrame) -> tuple[pa.Table, list[Rejected], int]:
    """Return (posts, rejects with an id taken by another text, number of repeats): the first of each id stays."""
    table = table.with_columns(
        pl.Series("post_key", hash_strings(table.get_column("post_id").to_arrow())),
        content_keys(table.get_column("title"), table.get_column("text")),
    )
    is_first = table.get_column("post_id").is_first_distinct()
    if is_first.all():
        return table.to_arrow(), [], 0
    first = table.filter(is_first)
    later = table.filter(~is_first).join(
        first.select("post_id", pl.col("content_key").alias("first_key")),
        on="post_id",
        how="left",
        maintain_order="left",
    )
    clashes = later.filter(pl.col("content_key") != pl.col("first_key"))
    rejected = [
        Rejected(
            Problem(
                row["line"],
                "post_id",
                "duplicate_id",
                "an earlier row has the same post_id and another text; the earlier one is kept",
            ),
            scrub_row(row),
        )
        for row in clashes.iter_rows(named=True)
    ]
    return first.to_arrow(), rejected, later.height - clashes.height


def _rejects(rejected: list[Rejected], file: str, now: datetime) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "file": file,
                "line": r.problem.line,
                "field": r.problem.field,
                "reason": r.problem.reason,
                "detail": r.problem.detail,
                "row": r.row,
                "rejected_at": now,
            }
            for r in rejected
        ],
        REJECTS,
    )


# ---- recognising -------------------------------------------------------------------------------------------


@cache
def readers() -> dict[str, Reader]:
    """Return every registered reader by name, sorted; looked up once, because what is installed does not change."""
    return {name: plugins.load("formats", name) for name in plugins.names("formats")}


def _recognise(member: Member, *, mapped: bool, format: str | None = None) -> tuple[Reader, Any]:
    start = member.stream.peek(16)[:16]
    is_archive = start.startswith((b"WARC/", b"filedesc://"))
    stream = member.stream if is_archive else as_utf8(member)
    head = Head.of(stream.peek(HEAD_BYTES)[:HEAD_BYTES])
    if not head.data.strip():
        raise InputError(f"{member.name}: is empty; was the export finished?")
    if head.is_binary and not is_archive:
        raise InputError(f"{member.name}: holds binary data, no text; export it as CSV or NDJSON")
    if format is not None and format in readers():
        return readers()[format], stream
    if format is not None:
        raise ConfigError(f"no format called {format!r}; known: {', '.join(readers())}")
    if mapped:
        return readers()["mapped"], stream
    for reader in readers().values():
        if reader.accepts(head):
            return reader, stream
    raise InputError(f"{member.name}: {_seen(head)}")


def _seen(head: Head) -> str:
    known = ", ".join(readers())
    if head.json_line is not None:
        fields = ", ".join(sorted(str(name) for name in head.json_line)[:20])
        return f"JSON lines with the fields {fields}, which no known format has; say with --map which is which"
    if head.is_json_document:
        return f"a JSON document of no known format (known: {known}); write one object a line and use --map"
    if head.delimiter:
        return f"a CSV with the columns {', '.join(head.columns[:20])}, which no known format has; use --map"
    return f"neither CSV nor JSON nor a web archive (known formats: {known}); convert it to CSV or NDJSON"
