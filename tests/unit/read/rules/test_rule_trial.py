"""Candidates are tried on posts beside what was found; nothing takes effect."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from mini import PARTS, RULES

from bastau import rule_trial
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.read.fold import fold_strings
from bastau.read.language import DetectLanguage
from bastau.read.rules.suite import SuiteText
from bastau.schemas import SUGGESTIONS
from bastau.settings import Settings

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEXTS = (
    "kill the guards",
    'He shouted: "Brothers, kill the guards"',
    "brothers, kill the judge",
    "the river rose",
    "they took the judge",
)


def posts() -> pa.Table:
    text = pa.array(TEXTS)
    n = len(TEXTS)
    table = pa.table({"title": pa.nulls(n, pa.string()), "text": text, "folded": fold_strings(text)[0]})
    table = DetectLanguage().run(table)
    found = {"act": "incite", "rule": "call", "version": 3, "spans": [], "gate": None, "score": 1.0}
    now = pa.array([[found], [found | {"gate": "negation"}], [found], None, None], SUGGESTIONS.field(0).type)
    times = pa.array([NOW] * n, pa.timestamp("us", "UTC"))
    keys = pa.array(range(n), pa.int64())
    return table.append_column("post_key", keys).append_column("published_at", times).append_column("suggestions", now)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    shipped = tmp_path / "shipped" / "rules"
    shipped.mkdir(parents=True)
    for name, text in PARTS.items():
        (shipped / f"{name}.yaml").write_text(text, "utf-8")
    (tmp_path / "home" / rule_trial.FOLDER).mkdir(parents=True)
    monkeypatch.setattr(rule_trial, "rules_folder", lambda: shipped)
    monkeypatch.setattr(rule_trial, "rule_folders", lambda _home: [])
    monkeypatch.setattr(rule_trial, "_sample", lambda _home: posts())
    monkeypatch.setattr(rule_trial, "read_suite", lambda _folder: [])
    return Home(tmp_path / "home", Settings())


def write(home: Home, name: str, text: str) -> str:
    (home.folder / rule_trial.FOLDER / name).write_text(text, "utf-8")
    return name


def test_a_changed_rule_takes_the_place_of_the_one_in_force(home):
    changed = RULES.replace("version: 3", "version: 4").replace(
        "any: people}\n          addressee", "any: addressee}\n          addressee"
    )
    made = rule_trial.try_candidate(home, write(home, "rules.yaml", changed), NOW)
    assert made.replaces
    [call] = [one for one in made.rules if one.rule == "call"]
    assert (call.version_now, call.version_then) == ("3", "4")
    assert (call.n_now, call.n_then, call.n_both) == (2, 1, 1)
    assert (call.gained, call.lost) == ((), (0,))


def test_the_same_rules_find_the_same(home):
    made = rule_trial.try_candidate(home, write(home, "rules.yaml", RULES), NOW)
    [call] = [one for one in made.rules if one.rule == "call"]
    assert (call.n_now, call.n_then, call.n_both, call.n_held) == (2, 2, 2, 1)
    assert (call.gained, call.lost) == ((), ())


OWN = """
concepts:
  seize: {means: "take away"}
---words---
rules:
  - id: taken
    version: 1
    act: threaten
    author: tests
    legal_ground: none
    note: somebody is taken away
    status: shadow
    frames:
      - slots:
          act: {any: seize}
          target: {any: people}
    must_hit: [{en: "they carried off the judge"}]
    must_not_hit: [{en: "the judge"}]
"""


def test_another_file_is_added_and_its_shadow_rules_count(home):
    write(home, "own.yaml", OWN.replace("---words---", "language: en\nwords:\n  seize: {words: took}"))
    made = rule_trial.try_candidate(home, "own.yaml", NOW)
    assert (made.replaces, made.problems) == (False, ())
    [taken] = made.rules
    assert (taken.rule, taken.version_now, taken.n_now, taken.n_then, taken.gained) == ("taken", "", 0, 1, (4,))


def test_a_file_that_does_not_load_says_why_and_where(home):
    made = rule_trial.try_candidate(home, write(home, "own.yaml", "rules:\n  - id: x\n"), NOW)
    assert made.rules == ()
    assert all(problem.startswith("rules-shadow/own.yaml:") for problem in made.problems)


def test_a_rule_that_flags_protected_speech_is_told_by_the_text_s_id(home, monkeypatch):
    protected = SuiteText("p-1", "kill the guards", "en", "satire", "protected")
    monkeypatch.setattr(rule_trial, "read_suite", lambda _folder: [protected])
    made = rule_trial.try_candidate(home, write(home, "rules.yaml", RULES), NOW)
    assert "p-1" in made.problems[0]
    assert "kill the guards" not in " ".join(made.problems)


def test_what_came_of_it_is_kept_and_read_again(home):
    assert rule_trial.last_trial(home, write(home, "rules.yaml", RULES)) is None
    made = rule_trial.try_candidate(home, "rules.yaml", NOW)
    assert rule_trial.last_trial(home, "rules.yaml") == made
    assert made.sha256 == rule_trial.sha256_of(home, "rules.yaml")
    assert rule_trial.candidates(home) == ["rules.yaml"]
    answer, lines = rule_trial.told(made)
    assert answer["n_posts"] == len(TEXTS)
    assert not any(text in line for text in TEXTS for line in lines)


@pytest.mark.parametrize("name", ["none.yaml", "../bastau.toml", "/etc/passwd", ""])
def test_only_what_lies_in_the_folder_is_tried(home, name):
    (home.folder / "bastau.toml").write_text("")
    with pytest.raises(ConfigError, match="no candidate"):
        rule_trial.try_candidate(home, name, NOW)
