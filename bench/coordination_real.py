"""Groups found among accounts of a troll farm, mixed with ordinary posts. Writes docs/figures/coordination-real.md.

    python bench/coordination_real.py

Coordinated: ira-troll-tweets, both windows (real, times to the minute). Background: telegram-ru-news (real channels, texts
and times, moved by 470 whole weeks so that they run beside the tweets) and hate-davidson2017 (real tweets without authors
and times: each is given one of 1,000 invented accounts and a time in the second window, both by a seeded draw). The
second background can therefore only be grouped by what its texts share; the first is the honest one.
"""

import csv
import gzip
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BASTAU_SHARED_DATA", ROOT.parent / "shared" / "data"))
SHIFT = timedelta(weeks=470)
N_INVENTED = 1000
IRA = {
    "post_id": "x:{tweet_row_id}",
    "platform": "=x",
    "source": "author_id",
    "source_kind": "=account",
    "audience": "followers",
    "published_at": "publish_date",
    "text": "content",
}
POSTS = {
    "post_id": "post_id",
    "platform": "platform",
    "source": "source",
    "source_kind": "source_kind",
    "published_at": "published_at",
    "text": "text",
}


def tweets(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def telegram() -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / "telegram-ru-news" / "messages.ndjson.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            yield {
                "post_id": f"telegram:{row['channel_id']}/{row['message_id']}",
                "platform": "telegram",
                "source": f"tg{abs(row['channel_id'])}",
                "source_kind": "channel",
                "published_at": (datetime.fromisoformat(row["date"]) - SHIFT).isoformat(),
                "text": row["text"],
            }


def davidson(seed: int = 1) -> Iterator[dict[str, Any]]:
    rng, start = np.random.default_rng(seed), datetime.fromisoformat("2016-10-01T00:00:00+00:00")
    for row in tweets("hate-davidson2017/tweets.csv.gz"):
        yield {
            "post_id": f"x:davidson{row['id']}",
            "platform": "x",
            "source": f"bg{rng.integers(N_INVENTED)}",
            "source_kind": "account",
            "published_at": (start + timedelta(minutes=int(rng.integers(15 * 1440)))).isoformat(),
            "text": row["tweet"],
        }


def _csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(POSTS))
        writer.writeheader()
        writer.writerows(rows)


def make_home(folder: Path) -> Path:
    """Import everything by mapping, with ``min_audience = 0``, and process it; return the home folder."""
    home = folder / "home"
    home.mkdir()
    (home / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n", "utf-8")
    _csv(folder / "telegram.csv", telegram())
    _csv(folder / "davidson.csv", davidson())
    windows = sorted((DATA / "ira-troll-tweets").glob("tweets_*.csv.gz"))
    for paths, mapping in ((windows, IRA), ([folder / "telegram.csv", folder / "davidson.csv"], POSTS)):
        rules = [part for name, rule in mapping.items() for part in ("--map", f"{name}={rule}")]
        bastau("import", *map(str, paths), *rules, "--home", str(home))
    bastau("run", "--home", str(home))
    return home


def bastau(*arguments: str) -> None:
    from bastau.cli import main

    if code := main([*arguments, "--quiet"]):
        raise SystemExit(code)


def figures(home: Path) -> dict[str, Any]:
    from sklearn.metrics import normalized_mutual_info_score

    from bastau.home import Home

    con = Home.open(home).connect()
    found = con.sql("SELECT sources, is_one_house FROM coordination").fetchall()
    groups, houses = [set(sources) for sources, _ in found], [set(sources) for sources, is_house in found if is_house]
    category: dict[str, str] = {}
    for path in sorted((DATA / "ira-troll-tweets").glob("tweets_*.csv.gz")):
        category |= {row["author_id"].lower(): row["account_category"] for row in tweets(str(path.relative_to(DATA)))}
    sources = {row[0] for row in con.sql("SELECT DISTINCT source FROM posts").fetchall()}
    farm = {source for source in sources if source.lower() in category}
    background = sources - farm
    flagged = set().union(*groups) & background if groups else set()
    declared = set().union(*houses)
    labels, numbers = [], []
    for number, group in enumerate(groups):
        for source in sorted(group & farm):
            labels.append(category[source.lower()])
            numbers.append(number)
    most = [Counter(category[s.lower()] for s in group & farm).most_common(1)[0][1] for group in groups if group & farm]
    pairs = Counter(
        category[a.lower()] == category[b.lower()] for g in groups for a, b in combinations(sorted(g & farm), 2)
    )
    return {
        "accounts of the farm": len(farm),
        "of them in a group": len(labels),
        "groups": len(groups),
        "largest group": max(map(len, groups), default=0),
        "NMI of groups and account_category": normalized_mutual_info_score(labels, numbers) if labels else 0.0,
        "purity of groups": sum(most) / len(labels) if labels else 0.0,
        "pairs in a group of one category": pairs[True] / max(1, sum(pairs.values())),
        "share of the commonest category": Counter(labels).most_common(1)[0][1] / len(labels) if labels else 0.0,
        "background sources": len(background),
        "background sources in a group": len(flagged),
        "share of them": len(flagged) / len(background),
        "of these openly one publisher's network": len(flagged & declared),
        "share of background in any other group": len(flagged - declared) / len(background),
        "accounts of the farm in a group marked as openly one network": len(farm & declared),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        home = Path(sys.argv[1]) if len(sys.argv) > 1 else make_home(Path(folder))
        found = figures(home) | {"seconds, import and run": time.perf_counter() - start}
    rows = [f"| {name} | {_cell(value)} |" for name, value in found.items()]
    assert __doc__ is not None
    lines = ["# Coordination on real posts", "", __doc__.splitlines()[0].split(". Writes")[0] + "."]
    lines += ["", "Made by `python bench/coordination_real.py`.", "", *__doc__.split("\n\n")[2].splitlines()]
    lines += ["", "| | |", "|---|---|", *rows, "", *NOTE.splitlines(), ""]
    path = ROOT / "docs" / "figures" / "coordination-real.md"
    path.write_text("\n".join(lines), "utf-8")
    sys.stdout.write(path.read_text("utf-8"))


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


NOTE = """NMI and purity are over the farm's accounts that are in a group; account_category is the coding of Linvill and Warren. NMI falls
with the number of groups whatever they hold; purity rises with it.

Who runs the background sources in a group is for a reader to find out; docs/decisions/0006-sources.md says what one found."""


if __name__ == "__main__":
    main()
