"""Invent posts with known truth: the sample of ``bastau demo``, of tests and of benchmarks.

What is invented and the layout of the files: docs/how-to/simulate.md. Why: docs/decisions/0007-demo-sample.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.schemas import POST_FORMAT, POSTS
from bastau.simulate.background import add_background
from bastau.simulate.dice import Dice
from bastau.simulate.drafts import Draft, Ledger
from bastau.simulate.population import World, build_world
from bastau.simulate.spread import spread_lookalikes, spread_narrative
from bastau.simulate.truth import Truth, reveal

MIN_POSTS = 1000
"""Fewer posts leave no room for the groups and look-alikes beside the narratives."""

_PLANNED_FOR = 3200
_JSON = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_START = datetime(2025, 3, 3, tzinfo=UTC)
POST_TABLE = pa.schema([POSTS.field(name) for name in POST_FORMAT])
"""The Post format as a table."""


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
    add_background(n_posts - ledger.n_kept(), world, ledger, Dice(seed, "background"))
    ledger.drafts.sort(key=lambda draft: (draft.at, draft.post_id))
    kept = [draft for draft in ledger.drafts if not draft.withheld]
    posts = _post_table(kept, start, Dice(seed, "counts"))
    return Simulation(posts, reveal(firsts, kept, world, ledger, start), seed)


def _size(plan: dict[str, Any], n_posts: int, world: World) -> int:
    pushed = world.group_plans[plan["group"]] if "group" in plan else {"n_events": 0, "n_members": 0}
    tellings = sum(world.phrases[language].n_claims(plan["name"]) for language in plan["languages"])
    least = int(pushed["n_events"] * pushed["n_members"]) + tellings + 12
    return max(least, plan["n_posts"] * n_posts // _PLANNED_FOR)


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


def write(simulation: Simulation, folder: Path) -> None:
    """Write ``truth.json`` and then ``posts.ndjson`` (Post format) into ``folder``, which is made if missing.

    Each file appears whole or not at all; where ``posts.ndjson`` is, both are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = {"seed": simulation.seed, "n_posts": simulation.posts.num_rows, **simulation.truth.as_json()}
    _replace(folder / "truth.json", [orjson.dumps(truth, option=_JSON | orjson.OPT_INDENT_2)])
    rows = ({name: value for name, value in row.items() if value is not None} for row in simulation.posts.to_pylist())
    _replace(folder / "posts.ndjson", (orjson.dumps(row, option=_JSON) for row in rows))


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as out:
        out.writelines(parts)
    unfinished.replace(path)
