"""What rules say of themselves is what the compiled rules hold."""

import pytest

from bastau.read.rules.commands import files_of
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.loading import rule_files, rules_folder
from bastau.read.rules.notes import RuleNote, rule_notes

ONE = b"""
rules:
  - {id: one, version: 3, act: incite, legal_ground: a law, note: what for}
  - {id: two, version: 1, technique: T1, legal_ground: none, note: ""}
"""


def test_each_rule_with_version_act_ground_and_purpose() -> None:
    found = rule_notes([RuleFile("a.yaml", ONE), RuleFile("b.yaml", b"concepts: {}")])
    assert found == {"one": RuleNote(3, "incite", "a law", "what for"), "two": RuleNote(1, "", "none", "")}


@pytest.mark.parametrize(
    "raw", [b"{", b"[legal_ground]", b"rules: [legal_ground]", b"rules: [{id: a, legal_ground: b}]"]
)
def test_a_file_that_cannot_be_read_has_no_notes_and_hides_none(raw: bytes) -> None:
    assert list(rule_notes([RuleFile("bad.yaml", raw + b" # legal_ground"), RuleFile("a.yaml", ONE)])) == ["one", "two"]


def test_every_shipped_rule_has_a_note() -> None:
    found = rule_notes(files_of())
    ids = {
        line.split(b"id:")[1].strip().decode()
        for file in rule_files([rules_folder() / "acts"])
        for line in file.raw.splitlines()
        if line.startswith(b"  - id:")
    }
    assert ids
    assert ids <= set(found)
    assert all(note.legal_ground for note in found.values())
