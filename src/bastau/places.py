"""Places to watch: what is at an address, lists of them, and how those that are watched are doing."""

import asyncio
import csv
import io
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from bastau.collect.addresses import social_platform
from bastau.collect.handles import canonical, names_somebody, scrub
from bastau.collect.privacy import Authors
from bastau.collect.visits import Collector, FetchFailed, Found, Row, Web
from bastau.collect.watching.store import Source, Store
from bastau.collect.watching.websub import summary
from bastau.errors import ConfigError, InputError, SourceChanged
from bastau.home import Home
from bastau.intake import known_publishers
from bastau.watching import WEBSITES, collectors, open_authors

logger = logging.getLogger(__name__)
Answer = dict[str, Any]
MAX_LIST_BYTES = 64 << 20
MAX_CELL = 1 << 17  # characters; said anew before each read: the csv module has one limit for the whole process
_OUTLINE = re.compile(r"<outline\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_PARALLEL = 16
"""Addresses of a list looked at together."""


@dataclass(frozen=True)
class Wanted:
    """An address to watch, and where it stands in a list; ``is_publisher``: known to be one, as in the starter list."""

    address: str
    collector: str | None = None
    name: str | None = None
    line: int | None = None
    is_publisher: bool = False


@dataclass(frozen=True)
class Looked:
    """What looking at an address gave: what can be watched there, or why nothing can."""

    wanted: Wanted
    found: Sequence[Found] = ()
    problem: str | None = None


def read_list(path: Path) -> list[Wanted]:
    """Read a list of addresses: OPML, CSV with a column ``address`` (and ``collector``, ``name``), or one address a line.

    Raises:
        InputError: it cannot be read, or holds no address; names the line.
    """
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise InputError(f"{path}: larger than {MAX_LIST_BYTES >> 20} MiB; that is no list of addresses")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from error
    return parse_list(text, str(path))


def parse_list(text: str, name: str) -> list[Wanted]:
    """Return the addresses of a list; see :func:`read_list`."""
    start = text.lstrip()[:1024].lower()
    if start.startswith("<") and "<opml" in start:
        wanted = _from_opml(text)
    elif "," in text.split("\n", 1)[0] or text.split("\n", 1)[0].strip().lower() == "address":
        wanted = _from_csv(text, name)
    else:
        lines = enumerate(text.splitlines(), 1)
        wanted = [
            Wanted(line.strip(), line=n) for n, line in lines if line.strip() and not line.lstrip().startswith("#")
        ]
    if not wanted:
        raise InputError(f"{name}: holds no address; write one a line, a CSV with the column address, or OPML")
    return wanted


def _from_opml(text: str) -> list[Wanted]:
    # Read by its tags and not as XML: feed readers write OPML that no XML parser takes, and bombs do nothing here.
    wanted = []
    for match in _OUTLINE.finditer(text):
        values = {name.lower(): _unescape(a or b) for name, a, b in _ATTRIBUTE.findall(match.group())}
        address = values.get("xmlurl", "")
        if address:
            line = text.count("\n", 0, match.start()) + 1
            wanted.append(Wanted(address, None, values.get("title") or values.get("text"), line))
    return wanted


def _unescape(text: str) -> str:
    import html

    return html.unescape(text).strip()


def _from_csv(text: str, name: str) -> list[Wanted]:
    csv.field_size_limit(MAX_CELL)
    try:
        return _wanted(csv.DictReader(io.StringIO(text)), name)
    except csv.Error as error:
        raise InputError(f"{name}: no table of comma-separated values ({error})") from error


def _wanted(rows: "csv.DictReader[str]", name: str) -> list[Wanted]:
    columns = [column.strip().lower() for column in rows.fieldnames or []]
    if "address" not in columns:
        raise InputError(f"{name}, line 1: a CSV of places needs the column address; it has {', '.join(columns)}")
    wanted = []
    for row in rows:
        values = {
            (key or "").strip().lower(): (value or "").strip() for key, value in row.items() if isinstance(value, str)
        }
        if values.get("address"):
            one = Wanted(values["address"], values.get("collector") or None, values.get("name") or None, rows.line_num)
            wanted.append(one)
    return wanted


def starter() -> list[Wanted]:
    """Return the starter list: public media of Kazakhstan and Central Asia, and fact-checkers."""
    text = (files("bastau.collect") / "starter.csv").read_text("utf-8")
    return [replace(one, is_publisher=True) for one in parse_list(text, "starter.csv")]


def unseen(wanted: Sequence[Wanted]) -> list[Looked]:
    """Return what the forms of addresses alone tell, without looking there; for lists that were looked at before."""
    known = collectors()
    looked = []
    for one in wanted:
        names = [one.collector] if one.collector else sorted(known)
        for name in names:
            if name not in known:
                looked.append(Looked(one, problem=f"no collector called {name}; known: {', '.join(sorted(known))}"))
                break
            address = known[name].recognises(one.address) or (one.address if one.collector else None)
            if address and name in WEBSITES and _is_somebodys(address):
                looked.append(Looked(one, problem="an account's address; leave out --unseen and name no collector"))
                break
            if address and known[name].card.has_accounts and not one.is_publisher:
                problem = f"{name} has accounts of private persons too, so its audience must be seen first: leave out --unseen"
                looked.append(Looked(one, problem=problem))
                break
            if address:
                looked.append(Looked(one, [Found(name, address, address, one.name)]))
                break
        else:
            looked.append(
                Looked(one, problem="its form tells no collector; name one (column collector), or look at it")
            )
    return looked


async def look(home: Home, wanted: Sequence[Wanted], done: Any = lambda _looked: None) -> list[Looked]:
    """Look at addresses, several together, and return what can be watched at each."""
    known = collectors()
    gate = asyncio.Semaphore(_PARALLEL)
    authors = open_authors(home, datetime.now(UTC), known_publishers(home.lake))
    async with _open_web(home) as web:

        async def one(item: Wanted) -> Looked:
            async with gate:
                looked = await _look_at(item, known, web, authors, home.settings.publishers.min_audience)
                done(looked)
                return looked

        return list(await asyncio.gather(*(one(item) for item in wanted)))


@asynccontextmanager
async def _open_web(home: Home) -> AsyncIterator[Web]:
    try:
        from bastau.collect.web.fetching import open_web
    except ImportError as error:
        raise ConfigError("watching needs more libraries: pip install 'bastau[watch]'") from error
    async with open_web(home.settings) as web:
        yield web


async def _look_at(
    wanted: Wanted, known: Mapping[str, Collector], web: Web, authors: Authors, min_audience: int
) -> Looked:
    if wanted.collector is not None and wanted.collector not in known:
        return Looked(wanted, problem=f"no collector called {wanted.collector}; known: {', '.join(sorted(known))}")
    named = [wanted.collector] if wanted.collector else []
    # Those that know the address by its form come first; then whoever looks at a page.
    by_form = named or [name for name in sorted(known) if known[name].recognises(wanted.address)]
    # Servers without Mastodon's API may have an outbox, and a profile is asked for it before it is read as a page.
    order = [*by_form, *(["activitypub"] if by_form == ["mastodon"] != named else ())] or [
        name for name in ("activitypub", "feed", "sitemap", "site", *sorted(known)) if name in known
    ]
    problems: list[str] = []
    found: list[Found] = []
    for name in dict.fromkeys(order):
        try:
            found += await known[name].find(wanted.address, web, datetime.now(UTC))
        except (FetchFailed, SourceChanged) as error:
            problems.append(str(error))
            continue
        except Exception as error:  # one address must not cost a whole list
            logger.exception("collector failed", extra={"collector": name})
            problems.append(f"the collector {name} failed ({type(error).__name__})")
            continue
        if found and name != "feed":
            break
        if found and not by_form:
            break
    kept = [one for one in found if _may_watch(one, authors, min_audience)]
    if kept:
        return Looked(wanted, [replace(one, first=[_scrubbed(row, authors) for row in one.first]) for one in kept])
    if found:
        return Looked(
            wanted,
            problem=f"a private person's account (fewer than {min_audience} followers, or unknown): not "
            "watched; if it is a publisher, name it in [publishers] known",
        )
    return Looked(wanted, problem="; ".join(dict.fromkeys(problems)) or "nothing there that any collector knows")


def _may_watch(found: Found, authors: Authors, min_audience: int) -> bool:
    """Say whether a place is a publisher's: its address is kept as it is, which a private person's must not be (SCOPE, rule 2)."""
    if authors.everyone or (found.audience or 0) >= min_audience:
        return True
    if found.source_kind == "account":
        platform = str(found.first[0]["platform"]) if found.first else found.collector
        return authors.is_named(platform, canonical(platform, found.source))
    return found.collector not in WEBSITES or not _is_somebodys(found.address)


def _is_somebodys(address: str) -> bool:
    return names_somebody(address) or social_platform(address) is not None


def _scrubbed(row: Row, authors: Authors) -> Row:
    """Return what is shown of a first post, without private persons' handles."""
    platform = str(row.get("platform") or "web")
    words = {name: scrub(str(row[name]), platform, authors.replace) for name in ("title", "text") if row.get(name)}
    return {"published_at": row.get("published_at"), "platform": platform, **words}


def told(chosen: Sequence[Found], new: Sequence[bool]) -> tuple[Answer, list[str]]:
    """Return what came of adding ``chosen``, of which some were new."""
    added = [describe(one) for one, is_new in zip(chosen, new, strict=True) if is_new]
    answer = {"added": added, "n_added": len(added), "n_known": len(chosen) - len(added)}
    lines = [f"watched now: {one['address']} ({one['collector']})" for one in added[:20]]
    if len(added) > 20:
        lines.append(f"... and {len(added) - 20} more")
    if answer["n_known"]:
        lines.append(f"{answer['n_known']} watched already")
    return answer, lines


def describe(found: Found) -> Answer:
    """Return what was found, as JSON; its first posts by time and first words."""
    return {
        "collector": found.collector,
        "address": found.address,
        "source": found.source,
        "title": found.title,
        "why": found.why,
        "posts_a_day": found.posts_a_day,
        "audience": found.audience,
        "warnings": list(found.warnings),
        "first": [{"published_at": row.get("published_at"), "title": _first_words(row)} for row in found.first],
    }


def explain(found: Found, number: int | None = None) -> list[str]:
    """Return what was found, in lines for a terminal."""
    head = f"{number}. " if number is not None else ""
    lines = [f"{head}{found.title or found.source} - {found.collector}: {found.address}"]
    if found.why:
        lines.append(f"   {found.why}")
    if found.posts_a_day is not None:
        lines.append(f"   about {found.posts_a_day:.1f} posts a day")
    lines += [f"   ! {warning}" for warning in found.warnings]
    lines += [f"   {row.get('published_at') or 'undated'}  {_first_words(row)}" for row in found.first]
    return lines


def _first_words(row: Mapping[str, Any]) -> str:
    words = " ".join(str(row.get("title") or row.get("text") or "").split())
    shown = "".join(c for c in words if c.isprintable())
    return shown if len(shown) <= 90 else shown[:89] + "…"


# ---- how they are doing --------------------------------------------------------------------------------------


def health(
    store: Store, now: datetime, holds: Callable[[Source, datetime], bool] = lambda _source, _now: True
) -> tuple[Answer, list[str]]:
    """Return how watched sources are doing: those for which ``holds`` does."""
    sources = store.sources()
    answer: Answer = {"n_sources": len(sources), "sources": [_health(s, now) for s in sources if holds(s, now)]}
    lines = [
        f"{len(sources)} sources; {sum(is_in_state(s, 'failing', now) for s in sources)} failing, "
        f"{sum(is_in_state(s, 'silent', now) for s in sources)} silent, {sum(s.is_paused for s in sources)} paused, "
        f"{sum(1 for s in sources if s.n_gaps)} with gaps"
    ]
    subscriptions = store.subscriptions()
    if subscriptions:
        answer["hubs"] = summary(subscriptions, now.timestamp())
        lines.append("hubs that tell what is new: " + ", ".join(f"{n} {how}" for how, n in answer["hubs"].items() if n))
    return answer, lines


def is_in_state(source: Source, state: str | None, now: datetime) -> bool:
    """Say whether a source is ``failing``, ``silent`` (well, but no post for a week or ten times its usual pause), ``paused`` or
    has ``gaps``; None: any.
    """
    match state:
        case None:
            return True
        case "failing":
            return source.trouble is not None and not source.is_paused
        case "paused":
            return source.is_paused
        case "gaps":
            return source.n_gaps > 0
        case "silent":
            since = now.timestamp() - (source.brought_at or source.added_at)
            usual_s = 86_400.0 / source.posts_a_day if source.posts_a_day else 86_400.0
            return source.trouble is None and not source.is_paused and since > max(7 * 86_400.0, 10 * usual_s)
    raise ConfigError(f"sources are listed as failing, silent, paused or gaps, not {state!r}")


def _health(source: Source, now: datetime) -> Answer:
    def since(time: float | None) -> str | None:
        return None if time is None else datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")

    stale_s = None if source.succeeded_at is None else round(max(0.0, now.timestamp() - source.succeeded_at), 1)
    return {
        "source_id": source.source_id,
        "collector": source.collector,
        "address": source.address,
        "name": source.name,
        "is_paused": source.is_paused,
        "priority": source.priority,
        "options": source.options,
        "last_success_at": since(source.succeeded_at),
        "last_post_at": since(source.brought_at),
        "stale_s": stale_s,
        "interval_s": round(source.interval_s, 1),
        "posts_a_day": None if source.posts_a_day is None else round(source.posts_a_day, 2),
        "trouble": source.trouble,
        "n_failures": source.n_failures,
        "troubles": source.troubles,
        "n_visits": source.n_visits,
        "n_posts": source.n_posts,
        "n_requests": source.n_requests,
        "n_bytes": source.n_bytes,
        "n_gaps": source.n_gaps,
        "gap_s": round(source.gap_s, 1),
        "next_at": since(source.next_at) if source.next_at else None,
    }


def choose(store: Store, places: Sequence[str]) -> list[Source]:
    """Return the sources with these ids or addresses.

    Raises:
        ConfigError: one is not watched.
    """
    sources = store.sources()
    by_name = {str(s.source_id): [s] for s in sources}
    for s in sources:
        by_name.setdefault(s.address, []).append(s)
    missing = [place for place in places if place not in by_name]
    if missing:
        raise ConfigError(f"not watched: {', '.join(missing)}; `bastau sources` lists what is")
    return [source for place in places for source in by_name[place]]
