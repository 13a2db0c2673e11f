"""Mistakes in rule files: each is found, with its line, and none hides another."""

import pytest

from bastau.read.rules import RulesError, load
from bastau.read.rules.documents import MAX_BYTES, RuleFile, parse_document

CONCEPTS = """
concepts:
  harm: {means: "verbs of harm"}
  whom: {means: "people"}
  said: {means: "reports"}
"""
WORDS = """
language: en
words:
  harm: {verbs: "zap"}
  whom: {nouns: "gnome"}
  said: {words: "said"}
"""
MOODS = """
language: en
moods:
  - {mood: order, features: base}
"""
GATES = """
gates:
  - {id: report, why: "reported", cue: {any: said}}
"""
RULE = """
rules:
  - id: zap-gnomes
    version: 1
    act: incite
    author: somebody
    legal_ground: a law
    note: a note
    status: live
    frames:
      - slots:
          call: {any: harm, mood: order}
          target: {any: whom}
    must_hit:
      - {en: "zap the gnomes"}
    must_not_hit:
      - {en: "he said zap the gnomes"}
"""
FILES = {"concepts": CONCEPTS, "words": WORDS, "moods": MOODS, "gates": GATES, "rule": RULE}


def pack_of(**changed: str):
    files = FILES | changed
    return load([RuleFile(f"{name}.yaml", text.encode()) for name, text in files.items()])


def problems_of(**changed: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        pack_of(**changed)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def test_files_without_mistakes_load():
    pack = pack_of()
    assert [rule.id for rule in pack.rules] == ["zap-gnomes"]


@pytest.mark.parametrize(
    ("changed", "line", "words"),
    [
        ({"rule": RULE.replace("version: 1", "version: one")}, 4, "whole number"),
        ({"rule": RULE.replace("    note: a note\n", "")}, 3, "'note' is missing"),
        ({"rule": RULE.replace("act: incite", "act: annoy")}, 5, "none of: incite"),
        ({"rule": RULE.replace("status: live", "status: live\n    colour: red")}, 10, "unknown key 'colour'"),
        ({"rule": RULE.replace("any: whom", "any: whim")}, 13, "unknown concept 'whim'"),
        ({"rule": RULE.replace("          target: {any: whom}\n", "")}, 11, "at least two slots"),
        ({"rule": RULE.replace("{any: whom}", "{any: whom}\n        without: whom")}, 11, "cannot match"),
        ({"rule": RULE.replace("he said zap", "zap")}, 17, "must hit and must not hit"),
        ({"rule": RULE.replace("status: live", "status: live\n    gates: reprot")}, 10, "unknown gate 'reprot'"),
        ({"rule": RULE + RULE.replace("\nrules:\n", "")}, 18, "defined twice"),
        ({"gates": GATES.replace("any: said", "feature: base, any: said")}, 3, "a cue is one of"),
        (
            {"gates": GATES.replace("cue: {any: said}", "cue: {any: said}, where: {before: 0, after: 0}")},
            3,
            "never closes",
        ),
        ({"words": WORDS.replace("zap", "za*p")}, 4, "* stands at the end"),
        ({"words": WORDS.replace('"said"', '"said, said"')}, 6, "listed twice"),
        ({"words": WORDS.replace('"said"', '"..."')}, 6, "holds no letter"),
        ({"words": WORDS.replace('"said"', "'(a+)+b'")}, 6, "regular expressions do not exist"),
        ({"words": WORDS.replace('"said"', '"a/b"')}, 6, "/ stands only between"),
        ({"rule": RULE.replace("          target: {any: whom}\n", "        alone: true\n")}, 11, "phrases only"),
        ({"words": WORDS.replace("zap", "slay/slew")}, 4, "five forms"),
        ({"words": WORDS + "  whim: {words: x}\n"}, 7, "unknown concept 'whim'"),
        ({"concepts": CONCEPTS + '  dull: {means: "unused"}\n'}, 6, "has no words"),
        ({"concepts": CONCEPTS + '  harm: {means: "again"}\n'}, 6, "appears twice"),
        ({"concepts": CONCEPTS.replace('"people"', '"people", is: whom')}, 4, "a kind of itself"),
        ({"moods": MOODS.replace("base", "bass")}, 4, "unknown feature"),
        ({"moods": MOODS.replace("language: en", "")}, 3, "says its `language:`"),
        ({"gates": GATES + "\t- broken"}, 4, "not YAML"),
        ({"gates": GATES.replace("why:", "why: &x")}, 3, "anchors"),
        ({"gates": "!!python/object:os.system x"}, 1, "tags"),
        ({"gates": "a: " + "[" * 40 + "]" * 40}, 1, "nested deeper"),
        ({"gates": "# nothing\n"}, 1, "empty file"),
        ({"gates": "---\na: b\n---\na: b\n"}, 3, "more than one document"),
    ],
)
def test_a_mistake_is_found_with_its_line(changed, line, words):
    problems = problems_of(**changed)
    name = next(iter(changed))
    assert any(problem.startswith(f"{name}.yaml:{line}: ") and words in problem for problem in problems), problems


def test_all_mistakes_of_all_files_are_told_at_once():
    problems = problems_of(
        rule=RULE.replace("any: whom", "any: whim").replace("version: 1", "version: x"),
        words=WORDS.replace("zap", "za*p"),
    )
    assert len(problems) >= 3


def test_bytes_that_are_no_text_are_told_with_their_line():
    problems = []
    assert parse_document(b"a: b\nc: \xff\n", "x.yaml", problems) is None
    assert str(problems[0]).startswith("x.yaml:2: not UTF-8")


def test_a_huge_file_is_not_even_parsed():
    problems = []
    assert parse_document(b"a" * (MAX_BYTES + 1), "x.yaml", problems) is None
    assert "larger than" in str(problems[0])


def test_a_bomb_of_aliases_is_refused_before_it_unfolds():
    bomb = "a: &a [x, x]\n" + "".join(f"k{i}: &k{i} [*a, *a]\n" for i in range(50))
    problems = []
    assert parse_document(bomb.encode(), "x.yaml", problems) is None
    assert str(problems[0]).startswith("x.yaml:1: anchors")


def test_the_fingerprint_follows_every_byte_of_every_file():
    assert pack_of().fingerprint == pack_of().fingerprint
    assert pack_of().fingerprint != pack_of(gates=GATES + "# a comment\n").fingerprint
