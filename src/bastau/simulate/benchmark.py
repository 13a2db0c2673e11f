"""The benchmark: posts with known truth at three levels of difficulty. How to use it: docs/how-to/benchmark.md."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from bastau.simulate.cast import build_cast
from bastau.simulate.dice import Dice
from bastau.simulate.drafts import any_time
from bastau.simulate.innocent import add_innocent
from bastau.simulate.levels import VERSION, Level
from bastau.simulate.outbreak import spread_narratives
from bastau.simulate.scene import ADDRESS, Item, Scene, post_row
from bastau.simulate.truth import COPY_EDGES, FIRSTS, LABELS, Truth
from bastau.simulate.world import POST_TABLE, Simulation

_START = datetime(2025, 3, 17, tzinfo=UTC)
_KINDS = ("outlet", "website", "channel", "page", "account")
_WEIGHTS = (28, 6, 30, 8, 28)
_SOCIAL = ("channel", "page", "account")


def generate_benchmark(level: Level, seed: int, start: datetime = _START) -> Simulation:
    """Return about 30,000 posts of 14 days and the truth about them; the same arguments give the same everywhere."""
    scene = Scene(level, seed, build_cast(level, seed))
    spread_narratives(scene)
    add_innocent(scene)
    _add_background(scene, scene.dice("background"))
    kept = scene.finish()
    counts = scene.dice("counts")
    posts = pa.Table.from_pylist([post_row(item, start, counts) for item in kept], POST_TABLE)
    return Simulation(posts, _reveal(kept, scene, start), seed)


def _add_background(scene: Scene, dice: Dice) -> None:
    """Add ordinary posts, no two of one story; social ones link to articles or answer posts now and then."""
    times = sorted(any_time(dice) for _ in range(scene.level.n_background))
    recent: list[Item] = []
    articles: list[Item] = []
    for at in times:
        player = scene.cast.pick(dice, kind=_KINDS[dice.weighted(_WEIGHTS)])
        language = player.source.language
        is_social = player.source.kind in _SOCIAL
        story = scene.teller.story(dice.between(1, 2) if is_social else dice.between(2, 4), dice)
        text = scene.teller.tell(story, language, dice.below(3), dice)
        about: dict[str, Any] = {"story": story}
        if not is_social:
            about["title"] = scene.teller.headline(story, language, dice)
        elif articles and dice.percent(22):
            about |= {"via": "link", "original": articles[-1 - dice.below(min(len(articles), 150))]}
            text += f" {ADDRESS}"
        elif recent and dice.percent(8):
            answered = recent[-1 - dice.below(min(len(recent), 100))]
            if answered.player.source.platform == player.source.platform:
                about |= {"via": "reply", "original": answered}
        item = scene.add(player, at, text, **about)
        (recent if is_social else articles).append(item)


def _reveal(kept: list[Item], scene: Scene, start: datetime) -> Truth:
    present = set(map(id, kept))
    labels = [{name: getattr(item, name) for name in LABELS.names} for item in kept]
    edges = [
        {"from_post": item.source_item.post_id, "to_post": item.post_id, "kind": item.kind}
        for item in kept
        if item.source_item is not None and id(item.source_item) in present
    ]
    sources = {player.source.handle: player for player in scene.cast.players}
    seen = {item.player.source.handle for item in kept}
    return Truth(
        labels=pa.Table.from_pylist(labels, LABELS),
        firsts=pa.Table.from_pylist(_firsts(scene, start), FIRSTS),
        copies=pa.Table.from_pylist(edges, COPY_EDGES),
        groups={name: [m.source.handle for m in members] for name, members in scene.cast.groups.items()},
        lookalikes={name: sorted(handles & seen) for name, handles in sorted(scene.innocent.items())},
        corrections={},
        private_sources=sorted(
            handle for handle in seen if handle in sources and not sources[handle].source.is_publisher
        ),
        withheld=[item.post_id for item in scene.items if item.hidden],
        why_withheld={item.post_id: item.hidden for item in scene.items if item.hidden},
        clock_skew_s={
            handle: sources[handle].skew_s for handle in sorted(seen) if handle in sources and sources[handle].skew_s
        },
        back_dated=[item.post_id for item in kept if item.dated_s != item.player.skew_s],
        level={"version": VERSION, **asdict(scene.level), "wire_s": list(scene.level.wire_s)},
    )


def _firsts(scene: Scene, start: datetime) -> list[dict[str, Any]]:
    """Return a row for each narrative and each version that began somewhere, by true time."""
    first: dict[tuple[str, str | None], Item] = {}
    observed: dict[tuple[str, str | None], str] = {}
    for item in scene.items:
        if item.narrative is None or item.narrative in scene.unjudged:
            continue
        for key in dict.fromkeys(((item.narrative, None), (item.narrative, item.version))):
            first.setdefault(key, item)
            if not item.hidden:
                observed.setdefault(key, item.post_id)
    return [
        {
            "narrative": narrative,
            "version": version,
            "language": item.language,
            "post_id": item.post_id,
            "source": item.player.source.handle,
            "published_at": start + timedelta(seconds=item.at),
            "is_publisher": item.player.source.is_publisher,
            "withheld": bool(item.hidden),
            "first_observed": observed.get((narrative, version)),
        }
        for (narrative, version), item in first.items()
    ]
