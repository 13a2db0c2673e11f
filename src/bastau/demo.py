"""The demo: invented posts through the whole way, in a home that three people can review in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bastau.engine import open_engine
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import Progress, RunReport, run
from bastau.read.rules.loading import load, rule_files, rules_folder
from bastau.shield.commands import default_key
from bastau.shield.signing import make_key
from bastau.simulate.sites import generate_sites, web_sources, write_sites
from bastau.simulate.world import generate, write

SETTINGS = """# Settings of the demo, written once; change what you like.
[review]
# Nobody is asked for a second opinion: whoever gives one cannot release, and the demo has three accounts.
second_law = 0.0
second_policy = 0.0
second_none = 0.0
grounds = ["policy: house rules of the demo, 1: no calls to violence"]

[shield]
publisher = "Demo reading room"
appeal = "http://127.0.0.1:8765/appeal"
policy = "house rules of the demo: no calls to violence"
licence = "CC0-1.0"
"""
_LAST_DAY = datetime(2025, 3, 16, 8, tzinfo=UTC)
"""The last day of the sample."""


def prepare(folder: Path, *, n_posts: int, seed: int, now: datetime, progress: Progress) -> tuple[Home, RunReport]:
    """Invent posts, import and process them in the home ``folder``; doing it again repeats nothing.

    Raises:
        ConfigError: the folder holds something, and no demo.
    """
    is_there = folder.is_dir() and any(folder.iterdir())
    if is_there and not any(folder.glob("sample-*")):
        raise ConfigError(
            f"{folder}: holds something else, to which no invented posts are added; name another folder for the demo with --home"
        )
    home = Home.open(folder, create=True)
    sample = home.folder / f"sample-{n_posts}-{seed}"
    sample.mkdir(exist_ok=True)  # tells from now on that this home is a demo's
    if not is_there:
        (folder / "bastau.toml").write_text(SETTINGS, "utf-8")
        home = Home.open(folder)
    with home.locked():
        if not default_key(home).exists() and find_spec("cryptography") is not None:
            make_key(default_key(home))
        progress("invent posts", 0, 0)
        if not all((sample / name).exists() for name in ("posts.ndjson", "pages.ndjson")):
            simulation = generate(n_posts, seed=seed)
            write(simulation, sample)
            write_sites(generate_sites("medium", seed, known=web_sources(simulation.posts)), sample)
        calls = home.folder / "for-review.ndjson"
        if not calls.exists():
            calls.write_text(
                "".join(f"{json.dumps(post, ensure_ascii=False)}\n" for post in _posts_for_review()), "utf-8"
            )
        progress("import", 0, 0)
        import_file(home, sample / "posts.ndjson", now=now)
        import_file(home, sample / "pages.ndjson", now=now)
        import_file(home, calls, now=now)
        engine = open_engine(home.settings.engine)
        try:
            return home, run(home, engine, progress=progress)
        finally:
            engine.close()


def _posts_for_review() -> Iterator[dict[str, Any]]:
    """Yield posts of invented channels that rules flag: the sample itself holds nothing that anybody has to judge.

    The words are texts that rules carry as their own tests, one for each act and language.
    """
    rules = [rule for rule in load(rule_files([rules_folder()])).rules if rule.is_live and rule.technique is None]
    words = {(rule.act, language): text for rule in reversed(rules) for language, text, _ in reversed(rule.must_hit)}
    for n, ((_, language), text) in enumerate(sorted(words.items())):
        channel = ("otty_dala", "qara_saz")[n % 2]
        at = _LAST_DAY + timedelta(minutes=37 * n)
        yield {
            "post_id": f"telegram:{channel}/{n + 1}",
            "platform": "telegram",
            "source": channel,
            "source_kind": "channel",
            "source_name": {"otty_dala": "Отты дала", "qara_saz": "Қара саз"}[channel],
            "audience": 14_200 + 100 * n,
            "published_at": at.isoformat(),
            "collected_at": (at + timedelta(minutes=9)).isoformat(),
            "url": f"https://t.example/{channel}/{n + 1}",
            "text": text,
            "language": language,
        }
