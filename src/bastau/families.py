"""Website families of a home: signals of new pages, families renewed when pages or rules changed, and what is said of them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from bastau.engine import Engine
from bastau.errors import ConfigError
from bastau.home import Generation, Home
from bastau.lake import Lake
from bastau.schemas import PAGE_SIGNALS, TABLES
from bastau.settings import Families as FamilySettings
from bastau.settings import Settings
from bastau.sources.families import Families, FindPageSignals, count_signals, find_families, merge_signals, site_of
from bastau.sources.families.kinds import NOTES, kinds
from bastau.sources.families.links import Rules
from bastau.sources.families.merge import same_minutes
from bastau.tables import conform

SIGNALS_VERSION = 3
"""Raised whenever the same page gives other signals, so that stored ones are made again."""
FAMILIES_VERSION = 3
"""Raised whenever the same signals give other families."""
FAMILY_TABLES = ("families", "site_links", "site_signals")
_SLICE_ROWS = 512


def read_page_batch(batch: str, *, lake_root: str) -> int:
    """Find the signals in one stored file of pages and commit their sum; return the number of pages.

    Runs in a thread or in a Spark executor: it takes nothing but the batch id.
    """
    lake = Lake.open(lake_root)
    file = next(f for f in lake.files("pages") if batch in f.batches)
    pages = lake.read_file(file)
    stage = FindPageSignals()
    parts = []
    for start in range(0, pages.num_rows, _SLICE_ROWS):
        made = stage.run(pages.slice(start, _SLICE_ROWS))
        parts.append(made.select(["site", "url", "fetched_at", "signals"]))
    rows = count_signals(pa.concat_tables(parts)) if parts else PAGE_SIGNALS.empty_table()
    lake.commit("page_signals", file.batches[0], rows, file.day, holds=file.batches)
    return pages.num_rows


def read_pages(home: Home, engine: Engine, progress: Callable[[str, int, int], None]) -> int:
    """Find the signals of every stored page that has none yet; return how many pages were read."""
    lake = home.lake
    lake.tidy("pages")
    lake.tidy("page_signals")
    lake.drop_stale("page_signals", _lists_digest())
    made = lake.batches("page_signals")
    missing = [f.batches[0] for f in lake.files("pages") if not made.issuperset(f.batches)]
    n_done = n_pages = 0

    def count(n: int) -> None:
        nonlocal n_done, n_pages
        n_done += 1
        n_pages += n
        progress("pages", n_done, len(missing))

    if missing:
        engine.map_batches(partial(read_page_batch, lake_root=home.lake_root), missing, count)
    return n_pages


def _lists_digest() -> str:
    folder = Path(__file__).parent / "sources" / "families"
    parts = [str(SIGNALS_VERSION).encode(), *((folder / name).read_bytes() for name in ("kinds.toml", "lists.toml"))]
    return hashlib.blake2b(b"\0".join(parts), digest_size=12).hexdigest()


def fingerprint(home: Home) -> str:
    """Return a hash of all that the families depend on beside the posts."""
    batches = sorted(b for f in home.lake.files("page_signals") for b in (f.path, *f.batches))
    settings = home.settings.families
    parts = [FAMILIES_VERSION, _lists_digest(), settings.max_sites, settings.slack_days, batches]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def make_families(home: Home, engine: Engine) -> Families:
    """Return the families of all stored pages.

    The relational part (sums over batches, posts in the same minute) runs on the engine; judging pairs is global and runs in
    the driver on compact rows, as the grouping of narratives does (docs/decisions/0003-engine.md).
    """
    sources = home.sources()
    engine.open({name: sources[name] for name in ("page_signals", "posts", "readings")})
    merged = engine.collect(merge_signals(engine.table("page_signals")))
    merged = conform(merged, PAGE_SIGNALS)
    if merged.num_rows and sources["posts"] and sources["readings"]:
        found = engine.collect(same_minutes(engine.table("posts"), engine.table("readings")))
        merged = pa.concat_tables([merged, _minutes(found, merged)])
    return find_families(merged, rules_of(home.settings))


def rules_of(settings: Settings) -> Rules:
    """Return the rules that the settings ask for."""
    chosen: FamilySettings = settings.families
    return Rules(max_sites=chosen.max_sites, slack_days=chosen.slack_days)


def _minutes(found: pa.Table, merged: pa.Table) -> pa.Table:
    """Return same-minute posts as PAGE_SIGNALS, for the sites whose pages are known."""
    known = set(merged.column("source").unique().to_pylist())
    rows = pl.DataFrame(found)
    hosts = {host: site_of(host) for host in rows.get_column("host").unique()}
    rows = rows.with_columns(pl.col("host").replace_strict(hosts, default=None, return_dtype=pl.String).alias("source"))
    rows = rows.filter(pl.col("source").is_in(list(known)))
    summed = rows.group_by("source", "value").agg(
        pl.col("published_at").min().alias("seen_from"),
        pl.col("published_at").max().alias("seen_to"),
        pl.len().cast(pl.Int64).alias("n_pages"),
        pl.col("url").min().fill_null("").alias("url"),
    )
    summed = summed.with_columns(pl.lit("same_minute").alias("signal"))
    return conform(summed.select(PAGE_SIGNALS.names).to_arrow(), PAGE_SIGNALS)


def write_families(generation: Generation, made: Families) -> None:
    """Store the three tables in a generation that is being made."""
    generation.write("families", made.families)
    generation.write("site_links", made.links)
    generation.write("site_signals", made.signals)


def renew_families(home: Home, engine: Engine, previous: Generation, made_by: str) -> Generation:
    """Put a generation in force that is ``previous`` with the families made anew."""
    generation = home.next_generation(previous, without=FAMILY_TABLES)
    made = make_families(home, engine)
    write_families(generation, made)
    about = {"families_made_by": made_by, "n_families": made.families.num_rows}
    return home.put_in_force(generation, {**previous.manifest, **about})


# ---- what is said of them ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One value at one site: how often, from when to when, and an address to look at."""

    source: str
    seen_from: Any
    seen_to: Any
    n_pages: int
    url: str


@dataclass(frozen=True)
class Signal:
    """One value that sites of a family share; ``ratio`` is ln of how much likelier it is under the same hands."""

    signal: str
    value: str
    area: str
    tier: int
    ratio: float
    seen_from: Any
    seen_to: Any
    seen: tuple[Seen, ...]


@dataclass(frozen=True)
class Ignored:
    """A value that was left out, and the code of the reason."""

    signal: str
    value: str
    reason: str
    n_sources: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Near:
    """A pair that shares something and is not linked, and the code of the reason."""

    source_a: str
    source_b: str
    reason: str
    p_value: float
    signals: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Note:
    """Something left unread or out of reach at a site: a code, and on how many pages."""

    source: str
    code: str
    n_pages: int


@dataclass(frozen=True)
class Family:
    """One family with everything that a page of evidence shows."""

    family_id: str
    sources: tuple[str, ...]
    p_value: float
    areas: tuple[str, ...]
    signals: tuple[Signal, ...]
    n_links: int
    n_pairs: int


@dataclass(frozen=True)
class Dossier:
    """What is known of families, or of one website and its family; ``families`` are the first of ``n_families``."""

    asked: str | None
    families: tuple[Family, ...]
    ignored: tuple[Ignored, ...]
    near: tuple[Near, ...]
    notes: tuple[Note, ...]
    n_sites: int
    n_pages: int
    first_look: Any
    last_look: Any
    max_sites: int
    slack_days: int
    n_families: int


MOST_FAMILIES = 200
MOST_LISTED = 200


def build_dossier(home: Home, domain: str | None = None) -> Dossier:
    """Return what is known of all families, or of those that ``domain`` (host, address or site) is in.

    Raises:
        ConfigError: ``domain`` is no domain, or no page of it is stored.
    """
    tables = {name: _table(home, name) for name in FAMILY_TABLES}
    families, links, signals = (tables[name] for name in FAMILY_TABLES)
    looks = signals.filter(pl.col("signal") == "page")
    site = None
    if domain is not None:
        site = site_of(domain)
        if site is None:
            raise ConfigError(f"{domain}: not a domain; write it as news.example.kz")
        if looks.filter(pl.col("source") == site).is_empty():
            raise ConfigError(
                f"{site}: no page of this website is stored; import pages or a web archive of it, then `bastau run`"
            )
        families = families.filter(pl.col("sources").list.contains(site))
    shown = tuple(_family(row, links, signals) for row in families.head(MOST_FAMILIES).iter_rows(named=True))
    members = {source for family in shown for source in family.sources} | ({site} if site else set())
    about = signals if site is None else signals.filter(pl.col("source").is_in(list(members)))
    near = links.filter(pl.col("reason").is_not_null())
    if site is not None:
        near = near.filter((pl.col("source_a") == site) | (pl.col("source_b") == site))
    return Dossier(
        site,
        shown,
        _ignored(about, signals),
        _near(near),
        _notes(about),
        looks.get_column("source").n_unique(),
        int(looks.get_column("n_pages").sum() or 0),
        looks.get_column("seen_from").min(),
        looks.get_column("seen_to").max(),
        home.settings.families.max_sites,
        home.settings.families.slack_days,
        families.height,
    )


def _table(home: Home, name: str) -> pl.DataFrame:
    generation = home.generation()
    table = TABLES[name].empty_table()
    if generation is not None and generation.paths(name):
        table = generation.read(name)
    return pl.DataFrame(table)


def _family(row: dict[str, Any], links: pl.DataFrame, signals: pl.DataFrame) -> Family:
    inside = links.filter(pl.col("family_id") == row["family_id"])
    best: dict[tuple[str, str], float] = {}
    for shared in inside.get_column("evidence").to_list():
        for item in shared:
            key = (item["signal"], item["value"])
            best[key] = max(best.get(key, 0.0), item["log_ratio"])
    own = signals.filter(pl.col("source").is_in(row["sources"]) & (pl.col("n_sources") > 1))
    at: dict[tuple[str, str], list[Seen]] = {}
    for seen in own.sort("source").iter_rows(named=True):
        key = (seen["signal"], seen["value"])
        at.setdefault(key, []).append(
            Seen(seen["source"], seen["seen_from"], seen["seen_to"], seen["n_pages"], seen["url"])
        )
    listed = []
    for item in row["evidence"]:
        kind, key = kinds().get(item["signal"]), (item["signal"], item["value"])
        if kind is not None:
            listed.append(
                Signal(
                    *key, kind.area, kind.tier, best.get(key, 0.0), item["seen_from"], item["seen_to"],
                    tuple(at.get(key, ())),
                )
            )  # fmt: skip
    areas = sorted({area for found in inside.get_column("areas").to_list() for area in found})
    n = len(row["sources"])
    return Family(
        row["family_id"],
        tuple(row["sources"]),
        row["p_value"],
        tuple(areas),
        tuple(listed),
        inside.height,
        n * (n - 1) // 2,
    )


def _ignored(about: pl.DataFrame, signals: pl.DataFrame) -> tuple[Ignored, ...]:
    marked = about.filter(pl.col("ignored").is_not_null()).select("signal", "value", "ignored").unique()
    rows = signals.filter(pl.col("ignored").is_not_null()).join(marked, on=["signal", "value", "ignored"], how="semi")
    summed = rows.group_by("signal", "value", "ignored").agg(
        pl.col("n_sources").max(), pl.col("source").sort().head(12).alias("sources")
    )
    summed = summed.sort("n_sources", "signal", "value", descending=[True, False, False]).head(MOST_LISTED)
    return tuple(
        Ignored(r["signal"], r["value"], r["ignored"], r["n_sources"], tuple(r["sources"]))
        for r in summed.iter_rows(named=True)
    )


def _near(links: pl.DataFrame) -> tuple[Near, ...]:
    rows = links.sort("log_ratio", "source_a", "source_b", descending=[True, False, False]).head(MOST_LISTED)
    return tuple(
        Near(
            r["source_a"], r["source_b"], r["reason"], r["p_value"],
            tuple((item["signal"], item["value"]) for item in r["evidence"]),
        )
        for r in rows.iter_rows(named=True)
    )  # fmt: skip


def _notes(signals: pl.DataFrame) -> tuple[Note, ...]:
    rows = signals.filter(pl.col("signal").is_in([name for name in NOTES if name != "page"]))
    summed = rows.group_by("source", "signal").agg(pl.col("n_pages").sum()).sort("source", "signal").head(MOST_LISTED)
    return tuple(Note(r["source"], r["signal"], r["n_pages"]) for r in summed.iter_rows(named=True))
