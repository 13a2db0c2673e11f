"""The order of the stages: read what is new, group it, find the sources, put a new generation in force.

Everything before the last line of :func:`run` can be killed: readings are whole batches, and a generation counts
only when CURRENT names it. A run over the same lake gives the same tables, whichever way the posts came in.
"""

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau import __version__
from bastau.claim_matches import match_narratives, renew_claim_matches
from bastau.curated_narratives import curated_fingerprint, match_curated, renew_curated
from bastau.engine import Engine
from bastau.factchecks.store import claims_fingerprint
from bastau.families import fingerprint as families_fingerprint
from bastau.families import make_families, read_pages, renew_families, write_families
from bastau.hashing import hash_strings
from bastau.home import Generation, Home
from bastau.lake import LAKE_TABLES, Lake, LakeFile
from bastau.matching import match_batch, open_matchers
from bastau.narratives.changes import changes
from bastau.narratives.stories import find_tellings, tell, told_by
from bastau.narratives.summary import summarise, summarise_stories, summarise_themes
from bastau.narratives.themes import (
    State as ThemeState,
)
from bastau.narratives.themes import (
    find_stories,
    gather_themes,
    restore_themes,
    theme_members,
    themes_made_by,
)
from bastau.narratives.update import State, update
from bastau.narratives.versions import versions
from bastau.reading import read_batch, read_fingerprint
from bastau.renewal import find_touched, renew_copies, renew_summaries
from bastau.schemas import NARRATIVE_CHANGES, POSTS, READINGS, TABLES
from bastau.settings import Settings
from bastau.sources.amplifiers import amplifiers, with_influence
from bastau.sources.coordination import co_shares, shares
from bastau.sources.copies import copies
from bastau.sources.firstseen import origins
from bastau.sources.groups import groups
from bastau.sources.influence import influence, spread_events
from bastau.sources.network import copy_network, renamed
from bastau.sources.wires import printed, wire_copies, wires

_log = logging.getLogger(__name__)

STATE_TABLES = ("state_texts", "state_posts")
"""What the next run needs beside the public tables of a generation."""

_TOLD_ROWS = 32_768

Progress = Callable[[str, int, int], None]
"""Called with (step, done, total); total 0 means unknown."""


@dataclass
class RunReport:
    """What a run did: posts read, tables made, seconds of each step."""

    generation: int = 0
    n_new_posts: int = 0
    n_posts: int = 0
    n_narratives: int = 0
    n_groups: int = 0
    n_renamed: int = 0
    n_new_pages: int = 0
    n_families: int = 0
    up_to_date: bool = False
    engine: str = "local"
    seconds: dict[str, float] = field(default_factory=dict)


class _Clock:
    """Measures steps for the report."""

    def __init__(self, report: RunReport, progress: Progress):
        self._report, self._progress, self._start, self._step = report, progress, time.perf_counter(), ""

    def step(self, name: str, total: int = 0) -> None:
        now = time.perf_counter()
        if self._step:
            self._report.seconds[self._step] = self._report.seconds.get(self._step, 0.0) + now - self._start
        self._start, self._step = now, name
        if name:
            self._progress(name, 0, total)


def run(
    home: Home, engine: Engine, *, progress: Progress = lambda _step, _done, _total: None, rebuild: bool = False
) -> RunReport:
    """Process what is new in the lake of ``home``; the caller holds the lock.

    Args:
        home: whose lake to process.
        engine: where the work runs; the tables are the same for each.
        progress: told of every step.
        rebuild: forget the earlier grouping and make it again; ids stay, because they follow from the posts.

    Raises:
        LakeDamaged: a stored file is torn.
        DiskFull: nothing changed; run again.
    """
    report = RunReport(engine=engine.name)
    clock = _Clock(report, progress)
    lake = home.lake
    clock.step("prepare")
    previous = home.generation()
    matchers = open_matchers(home)
    for table in ("posts", "readings", "matches"):
        lake.tidy(table)
    # What other settings, rules, lists or another release made of the posts is made again.
    if lake.drop_stale("readings", read_fingerprint(home.settings)):
        lake.drop("matches")  # they rest on the readings
    lake.drop_stale("matches", matchers.fingerprint)
    posts_batches = {b for f in lake.files("posts") for b in f.batches}

    clock.step("read")
    read = functools.partial(read_batch, lake_root=home.lake_root, settings=home.settings)
    report.n_new_posts = _map_missing(lake, "readings", read, engine, progress)
    clock.step("match")
    match = functools.partial(match_batch, lake_root=home.lake_root, matchers=matchers)
    _map_missing(lake, "matches", match, engine, progress)
    clock.step("pages")
    report.n_new_pages = read_pages(home, engine, progress)
    families_made_by = families_fingerprint(home)

    clock.step("load state")
    made_by = fingerprint(home.settings)
    usable = previous is not None and not rebuild and previous.manifest.get("made_by") == made_by
    covered = set(previous.manifest["batches"]) if previous is not None and usable else set()
    new_batches = sorted(posts_batches - covered)
    if previous is not None and usable and not new_batches and covered <= posts_batches:
        if previous.manifest.get("families_made_by") != families_made_by:
            clock.step("families")
            previous = renew_families(home, engine, previous, families_made_by)
        claims_changed = previous.manifest.get("claims_made_by", "") != claims_fingerprint(home)
        if claims_changed:
            clock.step("fact-checks")
            previous = renew_claim_matches(home, engine, previous)
        curated_changed = previous.manifest.get("curated_made_by", "") != curated_fingerprint(home)
        if curated_changed:
            clock.step("curated")
            previous = renew_curated(home, previous, functools.partial(_told, home))
        report.up_to_date = not (report.n_new_pages or claims_changed or curated_changed)
        report.generation = previous.manifest["generation"]
        report.n_families = previous.manifest.get("n_families", 0)
        report.n_posts, report.n_narratives = previous.manifest["n_posts"], previous.manifest["n_narratives"]
        report.n_groups = previous.manifest["n_groups"]
        clock.step("")
        return report
    usable = usable and covered <= posts_batches
    state = _load_state(previous) if previous is not None and usable else None
    if state is None:
        new_batches = sorted(posts_batches)
    new = _new_posts(lake, new_batches)

    clock.step("narratives")
    number = 1 + (previous.manifest["generation"] if previous is not None else 0)
    generation = home.new_generation(number)
    state = update(
        state,
        new,
        functools.partial(_folded_texts, home),
        similarity=home.settings.narratives.similarity,
        threads=home.settings.engine.threads or os.cpu_count() or 1,
    )
    del new

    clock.step("store narratives")
    generation.write("members", state.members)
    generation.write("text_pairs", state.pairs)
    generation.write("state_texts", state.texts)
    generation.write("state_posts", state.posts)
    history = _history(previous, state.members, number)
    generation.write("narrative_changes", history)
    members = state.members
    n_posts = members.num_rows
    tellings = find_tellings(members, state.posts)
    del state

    clock.step("stories")
    told = tell(
        previous.read("tellings") if previous is not None and usable else None,
        tellings,
        functools.partial(_told, home),
        threads=home.settings.engine.threads or os.cpu_count() or 1,
    )
    generation.write("tellings", told)
    clock.step("themes")
    settled = _gather_themes(home, generation, previous if usable else None, told)
    del tellings, told
    clock.step("curated")
    curated_made_by = match_curated(home, generation, previous if usable else None, functools.partial(_told, home))

    _relational(home, engine, generation, clock, members, previous if usable else None)
    n_narratives = generation.read("narratives", ["narrative_key"]).num_rows
    n_groups = generation.read("coordination", ["group_id"]).num_rows
    report.n_renamed = len(set(generation.read("renamed", ["number"]).column("number").to_pylist()))
    clock.step("fact-checks")
    claims_made_by = match_narratives(home, engine, generation, previous if usable else None)
    clock.step("families")
    families = make_families(home, engine)
    write_families(generation, families)
    report.n_families = families.families.num_rows
    clock.step("put in force")
    home.put_in_force(
        generation,
        {
            "batches": sorted(posts_batches),
            "made_by": made_by,
            "version": __version__,
            "engine": engine.name,
            "settings": asdict(home.settings),
            "n_posts": n_posts,
            "n_narratives": n_narratives,
            "n_groups": n_groups,
            "n_families": report.n_families,
            "families_made_by": families_made_by,
            "claims_made_by": claims_made_by,
            "curated_made_by": curated_made_by,
            "themes_settled": settled,
        },
    )
    clock.step("")
    report.generation, report.n_posts, report.n_narratives, report.n_groups = number, n_posts, n_narratives, n_groups
    return report


def _map_missing(lake: Lake, table: str, work: Callable[[str], int], engine: Engine, progress: Progress) -> int:
    """Call ``work`` for each stored file of posts that ``table`` lacks; return the number of posts in them."""
    made_before = lake.batches(table)
    # One entry a file: a compacted file holds several batches.
    missing = [f.batches[0] for f in lake.files("posts") if not made_before.issuperset(f.batches)]
    step = {"readings": "read", "matches": "match"}[table]
    n_done = n_posts = 0

    def count(n: int) -> None:
        nonlocal n_done, n_posts
        n_done += 1
        n_posts += n
        progress(step, n_done, len(missing))

    progress(step, 0, len(missing))
    engine.map_batches(work, missing, count)
    return n_posts


def _relational(
    home: Home,
    engine: Engine,
    generation: Generation,
    clock: _Clock,
    members_now: pa.Table,
    previous: Generation | None,
) -> None:
    settings = home.settings.sources
    sources = home.sources() | {name: generation.paths(name) for name in TABLES if generation.paths(name)}
    engine.open({name: sources[name] for name in ("posts", "readings", "members")})
    posts, readings, members = (engine.table(name) for name in ("posts", "readings", "members"))

    clock.step("summaries")
    touched = None if previous is None else find_touched(previous.read("members"), members_now)
    if previous is None or touched is None:
        generation.write("narratives", summarise(posts, readings, members, keep=engine.keep))
    else:
        generation.write("narratives", renew_summaries(engine, members_now, previous.read("narratives"), touched))
    engine.open({"narratives": generation.paths("narratives")})

    engine.open({"tellings": generation.paths("tellings")})
    stories = summarise_stories(posts, readings, members, engine.table("tellings"), keep=engine.keep)
    generation.write("stories", stories)
    engine.open({"theme_members": generation.paths("theme_members")})
    tellings = engine.table("tellings")
    themes = summarise_themes(posts, readings, members, tellings, engine.table("theme_members"), keep=engine.keep)
    generation.write("themes", themes)
    engine.open({"text_pairs": generation.paths("text_pairs")})
    changed = versions(posts, members, engine.table("text_pairs"), keep=engine.keep)
    generation.write(
        "versions", engine.collect(changed).sort_by([("narrative_key", "ascending"), ("version", "ascending")])
    )

    clock.step("copies")
    if previous is None or touched is None:
        edges = copies(posts, readings, members, keep=engine.keep, clock_error_s=settings.clock_error_s)
        generation.write("copies", engine.collect(edges))
    else:
        before = previous.read("copies")
        generation.write("copies", renew_copies(engine, before, touched, clock_error_s=settings.clock_error_s))
    engine.open({"copies": generation.paths("copies")})

    clock.step("first seen")
    narratives = engine.table("narratives")
    seen = {name: sources[name] for name in ("pages", "looks", "sightings") if sources[name]}
    engine.open(seen)
    pages, looks, sightings = (engine.table(name) if name in seen else None for name in ("pages", "looks", "sightings"))
    edges = engine.table("copies")
    first_seen = origins(
        posts, readings, members, narratives, edges, pages, looks, sightings, keep=engine.keep, settings=settings
    )
    generation.write("origins", first_seen)

    clock.step("copy network")
    prints = engine.keep(printed(posts, members, narratives, keep=engine.keep))
    found = engine.keep(wires(prints, keep=engine.keep))
    generation.write("wires", engine.collect(found))
    wired = engine.keep(wire_copies(prints, found, keep=engine.keep))
    generation.write("wire_copies", engine.collect(wired))
    network = copy_network(engine.table("copies"), wired, keep=engine.keep)
    generation.write("copy_network", engine.collect(network))

    generation.write("renamed", engine.collect(renamed(posts)))

    clock.step("influence")
    shared = engine.keep(shares(posts, readings, members, wired))
    between, of_sources = influence(engine.collect(spread_events(shared, posts, members)))
    generation.write("influence", between)
    repeated = engine.collect(amplifiers(engine.table("copies"), posts))
    generation.write("amplifiers", with_influence(repeated, of_sources))

    clock.step("coordination")
    pairs = co_shares(shared, keep=engine.keep, settings=settings)
    generation.write("coordination", groups(pairs, shared, posts, readings, members, settings=settings))
    publishers = engine.collect(posts.filter(posts.is_publisher).select("source").distinct()).column("source")
    generation.write("co_shares", _between(pairs, publishers))


def _between(pairs: pa.Table, publishers: pa.ChunkedArray) -> pa.Table:
    """Return the pairs of publishers: a p-value about private accounts is needed for a count, and is never stored."""
    known = publishers.combine_chunks()
    return pairs.filter(pc.and_(*(pc.is_in(pairs.column(end), known) for end in ("source_a", "source_b"))))


def _new_posts(lake: Lake, batches: Sequence[str]) -> pa.Table:
    """Return post_key, published_at, repost_of (from posts), text_key, bands and folded (from readings) of ``batches``."""
    wanted = set(batches)
    readings_of = {batch: file for file in lake.files("readings") for batch in file.batches}
    parts = []
    for file in lake.files("posts"):
        if wanted.isdisjoint(file.batches):
            continue
        posts = lake.read_file(file, ["post_key", "published_at", "repost_of"])
        readings = lake.read_file(readings_of[file.batches[0]], ["post_key", "text_key", "bands", "folded"])
        if not posts.column("post_key").equals(readings.column("post_key")):
            # Compaction and erasure may have put the two in different files; the keys are the same.
            readings = _rows_of(readings_of, lake, file.batches, posts.column("post_key").to_numpy())
        parts.append(
            pa.table([*posts.columns, *readings.columns[1:]], [*posts.column_names, *readings.column_names[1:]])
        )
    return pa.concat_tables(parts) if parts else _NEW_POSTS.empty_table()


_NEW_POSTS = pa.schema(
    [POSTS.field(name) for name in ("post_key", "published_at", "repost_of")]
    + [READINGS.field(name) for name in ("text_key", "bands", "folded")]
)


def _rows_of(readings_of: dict[str, LakeFile], lake: Lake, batches: Sequence[str], post_keys: np.ndarray) -> pa.Table:
    files = {readings_of[batch].path: readings_of[batch] for batch in batches}
    rows = pa.concat_tables([lake.read_file(f, ["post_key", "text_key", "bands", "folded"]) for f in files.values()])
    keys = rows.column("post_key").to_numpy()
    order = np.argsort(keys, kind="stable")
    return rows.take(pa.array(order[np.searchsorted(keys[order], post_keys)]))


def _folded_texts(home: Home, text_keys: np.ndarray) -> pa.Table:
    """Return (text_key, folded), one row for each of ``text_keys``."""
    con = home.connect()
    con.register("wanted", pa.table({"text_key": text_keys}))
    return con.sql(
        "SELECT text_key, any_value(folded) AS folded FROM readings SEMI JOIN wanted USING (text_key) GROUP BY text_key"
    ).to_arrow_table()


def _told(home: Home, post_keys: np.ndarray) -> Iterator[pa.Table]:
    """Yield what ``post_keys`` say, point to and show, in pieces (:data:`bastau.narratives.stories.Fetch`)."""
    con = home.connect()
    con.register("wanted", pa.table({"post_key": post_keys}))
    # A post is a sight of its own address: it goes with those that link to it.
    found = con.sql(
        "SELECT post_key, folded, detected_language, source, list_append(url_keys, own_url_key) AS url_keys, "
        "list_transform(media, lambda m: m.sha256) AS media "
        "FROM readings SEMI JOIN wanted USING (post_key) JOIN posts USING (post_key)"
    )
    for batch in found.to_arrow_reader(_TOLD_ROWS):
        yield pa.Table.from_batches([batch])


def _gather_themes(
    home: Home, generation: Generation, previous: Generation | None, told: pa.Table
) -> tuple[int, float]:
    """Write the themes of the stories of ``told`` (TELLINGS); return the numbers of their state."""
    stories = find_stories(told)
    before = None
    if previous is not None:
        known = find_stories(previous.read("tellings"))
        state = ThemeState(
            previous.read("state_themes"),
            previous.read("state_theme_terms"),
            *previous.manifest["themes_settled"],
        )
        before = known, restore_themes(known, previous.read("theme_members"), state)
    themes = gather_themes(
        stories,
        functools.partial(_told, home),
        before=before,
        threads=home.settings.engine.threads or os.cpu_count() or 1,
    )
    generation.write("theme_members", theme_members(stories, themes))
    generation.write("state_themes", themes.state.themes)
    generation.write("state_theme_terms", themes.state.terms)
    return themes.state.n_stories, themes.state.square


def _load_state(generation: Generation) -> State:
    return State(
        texts=generation.read("state_texts"),
        pairs=generation.read("text_pairs"),
        members=generation.read("members"),
        posts=generation.read("state_posts"),
    )


def _history(previous: Generation | None, members: pa.Table, number: int) -> pa.Table:
    if previous is None:
        return NARRATIVE_CHANGES.empty_table()
    new = changes(previous.read("members"), members, number)
    return pa.concat_tables([previous.read("narrative_changes"), new])


def fingerprint(settings: Settings) -> str:
    """Return a hash of all that the grouping depends on beside the posts."""
    parts = {
        "narratives": asdict(settings.narratives),
        "read": read_fingerprint(settings),
        "stories": told_by(),
        "themes": themes_made_by(),
    }
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=12).hexdigest()


def erase(home: Home, *, source: str | None = None, before: datetime | None = None) -> int:
    """Remove all posts of ``source``, or published before ``before``, and everything made from them.

    Returns the number of posts erased. The grouping is forgotten too; run again to make it. The caller holds the lock.
    """
    lake = home.lake

    def keep_posts(posts: pa.Table) -> pa.Array:
        if source is not None:
            return pc.invert(pc.fill_null(pc.equal(posts.column("source"), source), False))
        return pc.greater_equal(posts.column("published_at"), pa.scalar(before, POSTS.field("published_at").type))

    erased = lake.erase("posts", keep_posts)
    left = lake.read("posts", ["post_key"]).column("post_key").combine_chunks()
    for table in ("readings", "matches", "edits", "looks"):
        lake.erase(table, lambda rows: pc.is_in(rows.column("post_key"), left))
    # What was said of posts of others, too, is kept only of posts that are left: addresses may be of what was erased.
    lake.erase("sightings", lambda rows: pc.is_in(hash_strings(rows.column("post_id")), left))
    if source is not None:
        lake.erase("publishers", lambda rows: pc.not_equal(rows.column("source"), source))
        lake.erase("pages", lambda rows: pc.not_equal(rows.column("domain"), source))
        # What was read from the pages is summed over a website, so it is read again from those that are left.
        lake.drop("page_signals")
    _forget_derived(home, left)
    return erased


def compact(home: Home) -> dict[str, int]:
    """Merge the small files of all batches that a run has processed; return how many files went away, by table."""
    generation = home.generation()
    covered = set(generation.manifest["batches"]) if generation is not None else set()
    return {table: home.lake.compact(table, only=covered) for table in LAKE_TABLES}


def _forget_derived(home: Home, left: pa.Array) -> None:
    """Replace the generation by one that holds only ids: enough to resolve old ids after the next run."""
    previous = home.generation()
    if previous is None:
        return
    members = previous.read("members")
    generation = home.new_generation(previous.manifest["generation"] + 1)
    generation.write("members", members.filter(pc.is_in(members.column("post_key"), left)))
    generation.write("narrative_changes", previous.read("narrative_changes"))
    home.put_in_force(generation, {**previous.manifest, "batches": [], "made_by": "erased", "erased": True})
    home.tidy_generations(keep_previous=False)
