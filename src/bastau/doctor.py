"""Look at a home folder, say what is wrong, and mend what can be mended without losing a post."""

import shutil
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq

from bastau.errors import LakeDamaged
from bastau.home import Home
from bastau.lake import LAKE_TABLES, Problem


def examine(home: Home, *, deep: bool = True) -> list[Problem]:
    """Return every problem of ``home``; none means: every file whole, nothing twice, keys and generation in order."""
    problems = home.lake.check(deep=deep)
    if not any(p.code == "damaged" for p in problems):
        problems += _check_posts(home)
    return [*problems, *_check_generation(home), *_check_keys(home)]


def _check_posts(home: Home) -> Iterator[Problem]:
    lake = home.lake
    keys = np.sort(lake.read("posts", ["post_key"]).column("post_key").to_numpy())
    n_twice = int((keys[1:] == keys[:-1]).sum())
    if n_twice:
        yield Problem("twice", "posts", f"{n_twice} posts are stored twice; please report this, it is our fault")
    read = np.sort(lake.read("readings", ["post_key"]).column("post_key").to_numpy())
    if len(np.setdiff1d(read, keys, assume_unique=False)):
        yield Problem(
            "orphans", "readings", "readings without posts; --repair drops the readings, the next run makes them"
        )
    elif len(read) < len(keys):
        yield Problem("unread", "readings", f"{len(keys) - len(read)} posts wait for `bastau run`")


def _check_generation(home: Home) -> Iterator[Problem]:
    try:
        generation = home.generation()
    except LakeDamaged as error:
        yield Problem("damaged", "generations", f"{error}")
        return
    folder = home.folder / "generations"
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".tmp-"):
                yield Problem("unfinished", f"generations/{path.name}", "is removed by --repair; nothing is lost")
    if generation is None:
        return
    for path in sorted(generation.folder.glob("*.parquet")):
        try:
            pq.read_table(path)
        except (OSError, ValueError):
            yield Problem("damaged", f"generations/{path.name}", "--repair removes it; `bastau run` makes it again")


def _check_keys(home: Home) -> Iterator[Problem]:
    if not home.keys.is_dir():
        return
    for path in sorted(home.keys.iterdir()):
        if path.stat().st_mode & 0o077:
            yield Problem("exposed", f"keys/{path.name}", f"others may read it; --repair sets mode 600 on {path.name}")


def repair(home: Home, problems: list[Problem]) -> None:
    """Mend ``problems``; the caller holds the lock."""
    lake = home.lake
    codes = {problem.code for problem in problems}
    for problem in problems:
        table = problem.path.split("/", 1)[0]
        if problem.code == "damaged" and table == "generations":
            shutil.rmtree(home.folder / "generations", ignore_errors=True)
        elif problem.code == "damaged" and table in LAKE_TABLES:
            _set_aside_batch(home, problem.path)
        elif problem.code == "exposed":
            (home.folder / problem.path).chmod(0o600)
    if "orphans" in codes:
        lake.drop("readings")
        lake.drop("matches")
    for table in LAKE_TABLES:
        lake.tidy(table)
    home.tidy_generations()


def _set_aside_batch(home: Home, path: str) -> None:
    """Set a damaged file aside, and make its batches count as not imported, so that importing again restores them."""
    lake = home.lake
    table = path.split("/", 1)[0]
    damaged = {b for f in lake.files(table) if f.path == path for b in f.batches}
    lake.set_aside(path)
    if table != "posts":
        return
    for other in ("readings", "matches", "imports"):
        for file in lake.files(other):
            if damaged.intersection(file.batches):
                lake.set_aside(file.path)
