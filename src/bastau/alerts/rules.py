"""`alerts.yaml` of the home folder: which findings are told, to whom, and when not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from bastau.errors import ConfigError
from bastau.report.search_form import FIELDS, asked_of

FILE = "alerts.yaml"
FOLDER = "alerts.d"
"""More rules beside the file, one file each, as the workbench adds them: what a person wrote stays as it is."""
KINDS = ("new", "grown", "coordinated", "known", "proposition", "search", "silent", "gap")
CHANNEL_KINDS = ("email", "webhook", "apprise", "feed")
_RULE = {"name", "when", "to", "min_posts", "min_sources", "languages", "platforms", "proposition", "search", "quote"}
_CHANNEL = {"kind", "to", "server", "from", "user", "password", "tls", "address", "secret", "file", "locale", "digest"}
_TLS = ("starttls", "tls", "none")
_QUIET = {"from", "to", "zone"}


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        when: ``new`` (a narrative at or above ``min_posts``), ``grown`` (it doubled since the last alert), ``coordinated`` (a new
            group), ``known`` (posts equal known content), ``proposition`` (a curated narrative was matched), ``search``
            (posts of it fit a search), ``silent`` and ``gap`` (of a watched source).
        search: a search as in its address, ``q=water&in=kk``; ``min_posts`` and ``min_sources`` are then those that fit.
        quote: send the narrative's words too; they may disturb.
    """

    name: str
    when: str
    to: Sequence[str]
    min_posts: int = 10
    min_sources: int = 2
    languages: Sequence[str] = ()
    platforms: Sequence[str] = ()
    proposition: str | None = None
    search: str | None = None
    quote: bool = False


@dataclass(frozen=True)
class Channel:
    """Where alerts go; secrets are references, ``env:NAME`` or ``file:PATH``."""

    name: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def locale(self) -> str:
        """Language of its texts."""
        return str(self.values.get("locale") or "en")

    @property
    def is_digest(self) -> bool:
        """All that waits goes out as one message."""
        return bool(self.values.get("digest"))


@dataclass(frozen=True)
class Quiet:
    """Hours in which nothing is sent; what is found then goes out after them."""

    start: time
    end: time
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        """Say whether ``now`` lies in them; they may run over midnight."""
        at = now.astimezone(self.zone).time()
        return self.start <= at < self.end if self.start <= self.end else at >= self.start or at < self.end


@dataclass(frozen=True)
class Alerts:
    """The whole file."""

    rules: Sequence[Rule]
    channels: Mapping[str, Channel]
    quiet: Quiet | None = None


class _Problems:
    """What has no sense in one file, with its lines."""

    def __init__(self, path: Path, lines: Mapping[tuple[str | int, ...], int]):
        self._path, self._lines = path, lines
        self.found: list[str] = []

    def __call__(self, place: tuple[str | int, ...], words: str) -> None:
        self.found.append(f"{self._path}, line {self._lines.get(place, 1)}: {words}")


def read_rules(path: Path) -> Alerts:
    """Read the file, and the rules of :data:`FOLDER` beside it.

    Raises:
        ConfigError: it cannot be read or says something that has no sense; all such places at once, with their lines.
    """
    raw, wrong = _read(path, ("rules", "channels", "quiet"))
    channels = _channels(raw.get("channels"), wrong)
    added = [file for file in sorted((path.parent / FOLDER).glob("*.yaml")) if not file.name.startswith(".")]
    rules = _rules(raw.get("rules"), channels, wrong, needed=not added)
    quiet = _quiet(raw.get("quiet"), wrong)
    problems = wrong.found
    for file in added:
        raw, wrong = _read(file, ("rules",))
        rules += _rules(raw.get("rules"), channels, wrong, taken={rule.name for rule in rules})
        problems += wrong.found
    if problems:
        raise ConfigError("\n".join(problems))
    return Alerts(rules, channels, quiet)


def check_rule(values: Mapping[str, Any], alerts: Alerts) -> Rule:
    """Return the rule that ``values`` say, beside those that are there.

    Raises:
        ConfigError: it has no sense, or one of this name is there already.
    """
    wrong = _Problems(Path(FOLDER), {})
    rules = _rules([values], alerts.channels, wrong, taken={rule.name for rule in alerts.rules})
    if wrong.found:
        raise ConfigError("; ".join(problem.partition(": ")[2] for problem in wrong.found))
    return rules[0]


def _read(path: Path, keys: Sequence[str]) -> tuple[dict[str, Any], _Problems]:
    try:
        text = path.read_text("utf-8")
        root, raw = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(f"{place}: not valid YAML") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}, line 1: must hold {' and '.join(keys[:2])}")
    wrong = _Problems(path, _lines(root))
    for name in raw.keys() - set(keys):
        wrong((name,), f"unknown key {name!r}; known: {', '.join(keys)}")
    return raw, wrong


def _lines(node: Any, place: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], int]:
    found = {} if node is None else {place: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found |= _lines(value, (*place, key.value))
            found[(*place, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            found |= _lines(value, (*place, n))
    return found


def _channels(raw: Any, wrong: Any) -> dict[str, Channel]:
    channels = {}
    if not isinstance(raw, dict) or not raw:
        wrong(("channels",), "channels: name at least one")
        return {}
    needs = {
        "email": ("server", "from", "to"),
        "webhook": ("address", "secret"),
        "apprise": ("address",),
        "feed": ("file",),
    }
    for name, values in raw.items():
        place = ("channels", name)
        if not isinstance(values, dict) or values.get("kind") not in CHANNEL_KINDS:
            wrong(place, f"channel {name}: kind must be one of {', '.join(CHANNEL_KINDS)}")
            continue
        for key in values.keys() - _CHANNEL:
            wrong((*place, key), f"channel {name}: unknown key {key!r}; known: {', '.join(sorted(_CHANNEL))}")
        for key in needs[values["kind"]]:
            if not values.get(key):
                wrong(place, f"channel {name}: a channel of kind {values['kind']} needs {key}")
        if values.get("tls", "starttls") not in _TLS:
            wrong((*place, "tls"), f"channel {name}: tls must be one of {', '.join(_TLS)}")
        elif values.get("tls") == "none" and values.get("user"):
            wrong((*place, "tls"), f"channel {name}: a password is not sent without tls")
        if values.get("locale", "en") not in ("kk", "ru", "en"):
            wrong((*place, "locale"), f"channel {name}: locale must be kk, ru or en")
        for key in ("secret", "password"):
            if values.get(key) and not str(values[key]).startswith(("env:", "file:")):
                wrong((*place, key), f"channel {name}: {key} is named as env:NAME or file:PATH, never written out")
        if values["kind"] == "apprise" and not str(values.get("address", "")).startswith(("env:", "file:")):
            wrong(
                (*place, "address"),
                f"channel {name}: addresses of services hold keys: name it as env:NAME or file:PATH",
            )
        channels[str(name)] = Channel(str(name), values["kind"], values)
    return channels


def _rules(
    raw: Any, channels: Mapping[str, Channel], wrong: Any, *, taken: Collection[str] = (), needed: bool = True
) -> list[Rule]:
    rules: list[Rule] = []
    if not isinstance(raw, list) or not raw:
        if needed or raw:
            wrong(("rules",), "rules: name at least one")
        return rules
    for n, values in enumerate(raw):
        place = ("rules", n)
        if not isinstance(values, dict) or not values.get("name"):
            wrong(place, "a rule needs a name")
            continue
        name = str(values["name"])
        for key in values.keys() - _RULE:
            wrong((*place, key), f"rule {name}: unknown key {key!r}; known: {', '.join(sorted(_RULE))}")
        if values.get("when") not in KINDS:
            wrong((*place, "when"), f"rule {name}: when must be one of {', '.join(KINDS)}")
        to = values.get("to") or []
        to = [to] if isinstance(to, str) else to
        for one in to:
            if one not in channels:
                wrong((*place, "to"), f"rule {name}: no channel called {one!r}")
        if not to:
            wrong(place, f"rule {name}: to names no channel")
        for key in ("min_posts", "min_sources"):
            if not isinstance(values.get(key, 1), int) or values.get(key, 1) < 1:
                wrong((*place, key), f"rule {name}: {key} must be a whole number from 1")
        if values.get("when") == "proposition" and not values.get("proposition"):
            wrong(place, f"rule {name}: proposition is missing: the id of one in narratives.yaml")
        if values.get("when") == "search" and not _is_search(values.get("search")):
            known_fields = ", ".join(FIELDS)
            wrong(
                place, f"rule {name}: search is missing: as in the address of a search, q=water&in=kk ({known_fields})"
            )
        for key in ("languages", "platforms"):
            if not _is_words(values.get(key, [])):
                wrong((*place, key), f"rule {name}: {key} is a list, as [kk, ru]")
        if name in {*taken, *(rule.name for rule in rules)}:
            wrong((*place, "name"), f"rule {name}: there are two of this name")
        known = {key: value for key, value in values.items() if key in _RULE}
        rules.append(Rule(**{**known, "name": name, "when": values.get("when"), "to": to}))
    return rules


def _is_search(raw: Any) -> bool:
    if not isinstance(raw, str):
        return False
    form = dict(parse_qsl(raw))
    return bool(form) and set(form) <= set(FIELDS) and asked_of(form, str.strip) is not None


def _is_words(raw: Any) -> bool:
    return isinstance(raw, list) and all(isinstance(word, str) for word in raw)


def _quiet(raw: Any, wrong: Any) -> Quiet | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or raw.keys() - _QUIET:
        wrong(("quiet",), "quiet takes from, to and zone")
        return None
    try:
        zone = ZoneInfo(str(raw.get("zone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        wrong(("quiet", "zone"), f"quiet: no time zone called {raw.get('zone')!r}, as Asia/Almaty")
        return None
    try:
        start, end = (time.fromisoformat(str(raw[key])) for key in ("from", "to"))
    except (KeyError, ValueError):
        wrong(("quiet",), 'quiet: write from and to as "22:00", in quotes')
        return None
    return Quiet(start, end, zone)
