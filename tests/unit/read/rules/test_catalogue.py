"""What rules say of themselves, read without compiling them."""

import pytest

from bastau.read.rules.catalogue import catalogue
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.loading import rule_files, rules_folder

RULES = """
rules:
  - id: one
    version: 3
    act: incite
    author: a
    legal_ground: law
    note: what it is for
    status: shadow
    frames: []
    must_hit: [{en: "kill them", ru: "убей их"}, {en: "slay them"}]
    must_not_hit: [{kk: "кино"}]
"""


def test_a_rule_with_its_texts_by_language():
    [rule], problems = catalogue([RuleFile("own/one.yaml", RULES.encode())])
    assert problems == []
    assert (rule.id, rule.version, rule.act, rule.is_live, rule.file) == ("one", "3", "incite", False, "own/one.yaml")
    assert (rule.legal_ground, rule.note, rule.technique) == ("law", "what it is for", "")
    assert rule.must_hit == (("en", "kill them"), ("ru", "убей их"), ("en", "slay them"))
    assert rule.must_not_hit == (("kk", "кино"),)


def test_a_broken_file_is_told_and_hides_no_other():
    broken = RuleFile("own/broken.yaml", b"rules: [{id: [")
    found, problems = catalogue([broken, RuleFile("own/one.yaml", RULES.encode())])
    assert [rule.id for rule in found] == ["one"]
    assert [problem.path for problem in problems] == ["own/broken.yaml"]


@pytest.mark.parametrize(
    "raw", [b"{", b"[legal_ground]", b"rules: [legal_ground]", b"rules: {id: a}", b"rules:\n- [b]"]
)
def test_a_file_without_rules_has_none_and_hides_no_other(raw):
    found, _ = catalogue([RuleFile("bad.yaml", raw + b" # rules:"), RuleFile("own/one.yaml", RULES.encode())])
    assert [rule.id for rule in found] == ["one"]


def test_odd_shapes_break_nothing():
    odd = RuleFile("odd.yaml", b"rules: {a: b}\nwords: {kill: {verbs: slay}}\n")
    odder = RuleFile("odder.yaml", b"rules:\n  - just a word\n  - id: [x]\n    must_hit: {en: x}\n")
    found, problems = catalogue([odd, odder])
    assert problems == []
    assert [(rule.id, rule.must_hit) for rule in found] == [("", ())]


def test_every_shipped_rule_has_texts_in_it():
    found, problems = catalogue(rule_files([rules_folder()]))
    assert problems == []
    ids = [
        line.split(b"id:")[1].strip().decode()
        for file in rule_files([rules_folder() / "acts"])
        for line in file.raw.splitlines()
        if line.startswith(b"  - id:")
    ]
    assert ids
    assert set(ids) <= {rule.id for rule in found}
    assert len(found) > 50
    assert all(rule.id and rule.version and rule.legal_ground and rule.must_hit and rule.must_not_hit for rule in found)
