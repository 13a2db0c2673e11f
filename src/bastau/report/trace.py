"""What a trace says: plain frozen records, the same for the page, the terminal and JSON.

Only publishers have names here. Private accounts are counts; the words of their posts may be quoted, without
author, address or id (SCOPE, rule 2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

from bastau.report.differences import Piece
from bastau.report.moves import Agency, Example, Influence
from bastau.report.timeline import Coverage, Timeline


@dataclass(frozen=True)
class Narrative:
    """Posts that say the same; a post that stands alone has no ``narrative_id``."""

    narrative_id: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    n_posts: int
    n_texts: int
    n_sources: int
    n_publishers: int
    languages: tuple[str, ...]
    platforms: tuple[str, ...]
    language: str
    text: str


@dataclass(frozen=True)
class Candidate:
    """A publisher among the earliest observed; ``confidence`` in [0, 1] that it all began there."""

    platform: str
    source: str
    source_name: str | None
    post_id: str
    url: str | None
    published_at: datetime
    confidence: float


@dataclass(frozen=True)
class Wanted:
    """What would show a beginning that was not observed, as ``ORIGINS.to_collect``."""

    what: str
    platform: str
    value: str | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class FirstSeen:
    """The first-seen interval [``seen_after``, ``seen_by``] and who may stand at the beginning.

    ``coverage`` in [0, 1] is that of the lead-in; None when no run has looked at it. ``unobserved`` in [0, 1] is
    the confidence left for somebody who was not observed. ``reason`` is a code of ``ORIGINS``.
    """

    seen_after: datetime | None
    seen_by: datetime
    coverage: float | None
    abstained: bool
    reason: str | None
    n_earlier_private: int
    candidates: tuple[Candidate, ...]
    unobserved: float
    to_collect: tuple[Wanted, ...] = ()


@dataclass(frozen=True)
class Post:
    """One of the earliest posts. ``version`` numbers the distinct texts from 0 in order of appearance.

    ``differences`` is against the first version in the same language; empty when this post brings no new text
    or is the first in its language. A private account's post has no source, name, id or address.
    """

    published_at: datetime
    platform: str
    source: str | None
    source_name: str | None
    post_id: str | None
    url: str | None
    language: str
    version: int
    is_first_of_version: bool
    compared_with: int | None
    text: str
    differences: tuple[Piece, ...]


@dataclass(frozen=True)
class Publisher:
    """A publisher's part in the narrative; ``n_repeated`` counts repeats of its posts by others."""

    platform: str
    source: str
    source_name: str | None
    audience: int | None
    n_posts: int
    first_at: datetime
    n_repeated: int


@dataclass(frozen=True)
class CopyKind:
    """All copies of one kind. ``n_named`` are between publishers; the rest involve private accounts."""

    kind: str
    n: int
    n_named: int
    median_delay_s: float


@dataclass(frozen=True)
class CopyEdge:
    """Copies by one publisher from another, of one kind; ``delay_s`` is the shortest."""

    from_source: str
    to_source: str
    kind: str
    n: int
    credit: float
    delay_s: float


@dataclass(frozen=True)
class SpreadPost:
    """A dot of the spread graph, on lane ``lane`` (index into lanes); ``ref`` names the stored post."""

    lane: int
    published_at: datetime
    post_id: str
    ref: str


@dataclass(frozen=True)
class SpreadEdge:
    """A line of the spread graph between two posts (indexes into posts)."""

    origin: int
    copy: int
    kind: str


@dataclass(frozen=True)
class Spread:
    """The publishers with the largest part as lanes in order of appearance, their first posts, who copied whom."""

    lanes: tuple[str, ...]
    posts: tuple[SpreadPost, ...]
    edges: tuple[SpreadEdge, ...]
    n_publishers_left_out: int


@dataclass(frozen=True)
class Delays:
    """Copies by delay: ``counts[i]`` lie in [``edges_s[i - 1]``, ``edges_s[i]``); first and last are open."""

    edges_s: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Amplifier:
    """A publisher whose posts here were repeated most: FIB index here and, if known, over all narratives.

    ``influence``: later posts here that its posts are expected to have set off; None: not estimated.
    """

    source: str
    score: int
    score_overall: int | None
    n_posts: int
    n_repeats: float
    influence: float | None


@dataclass(frozen=True)
class Window:
    """A stretch of days."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Group:
    """Publishers that moved together, at least two of which take part in this narrative; says nothing of intent."""

    group_id: str
    sources: tuple[str, ...]
    sources_here: tuple[str, ...]
    n_other_accounts: int
    p_value: float
    traces: tuple[str, ...]
    windows: tuple[Window, ...]
    n_objects: int
    n_examples_here: int
    test: str | None
    median_delay_s: float | None
    n_wire_copies: int
    examples: tuple[Example, ...]
    is_one_house: bool
    signposts: tuple[str, ...]


@dataclass(frozen=True)
class Kin:
    """Websites run by the same hands, some of which take part in this narrative (``sources_here``, as posts name them)."""

    family_id: str
    sources: tuple[str, ...]
    sources_here: tuple[str, ...]
    areas: tuple[str, ...]
    p_value: float


@dataclass(frozen=True)
class EvidencePost:
    """A publisher's post to check for oneself; ``ref`` names it as stored, whatever of ``post_id`` may be shown."""

    post_id: str
    source: str
    url: str | None
    published_at: datetime
    collected_at: datetime
    ref: str


@dataclass(frozen=True)
class ImportedFile:
    """A file that the stored posts came from."""

    file: str
    format: str
    n_posts: int
    n_rejects: int
    imported_at: datetime


@dataclass(frozen=True)
class Evidence:
    """Earliest posts of publishers with addresses, how many more there are, and the files behind the store."""

    posts: tuple[EvidencePost, ...]
    n_more: int
    n_private: int
    files: tuple[ImportedFile, ...]
    n_more_files: int


@dataclass(frozen=True)
class Mark:
    """A piece of a post's words; ``is_match`` where a rule found something."""

    text: str
    is_match: bool


@dataclass(frozen=True)
class Suggested:
    """What a rule says of posts here: an act, the gates that held it back (none: a reviewer should look), an example."""

    act: str
    rule: str
    version: int
    gates: tuple[str, ...]
    n_posts: int
    example: tuple[Mark, ...]


@dataclass(frozen=True)
class Known:
    """An entry of a list of known content that posts here equal; the same content, not the same purpose."""

    list: str
    entry: str
    signal: str
    gates: tuple[str, ...]
    n_posts: int


@dataclass(frozen=True)
class FactCheck:
    """A published fact-check about a text of the narrative, in its publisher's words; no verdict of bastau.

    ``likelihood`` in [0, 1] that it is about that text, calibrated; it says nothing of whether the text is true.
    """

    claim_id: str
    claim: str
    title: str | None
    publisher: str | None
    verdict: str | None
    url: str | None
    language: str | None
    published_at: datetime | None
    likelihood: float


@dataclass(frozen=True)
class Telling:
    """Another narrative, or a single post (no id), of the same story; ``is_reworded``: mostly the words of this one."""

    narrative_id: str | None
    n_posts: int
    first_seen_at: datetime
    language: str
    is_reworded: bool
    text: str


@dataclass(frozen=True)
class Story:
    """What tells of the same event or makes the same claim; ``others`` are those with most posts."""

    story_id: str
    n_tellings: int
    n_wordings: int
    n_posts: int
    n_publishers: int
    languages: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    others: tuple[Telling, ...]


@dataclass(frozen=True)
class Theme:
    """The theme of the story: stories that make the same claim of other events; ``text`` stands for it."""

    theme_id: str
    n_stories: int
    n_posts: int
    n_publishers: int
    languages: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    language: str
    text: str


@dataclass(frozen=True)
class Version:
    """One text of the narrative: who published it first (publishers only), and what it changed against ``made_from``."""

    version: int
    made_from: int | None
    source: str | None
    first_seen_at: datetime
    n_posts: int
    n_sources: int
    language: str
    text: str
    differences: tuple[Piece, ...]


@dataclass(frozen=True)
class Curated:
    """A narrative of the operator that this one fits, by its proposition; ``score`` in [0.5, 1]."""

    curated_id: str
    title: str
    proposition: str
    score: float


@dataclass(frozen=True)
class Unknown:
    """Something this trace does not know: a code the texts explain, with the figures it needs."""

    code: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Other:
    """Another narrative that the query may have meant; ``likeness`` in [0, 1]."""

    narrative_id: str | None
    n_posts: int
    text: str
    likeness: float


@dataclass(frozen=True)
class Trace:
    """Everything a trace says, in the order in which it is told."""

    query: str
    how: str
    likeness: float
    narrative: Narrative
    first_seen: FirstSeen
    not_known: tuple[Unknown, ...]
    coverage: Coverage
    timeline: Timeline
    spread: Spread
    copies: tuple[CopyKind, ...]
    edges: tuple[CopyEdge, ...]
    n_more_edges: int
    delays: Delays
    earliest: tuple[Post, ...]
    versions: tuple[Version, ...]
    story: Story | None
    theme: Theme | None
    curated: tuple[Curated, ...]
    publishers: tuple[Publisher, ...]
    n_more_publishers: int
    amplifiers: tuple[Amplifier, ...]
    agency: Agency | None
    influence: tuple[Influence, ...]
    groups: tuple[Group, ...]
    kin: tuple[Kin, ...]
    suggested: tuple[Suggested, ...]
    known: tuple[Known, ...]
    fact_checks: tuple[FactCheck, ...]
    evidence: Evidence
    others: tuple[Other, ...]
    min_audience: int | None
    n_posts_stored: int
    stored_until: datetime | None


def trace_json(trace: Trace) -> dict[str, Any]:
    """Return the trace as JSON values: the field names of :class:`Trace`, times in RFC 3339 with ``Z``."""
    return cast(dict[str, Any], orjson.loads(orjson.dumps(trace, option=orjson.OPT_UTC_Z)))
