"""Everything that can happen to a case, one frozen record each, and how it is written in the log.

A line of the log is the record's fields with ``act`` (its name), and what the chain adds: ``n``, ``at``, ``previous``, ``hash``.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from bastau.errors import Refused
from bastau.review.subjects import Subject

DISCIPLINES = (
    "law",
    "religion",
    "social_psychology",
    "political_science",
    "sociology",
    "international_relations",
)
EXEMPTIONS = (
    "none",
    "educational",
    "journalistic",
    "artistic",
    "research",
    "counter_terrorism",
    "controversial_views",
)
"""Regulation (EU) 2021/784 art. 1(3): purposes of education, journalism, art, research, preventing or countering terrorism, and
the expression of polemic or controversial views in public debate."""
GROUNDS = ("law", "policy")


@dataclass(frozen=True)
class By:
    """Who acts: the account used, the human being behind it, and in which role. Only the first two tell people apart."""

    account: str
    person: str
    role: str


@dataclass(frozen=True)
class Suggestion:
    """What a machine says of the subject; ``score`` in [0, 1] orders the queue and decides nothing.

    Attributes:
        by: the machine: `rules`, `model`, `known` ...; its newest suggestion counts.
        act: one of :data:`bastau.schemas.ACTS`; None: it finds nothing any more.
        rule: `name@version`, empty for none.
        model: name and version, empty for none.
    """

    by: str
    act: str | None
    rule: str
    model: str
    score: float


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on: its hash, and where it is kept (`evidence:12`, `lake:<post_id>`)."""

    sha256: str
    reference: str


@dataclass(frozen=True)
class Ground:
    """Law or policy, and where it says so."""

    kind: str
    citation: str


@dataclass(frozen=True)
class Versions:
    """What the machines were made of when they suggested."""

    rule: str
    model: str
    data: str


@dataclass(frozen=True)
class Verdict:
    """What one person found.

    Attributes:
        is_accepted: the leading suggestion is right; None: there is none.
        act: act of violence found; None: none.
        ground: needed with an act.
        exemption: one of EXEMPTIONS; anything but ``none`` means that the content is left alone.
        exemption_checked: how that was checked, in words for the public; needed with an act.
        reason: why, in words for the public.
    """

    is_accepted: bool | None
    act: str | None
    ground: Ground | None
    exemption: str
    exemption_checked: str
    reason: str

    @property
    def listed_act(self) -> str | None:
        """The act to list the content for, None to leave it alone."""
        return self.act if self.exemption == "none" else None


@dataclass(frozen=True)
class Opened:
    """A case begins; ``by`` is None where a machine began it."""

    case: str
    by: By | None
    subject: Subject
    suggestions: tuple[Suggestion, ...]
    evidence: tuple[Evidence, ...]
    data_version: str


@dataclass(frozen=True)
class Suggested:
    """A machine says something else than before: the question is open again."""

    case: str
    suggestion: Suggestion
    data_version: str


@dataclass(frozen=True)
class Reopened:
    """A person asks again: ``why`` is ``renewal``, ``new_evidence`` or ``mistake``."""

    case: str
    by: By
    why: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Judged:
    """A person's verdict.

    Attributes:
        of: number of the act that last changed the question, as the person saw it.
        evidence_sha256: the evidence it rests on.
        seat: discipline, in a panel; None outside.
        second_rate: share of such verdicts that get a second opinion.
        is_sampled: this one does.
    """

    case: str
    by: By
    of: int
    verdict: Verdict
    versions: Versions
    evidence_sha256: str
    seat: str | None
    second_rate: float
    is_sampled: bool


@dataclass(frozen=True)
class Undone:
    """A person takes back a verdict (``of``) that nothing followed."""

    case: str
    by: By
    of: int


@dataclass(frozen=True)
class Convened:
    """A panel is called; its seats are fixed before anybody in it has spoken."""

    case: str
    by: By
    seats: tuple[str, ...]


@dataclass(frozen=True)
class Released:
    """A second person lets an entry out.

    Attributes:
        of: number of the verdict in force, as the person saw it.
        whole_argument: why a whole host or domain; empty for others.
        facts: facts and circumstances relied on, for the publisher and the public.
        ground_url: address of the law or policy; empty: none.
        territory: ISO 3166 codes of EU and EEA countries where subscribers are; empty: elsewhere only.
        code_sha256: hash of the appeal code.
    """

    case: str
    by: By
    of: int
    expires_at: datetime
    whole_argument: str
    facts: str
    ground_url: str
    territory: tuple[str, ...]
    code_sha256: str


@dataclass(frozen=True)
class Withdrawn:
    """A person takes a standing entry back; ``why`` is ``withdrawn`` or ``corrected``."""

    case: str
    by: By
    why: str
    reason: str


@dataclass(frozen=True)
class Appealed:
    """The publisher objects, with the code; the words are kept elsewhere, where they can be erased."""

    case: str
    code_sha256: str
    text_sha256: str


@dataclass(frozen=True)
class Answered:
    """A third person decides the appeal ``of``."""

    case: str
    by: By
    of: int
    is_overturned: bool
    reason: str


Act = Opened | Suggested | Reopened | Judged | Undone | Convened | Released | Withdrawn | Appealed | Answered
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_KINDS: dict[str, type] = {kind.__name__.lower(): kind for kind in typing.get_args(Act)}
CHAIN_KEYS = ("act", "n", "at", "previous", "hash")
OTHER_ACTS = ("stamped",)
"""Acts of the chain itself, about no case."""


def as_line(act: Act) -> dict[str, Any]:
    """Return an act as the log writes it, before the chain adds to it."""
    return {"act": type(act).__name__.lower(), **_plain(act)}


def read_line(line: Mapping[str, Any]) -> tuple[int, datetime, Act] | None:
    """Return (number, time, act) of a line of the log; None for acts about no case.

    Raises:
        Refused: ``malformed``: no act, or not exactly its fields with their types.
    """
    kind = _KINDS.get(str(line.get("act")))
    if kind is None:
        if line.get("act") in OTHER_ACTS:
            return None
        raise Refused("malformed", "no act of review")
    fields = {key: value for key, value in line.items() if key not in CHAIN_KEYS}
    act: Act = _read(kind, fields, kind.__name__.lower())
    return _read(int, line.get("n"), "n"), _read(datetime, line.get("at"), "at"), act


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


def _read(kind: Any, value: Any, name: str) -> Any:
    """Return ``value`` (from JSON) as ``kind``, exactly."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        types_ = _types(kind)
        if not isinstance(value, Mapping) or value.keys() != types_.keys():
            raise Refused("malformed", f"{name}: needs exactly {', '.join(types_)}")
        return kind(**{key: _read(types_[key], value[key], f"{name}.{key}") for key in types_})
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        inner = typing.get_args(kind)[0]
        return tuple(_read(inner, item, name) for item in value)
    if isinstance(kind, types.UnionType):
        inner = next(part for part in typing.get_args(kind) if part is not types.NoneType)
        return None if value is None else _read(inner, value, name)
    if kind in (datetime, date) and isinstance(value, str):
        return _moment(kind, value, name)
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is kind and not (kind is str and _HALF_CHARACTER.search(value)):
        return value
    raise Refused("malformed", f"{name}: must be {getattr(kind, '__name__', kind)}")


@cache
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _moment(kind: type[datetime] | type[date], text: str, name: str) -> datetime | date:
    try:
        moment = kind.fromisoformat(text)
    except ValueError:
        moment = None
    has_zone = not isinstance(moment, datetime) or moment.tzinfo is not None
    if moment is None or not has_zone or not 2000 <= moment.year < 2200:
        raise Refused("malformed", f"{name}: no {kind.__name__}")
    return moment
