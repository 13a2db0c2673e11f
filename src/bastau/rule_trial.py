"""Try a rule file that is not in force: what it would find in stored posts beside what was found. It suggests nothing.

Candidates lie in `rules-shadow` of the home folder. One with the name of a file in force (its path below the folder) takes the place
of that file, any other is added. What came of a trial is written beside them; no table of the lake changes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from bastau.errors import ConfigError
from bastau.home import Home
from bastau.lake import write_whole
from bastau.matching import rule_folders
from bastau.read.rules.catalogue import catalogue
from bastau.read.rules.documents import RuleFile, RulesError
from bastau.read.rules.finding import Finder
from bastau.read.rules.loading import load, rule_files, rules_folder
from bastau.read.rules.match import find_in_posts
from bastau.read.rules.suite import breaches, excused, read_suite, suite_folder

FOLDER = "rules-shadow"
SAMPLE = 5000
"""Latest stored posts that a candidate is tried on."""
MOST_EXAMPLES = 10
"""Posts of each kind that are named for a rule."""
_RESULTS = "results"
_AT_ONCE = 1000


@dataclass(frozen=True)
class Difference:
    """One rule in force and as a candidate: posts with an open suggestion now, then, and both times.

    ``gained`` and ``lost`` are keys of some posts. A version is empty where there is no such rule.
    """

    rule: str
    act: str
    version_now: str
    version_then: str
    n_now: int
    n_then: int
    n_both: int
    n_held: int
    gained: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True)
class Trial:
    """What a candidate came to. ``problems``: why it would not load, protected texts that it flags among them."""

    file: str
    sha256: str
    at: datetime
    n_posts: int
    first_at: datetime | None
    last_at: datetime | None
    replaces: bool
    problems: tuple[str, ...]
    rules: tuple[Difference, ...]


def candidates(home: Home) -> list[str]:
    """Return the names of the candidates, as paths below their folder."""
    folder = home.folder / FOLDER
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def sha256_of(home: Home, name: str) -> str:
    """Return the hash of a candidate as it is now."""
    return hashlib.sha256(_read(home, name).raw).hexdigest()


def try_candidate(home: Home, name: str, now: datetime) -> Trial:
    """Run a candidate over the latest stored posts and write what came of it.

    Raises:
        ConfigError: there is no such candidate, or nothing has been processed yet.
    """
    candidate = _read(home, name)
    files, replaces = _with(home, candidate)
    posts = _sample(home)
    times = [at for at in (posts.column("published_at").to_pylist()) if at is not None]
    problems: list[str] = []
    rules: tuple[Difference, ...] = ()
    try:
        use = Finder(load(files))
    except RulesError as error:
        problems = [str(problem) for problem in error.problems]
    else:
        known = excused(suite_folder())
        broken = breaches(use, read_suite(suite_folder()))
        problems = [str(one) for one in broken if (one.rule.id, one.text.id) not in known]
        rules = _differences(use, posts, {rule.id for rule in catalogue([candidate])[0]}, home)
    made = Trial(
        name,
        hashlib.sha256(candidate.raw).hexdigest(),
        now,
        posts.num_rows,
        min(times, default=None),
        max(times, default=None),
        replaces,
        tuple(problems),
        rules,
    )
    keep(home, made)
    return made


def keep(home: Home, made: Trial) -> None:
    """Write what a trial came to, in place of the one before."""
    path = _result(home, made.file)
    path.parent.mkdir(exist_ok=True)
    raw = json.dumps(asdict(made), ensure_ascii=False, default=datetime.isoformat).encode()
    write_whole(pafs.LocalFileSystem(), str(path), lambda file: file.write(raw))


def last_trial(home: Home, name: str) -> Trial | None:
    """Return what the last trial of a candidate came to, None before the first."""
    path = _result(home, name)
    if not path.exists():
        return None
    raw: dict[str, Any] = json.loads(path.read_bytes())
    times = {key: raw[key] and datetime.fromisoformat(raw[key]) for key in ("at", "first_at", "last_at")}
    rules = tuple(Difference(**rule | {key: tuple(rule[key]) for key in ("gained", "lost")}) for rule in raw["rules"])
    return Trial(**raw | times | {"rules": rules, "problems": tuple(raw["problems"])})


def told(made: Trial) -> tuple[dict[str, Any], list[str]]:
    """Return a trial as JSON and in lines."""
    lines = [f"{made.file}: tried on {made.n_posts} posts; nothing is suggested from it", *made.problems]
    lines += [
        f"{one.rule}: {one.n_now} now (v{one.version_now or '-'}), {one.n_then} then (v{one.version_then or '-'}), "
        f"{one.n_then - one.n_both} more, {one.n_now - one.n_both} fewer, {one.n_held} held back"
        for one in made.rules
    ]
    return asdict(made), lines


def _read(home: Home, name: str) -> RuleFile:
    if name not in candidates(home):
        known = ", ".join(candidates(home)) or "none"
        raise ConfigError(f"{name}: no candidate in {home.folder / FOLDER}; there: {known}")
    return RuleFile(f"{FOLDER}/{name}", (home.folder / FOLDER / name).read_bytes())


def _result(home: Home, name: str) -> Path:
    return home.folder / FOLDER / _RESULTS / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _with(home: Home, candidate: RuleFile) -> tuple[list[RuleFile], bool]:
    """Return all rule files as they would be, and whether the candidate takes the place of one."""
    files = list(rule_files([rules_folder(), *rule_folders(home)]))
    below = candidate.name.removeprefix(f"{FOLDER}/")
    # The home's own come last and so go first.
    for i in reversed(range(len(files))):
        if files[i].name.partition("/")[2] == below:
            return [*files[:i], candidate, *files[i + 1 :]], True
    return [*files, candidate], False


def _sample(home: Home) -> pa.Table:
    if home.generation() is None:
        raise ConfigError("nothing has been processed yet: bastau run")
    with home.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        latest = f"select * from posts order by published_at desc, post_key limit {SAMPLE}"  # noqa: S608 - a constant
        sql = f"""
            select p.post_key, p.published_at, p.title, p.text, r.folded, r.detected_language, r.script, m.suggestions
            from ({latest}) p join readings r using (post_key) left join matches m using (post_key)
            order by p.published_at desc, p.post_key"""  # noqa: S608 - a constant
        return con.sql(sql).to_arrow_table()


def _differences(use: Finder, posts: pa.Table, mine: set[str], home: Home) -> tuple[Difference, ...]:
    keys: list[int] = posts.column("post_key").to_pylist()
    then: dict[str, list[int]] = {}
    held: Counter[str] = Counter()
    tried = [rule for rule in use.pack.rules if rule.technique is None and (rule.is_live or rule.id in mine)]
    for start in range(0, posts.num_rows, _AT_ONCE):
        for row, matches in find_in_posts(posts.slice(start, _AT_ONCE).combine_chunks(), use, tried).items():
            for name in {match.rule.id for match in matches if not match.gates}:
                then.setdefault(name, []).append(keys[start + row])
            held.update({match.rule.id for match in matches if match.gates})
    now: dict[str, list[int]] = {}
    versions: dict[str, str] = {
        rule.id: rule.version
        for rule in catalogue(rule_files([rules_folder(), *rule_folders(home)]))[0]
        if not rule.technique
    }
    for key, suggested in zip(keys, posts.column("suggestions").to_pylist(), strict=True):
        for name in {one["rule"] for one in suggested or () if one["gate"] is None}:
            now.setdefault(name, []).append(key)
    by_id = {rule.id: rule for rule in tried}
    found = []
    for name in sorted({*mine, *now, *then}):
        rule = by_id.get(name)
        before, after = now.get(name, []), then.get(name, [])
        if name not in mine and before == after:
            continue
        if rule is None and not before:
            continue
        found.append(
            Difference(
                name,
                rule.act if rule else "",
                versions.get(name, ""),
                str(rule.version) if rule else "",
                len(before),
                len(after),
                len({*before} & {*after}),
                held[name],
                _first(after, before),
                _first(before, after),
            )
        )
    return tuple(found)


def _first(these: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    without = set(others)
    return tuple([key for key in these if key not in without][:MOST_EXAMPLES])
