"""Settings: one ``bastau.toml`` in the home folder, read once at the edge and passed down as frozen data.

Each setting's meaning is its ``doc`` metadata, from which the reference page is made (:func:`describe`).
"""

import dataclasses
import re
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bastau.errors import ConfigError


def _setting(default: Any, doc: str) -> Any:
    if isinstance(default, tuple | dict):
        return field(default_factory=lambda: default, metadata={"doc": doc})
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Publishers:
    """Who counts as a publisher; everybody else is pseudonymised before storage (SCOPE, rule 2)."""

    min_audience: int = _setting(
        5000,
        "accounts with at least this audience are publishers; unknown counts as below; 0 makes every account one "
        "(simulated or already anonymised data only; stated in every export)",
    )
    known: tuple[str, ...] = _setting(
        (), "sources that are publishers whatever their audience, as `platform:handle` or `handle`"
    )
    key_days: int = _setting(30, "pseudonym keys are replaced after this many days and the old key destroyed")


@dataclass(frozen=True)
class Lake:
    """Where posts are stored."""

    root: str = _setting("", "folder or `s3://bucket/prefix` of the Parquet lake; empty: `lake` in the home folder")
    batch_rows: int = _setting(65536, "posts per stored batch")


@dataclass(frozen=True)
class Read:
    """How texts are read."""

    language_model: str = _setting("", "file made by `bastau train language`; empty: the model that comes with bastau")


@dataclass(frozen=True)
class Narratives:
    """When posts belong together."""

    similarity: float = _setting(
        0.7, "Jaccard of character 5-gram sets from which two texts are near-duplicates, in (0, 1]"
    )
    min_chars: int = _setting(16, "folded texts with fewer letters and digits are not compared")


@dataclass(frozen=True)
class Sources:
    """First seen, copying and coordination."""

    clock_error_s: int = _setting(60, "times closer than this are not told apart, seconds")
    lead_in_hours: int = _setting(72, "hours before the first sighting in which coverage is measured")
    min_coverage: float = _setting(0.5, "with less coverage of the lead-in the origin is not named, in [0, 1]")
    min_confidence: float = _setting(
        0.78, "a first candidate less likely than this is not named, in [0, 1]; see the card of the origin model"
    )
    window_s: int = _setting(60, "two sources move together when they share an object within this many seconds")
    min_objects: int = _setting(3, "distinct objects from which a pair of sources counts (two, if of two kinds)")
    max_q: float = _setting(0.01, "false-discovery rate of pairs (Benjamini-Hochberg), in (0, 1)")


@dataclass(frozen=True)
class Families:
    """Websites run by the same hands."""

    max_sites: int = _setting(20, "a value (account, server, template) on more websites than this links none of them")
    slack_days: int = _setting(
        45, "days for which a sighting stands before and after, unless the site was looked at without it"
    )


@dataclass(frozen=True)
class Network:
    """What fetchers may reach."""

    allow_private: bool = _setting(
        False,
        "private, loopback and link-local addresses may be fetched from (lists, exchanges, watched places); plain http to them too",
    )
    contact: str = _setting(
        "",
        "address or mailbox of whoever runs this, told to every site in the user agent (`https://...` or `mailto:...`)",
    )
    proxy: str = _setting(
        "",
        "proxy for watching: `http://`, `https://` or `socks5h://` (Tor) with host and port, or `env:NAME` for a variable "
        "that holds it; names are resolved there, so it must itself refuse private networks; empty: none",
    )
    ca_file: str = _setting("", "file of certificate authorities for watching; empty: those of the system")
    parallel: int = _setting(256, "requests at once in all, when watching")
    per_site: int = _setting(1, "requests at once for one site (registrable domain), when watching")
    pause_s: float = _setting(
        1.0, "seconds between two requests to one site, when watching; robots.txt may ask for more"
    )
    per_address: int = _setting(
        8, "requests at once, and beginnings a second, for one IP address that serves many sites; 0: no limit"
    )


@dataclass(frozen=True)
class Watch:
    """Watching live places."""

    database: str = _setting(
        "",
        "`env:NAME` of a variable that holds a PostgreSQL address, where several processes share the list of sources; empty: "
        "`sources.db` in the home folder",
    )
    max_staleness_s: float = _setting(900.0, "no healthy source goes unvisited for longer, seconds")
    starts_a_second: float = _setting(200.0, "visits begun a second at most")
    store_every_s: float = _setting(30.0, "seconds between two writes to the lake")
    metrics_port: int = _setting(0, "port on 127.0.0.1 for Prometheus; 0: none")
    callback: str = _setting(
        "",
        "address of yours, as `https://watch.example.org`, that passes `/websub/` on to `bastau receive`: hubs of feeds then tell "
        "what is new; empty: feeds are only visited",
    )


@dataclass(frozen=True)
class Evidence:
    """What is preserved of what was fetched."""

    keep: str = _setting(
        "none",
        "`none`, `chosen` (websites of sources with the option `evidence`) or `all` websites; never social platforms",
    )
    keep_days: int = _setting(
        0,
        "items older than this are erased when watching begins and daily, unless the option `evidence_days` of their website says otherwise; 0: never",
    )
    authority: str = _setting("", "address of a time-stamping authority (RFC 3161)")
    authority_file: str = _setting("", "its certificates (PEM), for checking its stamps")
    calendar: str = _setting("", "address of an OpenTimestamps calendar")


@dataclass(frozen=True)
class Shield:
    """What the publisher of shield lists says of them; stands in every form."""

    name: str = _setting("shield", "name of the list; subscribers' ids are made from it, so it stays")
    publisher: str = _setting("", "who publishes it")
    appeal: str = _setting("", "address or mailbox at which whoever is listed can appeal, without an account")
    policy: str = _setting("", "address of the policy that entries are decided by")
    licence: str = _setting("", "licence of the list, as `CC0-1.0`")
    valid_hours: int = _setting(
        168, "hours for which a version may be used; export again before they are over, also when nothing changed"
    )


@dataclass(frozen=True)
class Models:
    """The operator's own models; their scores only order what rules and lists found."""

    linear: str = _setting("", "file of a model made by `bastau train model`; empty: none")
    claims: str = _setting(
        "",
        "ranker of fact-checks made by `bastau train claims`, in the home folder; empty: the one that comes with bastau",
    )
    encoder: str = _setting("", "sentence encoder that this ranker was trained with, by its name; empty: none")


@dataclass(frozen=True)
class JudgeSettings:
    """A model behind an OpenAI-compatible address that gives a second opinion (`bastau check --judge`)."""

    endpoint: str = _setting("", "base address, as `http://127.0.0.1:8080/v1`; empty: no judge")
    model: str = _setting("", "its name there")
    embedding_model: str = _setting("", "name of the model that embeds, at the same address; empty: none")
    reach: str = _setting("", "where texts may go, must be said: `loopback`, `private` or `public`")
    api_key_variable: str = _setting("", "environment variable that holds the key")
    api_key_file: str = _setting("", "or the file that holds it, readable by its owner only")
    policy: str = _setting("", "file with the policy; empty: the one that comes with bastau")
    timeout_s: int = _setting(60, "seconds for one answer")
    max_requests: int = _setting(1000, "requests of one command, tries included")
    max_tokens: int = _setting(1_000_000, "tokens of one command")
    max_seconds: int = _setting(600, "seconds of one command")
    parallel: int = _setting(2, "questions at the same time")
    cache_mb: int = _setting(256, "megabytes of answers kept in the home folder; 0 keeps none")


@dataclass(frozen=True)
class Web:
    """The workbench (`bastau serve`)."""

    database: str = _setting(
        "",
        "`env:NAME` of a variable that holds a PostgreSQL address for accounts and decisions; empty: `workbench/decisions.db` in "
        "the home folder",
    )
    origin: str = _setting(
        "",
        "address that people open, as `https://workbench.example.org`, when a proxy on this machine passes it on; with https, "
        "cookies go over https only; empty: this machine only",
    )
    second_factor: tuple[str, ...] = _setting(
        (), "roles that must sign in with a code of an app too: `analyst`, `reviewer`, `publisher`, `auditor`, `admin`"
    )
    session_hours: int = _setting(12, "hours after which one has to sign in again")
    run_every_minutes: int = _setting(15, "minutes after which `bastau up` processes what is new again")
    oidc_issuer: str = _setting(
        "",
        "address of your organisation's sign-in service (OpenID Connect), as `https://accounts.example.org`; empty: names and "
        "passwords only",
    )
    oidc_client_id: str = _setting("", "id by which the sign-in service knows bastau")
    oidc_client_secret: str = _setting(
        "", "`env:NAME` or `file:PATH` that holds the secret agreed with the sign-in service; empty: a public client"
    )


@dataclass(frozen=True)
class Review:
    """Deciding in the workbench."""

    second_law: float = _setting(
        0.1,
        "share of first verdicts that list on the ground of a law and get a blind second opinion, in [0, 1]; a team of two sets all "
        "three to 0: whoever gives a second opinion cannot release",
    )
    second_policy: float = _setting(0.2, "the same on the ground of a policy")
    second_none: float = _setting(0.05, "the same of verdicts that find nothing to list")
    grounds: tuple[str, ...] = _setting(
        (), "grounds offered with a verdict, each as `law: citation` or `policy: citation`, most used first"
    )
    translate: str = _setting(
        "",
        "`env:NAME` or `file:PATH` that holds the address of a LibreTranslate-compatible server, to which the words of a case go when "
        "a reviewer asks for it; empty: no translation",
    )
    translate_key: str = _setting("", "`env:NAME` or `file:PATH` that holds its key; empty: none")
    keep_appeal_days: int = _setting(
        365, "days after its answer for which the words of an appeal are kept; the log holds their hash only"
    )
    break_after_minutes: int = _setting(
        60, "minutes of violent content on the screen after which the pages of review suggest a break; 0: never"
    )
    most_minutes_a_day: int = _setting(
        240, "minutes of violent content on the screen after which it stays covered for the day; 0: no limit"
    )


@dataclass(frozen=True)
class EngineSettings:
    """How much of the machine to use, and where to run."""

    name: str = _setting("local", "`local` (threads, DuckDB) or `spark`")
    threads: int = _setting(0, "worker threads; 0: one per core")
    memory: str = _setting("2GB", "memory for relational steps before they spill to disk")
    spark_master: str = _setting("", "Spark master address; empty: `local-cluster[2,1,2048]`")


@dataclass(frozen=True)
class Settings:
    """All settings; each section of ``bastau.toml`` is one field."""

    publishers: Publishers = field(default_factory=Publishers)
    lake: Lake = field(default_factory=Lake)
    read: Read = field(default_factory=Read)
    narratives: Narratives = field(default_factory=Narratives)
    sources: Sources = field(default_factory=Sources)
    families: Families = field(default_factory=Families)
    network: Network = field(default_factory=Network)
    watch: Watch = field(default_factory=Watch)
    evidence: Evidence = field(default_factory=Evidence)
    shield: Shield = field(default_factory=Shield)
    models: Models = field(default_factory=Models)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    web: Web = field(default_factory=Web)
    review: Review = field(default_factory=Review)
    engine: EngineSettings = field(default_factory=EngineSettings)


_RANGES: dict[str, tuple[float, float]] = {
    "watch.max_staleness_s": (60, 86_400),
    "watch.starts_a_second": (0.1, 10_000),
    "watch.store_every_s": (0.1, 600),
    "watch.metrics_port": (0, 65_535),
    "evidence.keep_days": (0, 36_500),
    "shield.valid_hours": (1, 2160),
    "publishers.min_audience": (0, 2**62),
    "publishers.key_days": (1, 30),
    "lake.batch_rows": (1024, 1 << 20),
    "narratives.similarity": (0.5, 1.0),
    "narratives.min_chars": (5, 10_000),
    "sources.clock_error_s": (0, 86_400),
    "sources.lead_in_hours": (1, 24 * 365),
    "sources.min_coverage": (0.0, 1.0),
    "sources.min_confidence": (0.0, 1.0),
    "sources.window_s": (1, 86_400),
    "sources.min_objects": (2, 1000),
    "sources.max_q": (1e-12, 0.5),
    "families.max_sites": (2, 10_000),
    "families.slack_days": (0, 3650),
    "network.parallel": (1, 10_000),
    "network.per_site": (1, 64),
    "network.pause_s": (0.0, 3600.0),
    "network.per_address": (0, 10_000),
    "engine.threads": (0, 1024),
    "judge.timeout_s": (1, 600),
    "judge.max_requests": (1, 1_000_000),
    "judge.max_tokens": (1, 1_000_000_000),
    "judge.max_seconds": (1, 86_400),
    "judge.parallel": (1, 64),
    "judge.cache_mb": (0, 100_000),
    "web.session_hours": (1, 24 * 14),
    "web.run_every_minutes": (1, 1440),
    "review.keep_appeal_days": (1, 36_500),
    "review.second_law": (0.0, 1.0),
    "review.second_policy": (0.0, 1.0),
    "review.second_none": (0.0, 1.0),
    "review.break_after_minutes": (0, 1440),
    "review.most_minutes_a_day": (0, 1440),
}

_WRITTEN = {"review.grounds": (re.compile(r"(law|policy):\s*\S.{3,}\S"), "`law: citation` or `policy: citation`")}
"""How each entry of a list must be written."""

_CHOICES = {
    "engine.name": ("local", "spark"),
    "evidence.keep": ("none", "chosen", "all"),
    "judge.reach": ("", "loopback", "private", "public"),
}


def load_settings(path: Path) -> Settings:
    """Read settings from ``path``; a missing file gives the defaults.

    Raises:
        ConfigError: unreadable TOML, an unknown key, a wrong type or a value out of range; all of them at once.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    problems: list[str] = []
    sections: dict[str, Any] = {}
    known = {f.name: f for f in dataclasses.fields(Settings)}
    for name, values in raw.items():
        if name not in known:
            problems.append(f"unknown section [{name}]; known: {', '.join(known)}")
        elif not isinstance(values, dict):
            problems.append(f"{name} must be a section: write [{name}]")
        else:
            sections[name] = _section(typing.cast(type, known[name].type), name, values, problems)
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return Settings(**sections)


def _section(kind: type, name: str, values: dict[str, Any], problems: list[str]) -> Any:
    types_ = typing.get_type_hints(kind)
    accepted: dict[str, Any] = {}
    for key, given in values.items():
        value = given
        label = f"{name}.{key}"
        if key not in types_:
            problems.append(f"unknown setting {label}; known: {', '.join(types_)}")
            continue
        wanted = types_[key]
        if isinstance(wanted, types.GenericAlias):
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                problems.append(f"{label} must be a list of strings")
                continue
            pattern, form = _WRITTEN.get(label, (None, ""))
            if pattern is not None and (wrong := [v for v in value if not pattern.fullmatch(v)]):
                problems.append(f"{label} must be written as {form}, got {wrong[0]!r}")
                continue
            accepted[key] = tuple(value)
            continue
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            problems.append(f"{label} must be {wanted.__name__}, got {type(value).__name__}")
            continue
        low, high = _RANGES.get(label, (None, None))
        if low is not None and high is not None and not low <= value <= high:
            problems.append(f"{label} must lie in [{low:g}, {high:g}], got {value}")
            continue
        accepted[key] = value
    for label, choices in _CHOICES.items():
        where, key = label.split(".")
        if where == name and accepted.get(key, choices[0]) not in choices:
            problems.append(f"{label} must be {' or '.join(filter(None, choices))}, got {accepted[key]!r}")
    return kind(**accepted)


def describe() -> list[tuple[str, str, str, str]]:
    """Return (setting, type, default, meaning) of every setting, in order."""
    rows = []
    for section in dataclasses.fields(Settings):
        kind = typing.cast(type, section.type)
        for f in dataclasses.fields(kind):
            default = getattr(kind(), f.name)
            type_name = (
                str(f.type) if isinstance(f.type, types.GenericAlias) else getattr(f.type, "__name__", str(f.type))
            )
            rows.append((f"{section.name}.{f.name}", type_name, repr(default), f.metadata["doc"]))
    return rows
