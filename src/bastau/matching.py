"""Match stored posts against rules and lists of known content; what matched is a suggestion, never a decision.

Matches are a table of their own beside the readings: rules and lists change far more often than the way texts are read,
and a new list must not make every reading again. Only posts that matched something have a row.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from bastau.lake import Lake, LakeFile
from bastau.plugins import load, names
from bastau.schemas import KNOWN, LANGUAGE, MATCHES, POSTS, READINGS, SUGGESTIONS, TECHNIQUES
from bastau.stage import Stage, check_order, run_stages

if TYPE_CHECKING:
    from bastau.home import Home
    from bastau.read.known_index import KnownIndex
    from bastau.read.rules.documents import RuleFile

MATCH_VERSION = 1
"""Raised whenever a match stage gives other answers for the same post, rules and lists."""
READ_COLUMNS = ("folded", "urls", *LANGUAGE.names)
"""What match stages may need of a reading."""


@dataclass(frozen=True)
class Matchers:
    """The match stages in order, and a hash of everything that their answers depend on beside the posts."""

    stages: tuple[Stage, ...]
    fingerprint: str
    own: "tuple[RuleFile, ...]" = ()

    @property
    def known(self) -> "KnownIndex":
        """The lists that are matched."""
        from bastau.read.known import MatchKnown

        return next(stage.lists for stage in self.stages if isinstance(stage, MatchKnown))

    def run(self, posts: pa.Table) -> pa.Table:
        """Return rows of MATCHES for those of ``posts`` (with :data:`READ_COLUMNS`) that matched anything."""
        made = run_stages(self.stages, posts)
        found = [pc.is_valid(made.column(field.name)) for field in (*SUGGESTIONS, *TECHNIQUES, *KNOWN)]
        return self._with_stance(made.filter(functools.reduce(pc.or_, found))).select(MATCHES.names)

    def _with_stance(self, rows: pa.Table) -> pa.Table:
        """Hold back listed texts where the post around them reports, rejects or studies what it repeats.

        The same words say nothing of the purpose (docs/decisions/0012-known-content.md): news and counter-speech quote them too.
        """
        from bastau.read.rules.finding import finder

        known = rows.column("known").to_pylist()
        if not any(hit["signal"] == "text" and hit["gate"] is None for hits in known for hit in hits or ()):
            return rows
        use = finder(self.own)
        for hits, title, text in zip(
            known, *(rows.column(name).to_pylist() for name in ("title", "text")), strict=True
        ):
            repeated = [hit for hit in hits or () if hit["signal"] == "text" and hit["gate"] is None]
            if repeated:
                stance = use.stance_of(title, text)
                for hit in repeated:
                    hit["gate"] = stance
        at = rows.schema.get_field_index("known")
        return rows.set_column(at, rows.schema.field(at), pa.array(known, rows.schema.field(at).type))


def open_matchers(home: "Home | None", *, shadow: bool = False) -> Matchers:
    """Return the shipped rules with those of ``home`` and of plug-ins, and the lists of ``home``.

    Args:
        home: whose rules and lists; None: the shipped rules alone.
        shadow: also apply rules in shadow status.

    Raises:
        ConfigError: a rule or a list does not load; every problem with its file and line.
        LakeDamaged: a file of a list is broken.
    """
    from bastau.known_lists.commands import store_of
    from bastau.models.linear import ScoreModel
    from bastau.models.model_file import model_id
    from bastau.read.known import MatchKnown
    from bastau.read.known_index import KnownIndex
    from bastau.read.rules.match import MatchRules

    own = own_rules(home)
    rules = MatchRules(own, shadow)
    store = store_of(home) if home is not None else None
    known = MatchKnown(store.index() if store is not None else KnownIndex())
    linear = home.settings.models.linear if home is not None else ""
    model = None
    if home is not None and linear:
        from bastau.training import load_linear  # brings half a second of libraries that only training needs

        model = load_linear(home.folder / linear)
    stages = (rules, known, ScoreModel(model))
    check_order(stages, pa.schema([*POSTS, *(READINGS.field(name) for name in READ_COLUMNS)]))
    parts = [
        MATCH_VERSION,
        rules.fingerprint,
        store.fingerprint() if store is not None else "",
        model_id(home.folder / linear) if home is not None and linear else "",
    ]
    return Matchers(stages, hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest(), own)


def matchers_stamp(home: "Home") -> str:
    """Return what changes whenever :func:`open_matchers` would give others: lists, files of rules, the model; reads none of them."""
    from bastau.known_lists.commands import store_of

    files = sorted((home.folder / "rules").rglob("*"))
    if home.settings.models.linear:
        files.append(home.folder / home.settings.models.linear)
    stats = [(str(file), stat.st_mtime_ns, stat.st_size) for file in files if (stat := file.stat())]
    return hashlib.blake2b(repr((store_of(home).fingerprint(), stats)).encode(), digest_size=12).hexdigest()


def rule_folders(home: "Home | None") -> list[Path]:
    """Return the folders of rules that plug-ins and ``home`` have beside those that come with bastau."""
    folders = [Path(load("rules", name)()) for name in names("rules")]
    if home is not None and (home.folder / "rules").is_dir():
        folders.append(home.folder / "rules")
    return folders


def own_rules(home: "Home | None") -> "tuple[RuleFile, ...]":
    """Return the rule files of plug-ins and of ``home``, once they have passed the protected-speech suite.

    Raises:
        ConfigError: a mistake in a file, or a rule that flags protected speech: it does not load.
    """
    from bastau.read.rules.finding import finder
    from bastau.read.rules.loading import rule_files
    from bastau.read.rules.suite import read_suite, refuse_breaches, suite_folder

    own = rule_files(rule_folders(home))
    if own:
        refuse_breaches(finder(own), read_suite(suite_folder()))
    return own


def match_batch(batch: str, *, lake_root: str, matchers: Matchers) -> int:
    """Match one stored file of posts and commit the rows that matched; return the number of posts.

    Runs in a thread or in a Spark executor, after the readings of the batch were committed.
    """
    lake = Lake.open(lake_root)
    file = next(f for f in lake.files("posts") if batch in f.batches)
    posts = lake.read_file(file)
    rows = matchers.run(_with_readings(lake, file, posts))
    lake.commit("matches", file.batches[0], rows, file.day, holds=file.batches)
    return posts.num_rows


def _with_readings(lake: Lake, file: LakeFile, posts: pa.Table) -> pa.Table:
    """Return ``posts`` with READ_COLUMNS; compaction and erasure may have put the readings in other files and order."""
    readings = lake.read("readings", ["post_key", *READ_COLUMNS], file.batches)
    if not readings.column("post_key").equals(posts.column("post_key")):
        at = pc.index_in(posts.column("post_key"), readings.column("post_key").combine_chunks())
        readings = readings.take(at.combine_chunks())
    for name in READ_COLUMNS:
        posts = posts.append_column(READINGS.field(name), readings.column(name))
    return posts


def count_shadow(home: "Home") -> tuple[dict[str, Any], list[str]]:
    """Count what each rule in status shadow would flag in the stored posts, and what gates would hold back."""
    from bastau.read.rules import commands
    from bastau.read.rules.finding import finder

    lake = home.lake
    batches = (_with_readings(lake, file, lake.read_file(file)) for file in lake.files("posts"))
    return commands.count_shadow(batches, finder(own_rules(home)))
