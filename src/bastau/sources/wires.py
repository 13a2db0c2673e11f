"""Wire services: whose texts others print under their name. A copied agency text is no campaign.

Agencies are known in two ways. By a list (``texts/agencies.toml``): their own addresses, and how kk, ru and en texts name
them as their source. By structure: a publisher whose texts many others print, under its name, each at its own time.

Only the copied *text* is excused (``near_copy``), only of sites, channels and pages, and what was excused is counted:
whoever writes "Reuters" over a text of their own still moves together by links, tags and reposts, and shows in
``n_wire_copies`` of the group or in the narrative's own mark.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from bastau.sources.relations import Keep, epoch_s, small, stack

MIN_TEXTS = 3
"""Texts of one publisher that others printed, from which structure says anything."""
MIN_PRINTERS = 5
"""Publishers that printed it, and at least three of them under its name."""
MIN_NAMED = 3
MIN_NAMED_SHARE = 0.2
"""Share of the prints that name it; half of all reprints in the world name nobody."""
MIN_DELAY_S = 60
"""Median delay from which prints are no lockstep."""
MIN_SPREAD = 3.0
"""Least ratio of the ninth to the first decile of delays: editors print when they print."""
MAX_LOYALTY = 0.8
"""Largest share of (text, printer) that is taken: the same few that print everything may be one house."""
MAX_SHOWN = 64
"""Most wires known by structure whose bylines are looked for."""
MIN_NAME_CHARS = 4
HEAD_CHARS = 60
"""A text that names the agency as its own does so in its first line."""


@dataclass(frozen=True)
class Agency:
    """A news agency: shown name, its forms in texts (lower case), its own sources."""

    name: str
    names: tuple[str, ...]
    sources: tuple[str, ...]


@cache
def agencies() -> tuple[Agency, ...]:
    """Return the agencies of ``texts/agencies.toml``, in its order."""
    return tuple(
        Agency(row["name"], tuple(row["names"]), tuple(map(str.lower, row["sources"]))) for row in _read()["agency"]
    )


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(files("bastau.sources").joinpath("texts", "agencies.toml").read_text("utf-8"))


@cache
def pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Return an expression that finds a text that names one of ``names`` as where it is from; for lower case.

    It is a byline: ``(reuters)``, ``reuters:`` or ``astana, 5 march — reuters.`` at the head, a signature at the end, or a
    verb of reporting beside the name. A text that only speaks of the agency has none.
    """
    phrases = _read()["phrases"]
    before, after = (
        "|".join(sorted({re.escape(word) for row in phrases.values() for word in row[side]}))
        for side in ("before", "after")
    )
    every = _choice(names)
    spoken = [name for name in names if len(name) >= MIN_NAME_CHARS]
    forms = [rf"[(/\[]\s*{every}\s*[)/\]]", rf"[—–|©-]\s*{every}[\s.)]*$"]
    if spoken:
        name = rf"(?<!\w){_choice(spoken)}(?!\w)"
        forms += [
            rf"\A[^\n]{{0,{HEAD_CHARS}}}{name}\s*[:.—–-]",
            rf"(?<!\w)({before})[\s«\"'“]+(\w+\s){{0,3}}[«\"'“]?{name}",
            rf"{name}[»\"'”]?,?\s+({after})(?!\w)",
        ]
    return re.compile("|".join(f"({form})" for form in forms))


def agency_of(words: str) -> str | None:
    """Return the agency that a text in lower case (title, line break, body) gives as its source, the first of the list."""
    body = words.lstrip("\n")
    for agency in agencies():
        # most names are absent, which is quicker seen than a byline
        if any(name in body for name in agency.names) and pattern(agency.names).search(body):
            return agency.name
    return None


@cache
def _anybody() -> str:
    """Return a quick expression that every text with a byline fits, the same in RE2 (DuckDB) and Java (Spark)."""
    names = [name for agency in agencies() for name in agency.names]
    short = _choice([name for name in names if len(name) < MIN_NAME_CHARS])
    long = _choice([name for name in names if len(name) >= MIN_NAME_CHARS])
    return rf"{long}|[(/\[]\s*{short}\s*[)/\]]|[—–|©-]\s*{short}[\s.)]*$"


def _choice(names: Sequence[str]) -> str:
    return "(" + "|".join(re.escape(name) for name in names) + ")"


def wires(printed: ibis.ir.Table, *, keep: Keep) -> ibis.ir.Table:
    """Return the publishers whose texts others print, as WIRES: listed agencies and those that structure shows.

    Args:
        printed: as :func:`printed` returns it.
    """
    return _wires(keep(_prints(printed)))


def wire_copies(printed: ibis.ir.Table, wires: ibis.ir.Table, *, keep: Keep) -> ibis.ir.Table:
    """Return the narratives that are copied agency texts, as WIRE_COPIES.

    One is, when a wire of ``wires`` published it first, or when its publishers name an agency, listed or a wire, as their
    source: two of them do, or one in four.

    Args:
        printed: as :func:`printed` returns it.
    """
    first = printed.filter(printed.is_first).join(wires.select("source", "agency"), "source")
    begun = first.group_by("narrative_key").agg(agency=first.agency.min(), began=ibis.literal(True))
    spoken = printed.filter(printed.words.re_search(_anybody()))
    spoken = keep(stack(_credited(spoken), _bylines(printed, wires)))
    named = spoken.group_by("narrative_key").agg(agency=spoken.agency.min(), n_named=spoken.source.nunique())
    size = printed.group_by("narrative_key").agg(n_publishers=printed.source.nunique())
    either = stack(begun.select("narrative_key"), named.select("narrative_key")).distinct()
    found = either.join(size, "narrative_key")
    found = found.left_join(begun.rename(first_agency="agency"), "narrative_key").drop("narrative_key_right")
    found = found.left_join(named, "narrative_key").drop("narrative_key_right")
    n_named = found.n_named.fill_null(0)
    is_wire = found.began.fill_null(False) | (n_named >= 2) | (n_named * 4 >= found.n_publishers)
    return found.filter(is_wire & (found.n_publishers > 1)).select(
        "narrative_key",
        "n_publishers",
        agency=ibis.coalesce(found.first_agency, found.agency),
        n_named=n_named,
        is_by_wire=found.began.fill_null(False),
    )


def _credited(spoken: ibis.ir.Table) -> ibis.ir.Table:
    """Return (narrative_key, source, agency) of the texts that credit an agency; they are few, so one by one."""
    rows = spoken.select("narrative_key", "source", "words").to_pyarrow()
    agency = [agency_of(words) for words in rows.column("words").to_pylist()]
    table = rows.drop_columns("words").append_column("agency", pa.array(agency, pa.string()))
    return small(table.filter(pc.is_valid(table.column("agency"))), spoken)


def _bylines(printed: ibis.ir.Table, wires: ibis.ir.Table) -> ibis.ir.Table:
    """Return (narrative_key, source, agency) of texts that carry the name of a wire that structure shows, as a byline."""
    shown = wires.filter(~wires.is_listed).order_by([wires.n_named.desc(), "source"]).limit(MAX_SHOWN)
    names = shown.select("agency", wire="source", name=shown.shown_name)
    rows = printed.select("narrative_key", "source", "words").cross_join(names)
    rows = rows.filter(rows.source != rows.wire)
    return rows.filter(_has_byline(rows.words, rows.name)).select("narrative_key", "source", "agency")


def _has_byline(words: ibis.ir.Column, name: ibis.ir.Column) -> ibis.ir.Column:
    """Return whether texts give ``name`` as their source at the head, or in brackets anywhere; an address with it is none."""
    # a text begins with the title and a line break, or with the break alone
    head = words.substr(0, HEAD_CHARS * 5)
    byline = words.contains("(" + name + ")")
    for mark in (":", " —", " –", " -"):
        byline = byline | head.contains(name + mark)
    return byline


def printed(posts: ibis.ir.Table, members: ibis.ir.Table, narratives: ibis.ir.Table, *, keep: Keep) -> ibis.ir.Table:
    """Return each publisher's first post in each narrative of two publishers or more, with its words in lower case.

    Reposts and forwards are no prints. Columns: narrative_key, source, source_name, at, first_s, words, is_first.
    """
    several = narratives.filter(narratives.n_publishers > 1)
    several = several.select("narrative_key", "first_post_key", first_s=epoch_s(several.first_seen_at))
    own = posts.filter(posts.is_publisher & posts.repost_of.isnull() & posts.forwarded_from.isnull())
    slim = own.select("post_key", "source", at=epoch_s(own.published_at))
    rows = members.select("post_key", "narrative_key").join(several, "narrative_key").join(slim, "post_key")
    # the words come last: sorted with them, the window takes five times as long
    turn = ibis.row_number().over(ibis.window(group_by=["narrative_key", "source"], order_by=["at", "post_key"]))
    rows = rows.mutate(turn=turn)
    rows = keep(rows.filter(rows.turn == 0).drop("turn"))
    words = own.select(
        "post_key", "source_name", words=(own.title.fill_null("") + "\n" + own.text.fill_null("")).lower()
    )
    rows = rows.join(words.semi_join(rows, "post_key"), "post_key")
    return rows.select(
        "narrative_key",
        "source",
        "source_name",
        "at",
        "first_s",
        "words",
        is_first=rows.post_key == rows.first_post_key,
    )


def _prints(printed: ibis.ir.Table) -> ibis.ir.Table:
    """Return (source, narrative_key, printer, delay_s, is_named): who printed whose text, under whose name."""
    first = printed.filter(printed.is_first)
    name = first.source_name.fill_null("").lower()
    first = first.select(
        "narrative_key",
        "source",
        name=(name.length() >= MIN_NAME_CHARS).ifelse(name, first.source.lower()),
    )
    later = printed.filter(~printed.is_first)
    later = later.select("narrative_key", "words", printer="source", delay_s=later["at"] - later.first_s)
    rows = first.join(later, "narrative_key")
    rows = rows.filter(rows.source != rows.printer)
    is_named = _has_byline(rows.words, rows.name)
    return rows.select("source", "name", "narrative_key", "printer", "delay_s", is_named=is_named.ifelse(1, 0))


def _wires(prints: ibis.ir.Table) -> ibis.ir.Table:
    listed = {source: agency.name for agency in agencies() for source in agency.sources}
    # deciles by counting, so that every engine takes the same rows
    rank = ibis.row_number().over(ibis.window(group_by="source", order_by=["delay_s", "narrative_key", "printer"]))
    rows = prints.mutate(rank=rank, n=prints.count().over(ibis.window(group_by="source")))
    at = {
        name: (rows["rank"] == ((rows.n - 1) * tenths // 10)).ifelse(rows.delay_s, ibis.null("int64")).max()
        for name, tenths in (("low_s", 1), ("median_s", 5), ("high_s", 9))
    }
    naming = (rows.is_named == 1).ifelse(rows.printer, ibis.null("string"))
    found = rows.group_by("source").agg(
        shown_name=rows.name.max(),
        n_texts=rows.narrative_key.nunique(),
        n_copies=rows.count(),
        n_copiers=rows.printer.nunique(),
        n_named=rows.is_named.sum(),
        n_naming=naming.nunique(),
        **at,
    )
    agency = found.source.lower().cases(*listed.items(), else_=None)
    n = found.n_copies.cast("float64")
    shows = (
        (found.n_texts >= MIN_TEXTS)
        & (found.n_copiers >= MIN_PRINTERS)
        & (found.n_naming >= MIN_NAMED)
        & (found.n_named >= n * MIN_NAMED_SHARE)
        & (found.median_s >= MIN_DELAY_S)
        & (found.high_s >= found.low_s * MIN_SPREAD)
        & (n <= found.n_texts * found.n_copiers * MAX_LOYALTY)
    )
    found = found.mutate(listed=agency, shows=shows)
    found = found.filter(found.listed.notnull() | found.shows)
    return found.select(
        "source",
        agency=ibis.coalesce(found.listed, found.source),
        is_listed=found.listed.notnull(),
        shown_name="shown_name",
        n_texts="n_texts",
        n_copies="n_copies",
        n_copiers="n_copiers",
        n_named="n_named",
        median_delay_s=found.median_s.cast("float64"),
    )
