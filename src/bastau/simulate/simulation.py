"""Invent posts with known truth: the sample of ``bastau demo``, of tests and of benchmarks.

What is invented and the layout of the files: docs/how-to/simulate.md. Why: docs/decisions/0007-demo-sample.md.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.schemas import POST_FORMAT, POSTS, TIME
from bastau.simulate.dice import Dice
from bastau.simulate.drafts import Draft, Ledger, any_time
from bastau.simulate.spread import spread_lookalikes, spread_narrative
from bastau.simulate.world import Source, World, build_world

MIN_POSTS = 1000
"""Fewer posts leave no room for the groups and look-alikes beside the narratives."""

_PLANNED_FOR = 3200
_START = datetime(2025, 3, 3, tzinfo=UTC)
_BACKGROUND_KINDS = ("outlet", "website", "channel", "page", "account")
_BACKGROUND_WEIGHTS = (26, 5, 28, 9, 32)

POST_TABLE = pa.schema([POSTS.field(name) for name in POST_FORMAT])
"""The Post format as a table."""

LABELS = pa.schema(
    [
        ("post_id", pa.string()),
        ("narrative", pa.string()),
        ("version", pa.string()),
        ("role", pa.string()),
        ("group", pa.string()),
    ]
)
"""What is true of each post: its narrative and version (one telling in one language and what was copied from it)."""

FIRSTS = pa.schema(
    [
        ("narrative", pa.string()),
        ("version", pa.string()),
        ("language", pa.string()),
        ("post_id", pa.string()),
        ("source", pa.string()),
        ("published_at", TIME),
        ("is_publisher", pa.bool_()),
        ("withheld", pa.bool_()),
        ("first_observed", pa.string()),
    ]
)
"""Where narratives (``version`` null) and versions began, and the earliest post of each that is in the posts."""

COPY_EDGES = pa.schema([("from_post", pa.string()), ("to_post", pa.string()), ("kind", pa.string())])
"""Who copied whom: repost, forward, near_copy, link, rewrite (same language) or translation."""


@dataclass(frozen=True)
class Truth:
    """What is true of a simulation.

    Attributes:
        labels: one row a post, :data:`LABELS`.
        firsts: one row a narrative and one a version, :data:`FIRSTS`.
        copies: :data:`COPY_EDGES` between posts that are not withheld.
        groups: coordinated groups, name -> sources.
        lookalikes: innocent sets that a detector could mistake for a group, name -> sources.
        corrections: first post -> its corrected versions by the same source, in order.
        private_sources: accounts below the publisher threshold.
        withheld: ids of posts that were made and then left out of the posts.
    """

    labels: pa.Table
    firsts: pa.Table
    copies: pa.Table
    groups: dict[str, list[str]]
    lookalikes: dict[str, list[str]]
    corrections: dict[str, list[str]]
    private_sources: list[str]
    withheld: list[str]


@dataclass(frozen=True)
class Simulation:
    """Invented posts in the Post format, ordered by time, and the truth about them."""

    posts: pa.Table
    truth: Truth
    seed: int


def generate(n_posts: int = 3200, seed: int = 2026, start: datetime = _START) -> Simulation:
    """Return ``n_posts`` invented posts of 14 days from ``start``, in Kazakh, Russian and English.

    The same arguments give the same posts on every machine. About 60 % belong to no narrative.

    Raises:
        ConfigError: fewer than :data:`MIN_POSTS` posts, or ``start`` without a time zone.
    """
    if n_posts < MIN_POSTS:
        raise ConfigError(f"a simulation needs at least {MIN_POSTS} posts, got {n_posts}")
    if start.tzinfo is None:
        raise ConfigError("the start of a simulation needs a time zone")
    world, ledger = build_world(max(300, n_posts // 10), seed), Ledger()
    firsts = []
    for plan in world.plans:
        size = _size(plan, n_posts, world)
        firsts.append(spread_narrative(plan, size, world, ledger, Dice(seed, f"narrative {plan['name']}")))
    spread_lookalikes(world, ledger, Dice(seed, "look-alikes"))
    _add_background(n_posts - ledger.n_kept(), world, ledger, Dice(seed, "background"))
    ledger.drafts.sort(key=lambda draft: (draft.at, draft.post_id))
    kept = [draft for draft in ledger.drafts if not draft.withheld]
    posts = _post_table(kept, start, Dice(seed, "counts"))
    return Simulation(posts, _truth(firsts, kept, world, ledger, start), seed)


def _size(plan: dict[str, Any], n_posts: int, world: World) -> int:
    pushed = world.group_plans[plan["group"]] if "group" in plan else {"n_events": 0, "n_members": 0}
    tellings = sum(world.phrases[language].n_claims(plan["name"]) for language in plan["languages"])
    least = int(pushed["n_events"] * pushed["n_members"]) + tellings + 12
    return max(least, plan["n_posts"] * n_posts // _PLANNED_FOR)


def _add_background(n: int, world: World, ledger: Ledger, dice: Dice) -> None:
    """Add ``n`` ordinary posts, no two with the same text."""
    by_kind = [world.select(kinds=(kind,)) for kind in _BACKGROUND_KINDS]
    accounts = by_kind[_BACKGROUND_KINDS.index("account")]
    written = _Written()
    earlier: list[Draft] = []
    while len(earlier) < n:
        source = dice.choose(by_kind[dice.weighted(_BACKGROUND_WEIGHTS)])
        topic = dice.choose(world.phrases[source.language].topics)
        title, plain = _ordinary_text(source, topic, world, dice)
        if not written.accepts(plain, source.language, topic):
            continue
        text, links, reply_to = plain, (), None
        if source.platform != "web":
            title = None
            text, links, reply_to = _with_social_extras(plain, source, earlier, accounts, world, dice)
        at = any_time(dice)
        draft = ledger.add(source, at, text, title=title, plain=plain, links=links)
        if reply_to is not None and reply_to.at < at:
            draft.reply_to = reply_to.post_id
        earlier.append(draft)


class _Written:
    """Keeps ordinary posts apart: no text twice, and no two recent ones of a topic nearly the same."""

    _TOO_CLOSE = 0.5
    _RECENT = 60
    _MAX_REFUSED = 20

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._recent: dict[tuple[str, str], deque[frozenset[str]]] = {}
        self._n_refused = 0

    def accepts(self, text: str, language: str, topic: str) -> bool:
        """Record ``text`` and return True unless it is too close; after many refusals in a row only repeats are."""
        grams = frozenset(text[i : i + 5] for i in range(len(text) - 4))
        recent = self._recent.setdefault((language, topic), deque(maxlen=self._RECENT))
        is_close = any(_is_close(grams, other, self._TOO_CLOSE) for other in recent)
        if text in self._texts or (is_close and self._n_refused < self._MAX_REFUSED):
            self._n_refused += 1
            return False
        self._n_refused = 0
        self._texts.add(text)
        recent.append(grams)
        return True


def _is_close(a: frozenset[str], b: frozenset[str], similarity: float) -> bool:
    shorter, longer = sorted((len(a), len(b)))
    if shorter < similarity * longer:
        return False
    shared = len(a & b)
    return shared >= similarity * (len(a) + len(b) - shared)


def _ordinary_text(source: Source, topic: str, world: World, dice: Dice) -> tuple[str | None, str]:
    phrases = world.phrases[source.language]
    if source.kind == "account":
        return None, phrases.remark(topic, dice)
    low, high = (3, 6) if source.platform == "web" else (2, 4)
    return phrases.story(topic, dice.between(low, high), dice)


def _with_social_extras(
    plain: str, source: Source, earlier: list[Draft], accounts: list[Source], world: World, dice: Dice
) -> tuple[str, tuple[str, ...], Draft | None]:
    """Return text, links and the post answered to: hashtags, links, mentions and profile addresses now and then."""
    text, links, reply_to = plain, (), None
    if dice.percent(15):
        text = f"{text} {world.phrases[source.language].hashtags(dice.between(1, 4), dice)}"
    articles = [draft for draft in earlier[-40:] if draft.source.platform == "web"]
    if articles and dice.percent(15):
        article = dice.choose(articles)
        links, text = (article.url,), f"{text} {article.url}"
    if source.kind == "account":
        if dice.percent(6):
            text = f"@{dice.choose(accounts).handle} {text}"
        if dice.percent(2):
            text = f"{text} {dice.choose(accounts).profile}"
        if earlier and dice.percent(6):
            reply_to = dice.choose(earlier[-200:])
    return text, links, reply_to


def _post_table(drafts: list[Draft], start: datetime, dice: Dice) -> pa.Table:
    return pa.Table.from_pylist([_row(draft, start, dice) for draft in drafts], POST_TABLE)


def _row(draft: Draft, start: datetime, dice: Dice) -> dict[str, Any]:
    source, published = draft.source, start + timedelta(seconds=draft.at)
    audience = source.audience or 200
    views = audience * dice.between(5, 60) // 100 if source.platform in ("telegram", "vk") else None
    likes = (views or audience) * dice.below(8) // 100 if source.platform != "web" else None
    return {
        "post_id": draft.post_id,
        "platform": source.platform,
        "source": source.handle,
        "source_kind": source.kind,
        "source_name": source.name,
        "audience": source.audience,
        "published_at": published,
        "collected_at": published + timedelta(minutes=dice.between(10, 70)),
        "url": draft.url,
        "title": draft.title,
        "text": draft.text,
        "language": draft.language if dice.percent(70) else None,
        "links": list(draft.links) or None,
        "repost_of": draft.repost_of,
        "reply_to": draft.reply_to,
        "forwarded_from": draft.forwarded_from,
        "media": _media(draft) if dice.percent(5) else None,
        "likes": likes,
        "shares": None if likes is None else likes * dice.below(30) // 100,
        "replies": None if likes is None else likes * dice.below(15) // 100,
        "views": views,
    }


def _media(draft: Draft) -> list[dict[str, str | None]]:
    name = sha256(draft.plain.encode()).hexdigest()
    return [{"url": f"https://media.example/{name[:16]}.jpg", "sha256": name, "pdq": None}]


def _truth(firsts: list[Draft], kept: list[Draft], world: World, ledger: Ledger, start: datetime) -> Truth:
    present = {draft.post_id for draft in kept}
    labels = [{name: getattr(draft, name) for name in LABELS.names} for draft in kept]
    edges = [
        {"from_post": copy.original.post_id, "to_post": copy.copy.post_id, "kind": copy.kind}
        for copy in ledger.copies
        if copy.original.post_id in present and copy.copy.post_id in present
    ]
    private = sorted({draft.source.handle for draft in kept if not draft.source.is_publisher})
    return Truth(
        labels=pa.Table.from_pylist(labels, LABELS),
        firsts=pa.Table.from_pylist(_firsts(ledger, start), FIRSTS),
        copies=pa.Table.from_pylist(edges, COPY_EDGES),
        groups={name: [member.handle for member in members] for name, members in world.groups.items()},
        lookalikes=_lookalikes(kept, world),
        corrections=_corrections(firsts, kept),
        private_sources=private,
        withheld=[draft.post_id for draft in ledger.drafts if draft.withheld],
    )


def _firsts(ledger: Ledger, start: datetime) -> list[dict[str, Any]]:
    """Return a row for each narrative and each version; drafts come in order of time."""
    first: dict[tuple[str, str | None], Draft] = {}
    observed: dict[tuple[str, str | None], str] = {}
    for draft in ledger.drafts:
        if draft.narrative is None:
            continue
        for key in dict.fromkeys(((draft.narrative, None), (draft.narrative, draft.version))):
            first.setdefault(key, draft)
            if not draft.withheld:
                observed.setdefault(key, draft.post_id)
    return [
        {
            "narrative": narrative,
            "version": version,
            "language": draft.language,
            "post_id": draft.post_id,
            "source": draft.source.handle,
            "published_at": start + timedelta(seconds=draft.at),
            "is_publisher": draft.source.is_publisher,
            "withheld": draft.withheld,
            "first_observed": observed.get((narrative, version)),
        }
        for (narrative, version), draft in first.items()
    ]


def _lookalikes(kept: list[Draft], world: World) -> dict[str, list[str]]:
    named = {"wire": "wire copy", "greeting": "greeting", "share_button": "share button"}
    burst = {plan["name"] for plan in world.plans if plan.get("burst")}
    sources: dict[str, dict[str, None]] = {}
    for draft in kept:
        name = named.get(draft.role, "viral burst" if draft.narrative in burst else "")
        if name:
            sources.setdefault(name, {})[draft.source.handle] = None
    return {name: sorted(members) for name, members in sorted(sources.items())}


def _corrections(firsts: list[Draft], kept: list[Draft]) -> dict[str, list[str]]:
    found = {}
    for first in firsts:
        later = [draft.post_id for draft in kept if draft.role == "correction" and draft.narrative == first.narrative]
        if later:
            found[first.post_id] = later
    return found


def write(simulation: Simulation, folder: Path) -> None:
    """Write ``posts.ndjson`` (Post format) and ``truth.json`` into ``folder``, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    with (folder / "posts.ndjson").open("wb") as out:
        for row in simulation.posts.to_pylist():
            out.write(orjson.dumps({name: value for name, value in row.items() if value is not None}, option=options))
    truth = simulation.truth
    layout = {
        "seed": simulation.seed,
        "n_posts": simulation.posts.num_rows,
        "posts": truth.labels.to_pylist(),
        "firsts": truth.firsts.to_pylist(),
        "copies": truth.copies.to_pylist(),
        "groups": truth.groups,
        "lookalikes": truth.lookalikes,
        "corrections": truth.corrections,
        "private_sources": truth.private_sources,
        "withheld": truth.withheld,
    }
    (folder / "truth.json").write_bytes(orjson.dumps(layout, option=options | orjson.OPT_INDENT_2))
