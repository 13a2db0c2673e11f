"""The rules that come with bastau: every text that shows what a rule is for, and the schema for editors."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from bastau.read.fold import fold_strings
from bastau.read.rules import load, rule_files, rules_folder
from bastau.read.rules.commands import try_texts
from bastau.read.rules.finding import Finder
from bastau.read.rules.format import editor_schema

SCHEMA = Path(__file__).parents[4] / "docs" / "reference" / "rule.schema.json"


@pytest.fixture(scope="module")
def shipped() -> Finder:
    return Finder(load(rule_files([rules_folder()])))


def test_each_rule_hits_and_spares_the_texts_it_names(shipped):
    wrong = [row for row in try_texts(shipped.pack, shipped.pack.rules) if not row["passes"]]
    assert wrong == []


def test_the_fast_look_lets_every_text_through_that_must_be_hit(shipped):
    texts = [text for rule in shipped.pack.rules for _, text, _ in rule.must_hit]
    passed = shipped.screen.run(fold_strings(pa.array(texts))[0])
    assert [text for text, good in zip(texts, passed, strict=True) if not good] == []


def test_every_act_has_a_live_rule_in_every_language(shipped):
    shown = {(rule.act, language) for rule in shipped.pack.rules if rule.is_live for language, _, _ in rule.must_hit}
    acts = ("incite", "threaten", "recruit", "glorify", "instruct")
    assert {(act, language) for act in acts for language in ("kk", "ru", "en")} <= shown


def test_no_rule_is_content_with_names_of_faiths_peoples_or_organisations(shipped):
    quiet = sum(shipped.pack.bits.get(name, 0) for name in ("believers", "peoples", "organisation", "god", "scripture"))
    for rule in shipped.pack.rules:
        for frame in rule.frames:
            assert any(slot.mask & ~quiet for slot in frame.slots if not slot.optional), rule.id


def test_the_schema_for_editors_follows_the_loader():
    assert json.loads(SCHEMA.read_text()) == editor_schema()
