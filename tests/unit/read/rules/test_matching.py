"""The fast look against the slow one, and the stage over both."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mini import mini_files, mini_finder

from bastau.read.fold import Fold, fold_strings
from bastau.read.rules.commands import check_rows, explain
from bastau.read.rules.documents import RulesError
from bastau.read.rules.finding import finder
from bastau.read.rules.match import MatchRules
from bastau.read.rules.suite import SuiteText, breaches, refuse_breaches
from bastau.schemas import LANGUAGE
from bastau.tables import append_columns

USE = mini_finder()
WORDS = st.sampled_from(
    [
        "kill",
        "slay",
        "wipe",
        "off",
        "the",
        "map",
        "guards",
        "judge",
        "them",
        "brothers",
        "and",
        "must",
        "be",
        "will",
        "we",
        "may",
        "not",
        "never",
        "said",
        "wrote",
        "that",
        "do",
        "it",
        "he",
        "is",
        "right",
        "level",
        "join",
        "gnome",
        "order",
        "caliphate",
        "убивайте",
        "убивать",
        "надо",
        "не",
        "судью",
        "охранников",
        "их",
        "сказал",
        "өлтіріңдер",
        "өлтіреміз",
        "жояйық",
        "қырып",
        "салыңдар",
        "күзетшілерді",
        "сотты",
        "керек",
        "деді",
        "деп",
        "емес",
        "one",
        "two",
        "three",
        ".",
        ",",
        ":",
        "“",
        "”",
        "!",
        "\n",
    ]
)


@given(st.lists(WORDS, max_size=40))
def test_the_fast_look_never_misses_what_the_slow_one_finds(words):
    text = " ".join(words)
    if USE.read(None, text).matches(USE.pack.rules):
        assert USE.screen.run(fold_strings(pa.array([text]))[0])[0]


@given(st.lists(WORDS, max_size=30), st.lists(WORDS, max_size=8))
def test_no_rule_that_matches_is_missed_by_where_sentences_and_clauses_end(words, title):
    text, head = " ".join(words), " ".join(title)
    found = {match.rule.id for match in USE.read(head, text).matches(USE.pack.rules)}
    titles, texts = pa.array([head]), pa.array([text])
    may_match = USE.screen.look(fold_strings(texts, titles)[0], titles, texts)[0]
    assert found <= {rule.id for rule, may in zip(USE.pack.rules, may_match, strict=True) if may}


def test_the_fast_look_keeps_to_sentences_and_clauses():
    texts = pa.array(["They kill. The guards sleep", "Kill the guards", "we said kill the guards"])
    none = pa.nulls(3, pa.string())
    folded = fold_strings(texts)[0]
    assert USE.screen.run(folded).tolist() == [True, True, True]
    assert USE.screen.look(folded, none, texts).any(axis=1).tolist() == [False, True, False]


def test_phrases_are_looked_at_whole():
    texts = pa.array(["wipe the guards off the map", "wipe off the guards", "the guards off the map"])
    assert USE.screen.run(texts).tolist() == [True, False, False]


def test_long_texts_go_on():
    texts = pa.array(["kill the guards " * 9000, "kill the guards " * 3000])
    none = pa.nulls(2, pa.string())
    assert USE.screen.look(fold_strings(texts)[0], none, texts).any(axis=1).all()


def test_the_fast_look_turns_away_posts_without_a_whole_frame():
    texts = ["kill", "the guards", "we said that the judge must sleep", "kill " + "one " * 60 + "guards", ""]
    assert not USE.screen.run(pa.array(texts)).any()


def test_one_class_of_words_may_be_disguised():
    texts = pa.array(["k1ll the guards", "kill the gu4rds", "we walk"])
    assert USE.screen.run(texts).tolist() == [False, False, False]
    assert USE.screen.run_disguised(texts, np.ones(3, np.bool_)).tolist() == [True, True, False]
    assert USE.screen.run_disguised(texts, np.zeros(3, np.bool_)).tolist() == [False, False, False]


def _rule(name: str, first: str, second: str, status: str = "live") -> str:
    return f"""
  - id: {name}
    version: 1
    act: incite
    author: tests
    legal_ground: none
    note: for a test
    status: {status}
    frames:
      - slots:
          a: {first}
          b: {second}
    must_hit:
      - {{en: "x"}}
    must_not_hit:
      - {{en: "y"}}
"""


def posts_of(*texts: str | None, language: str = "en", script: str = "Latn") -> pa.Table:
    table = pa.table({"title": pa.nulls(len(texts), pa.string()), "text": pa.array(texts, pa.string())})
    columns = pa.schema([LANGUAGE.field("detected_language"), LANGUAGE.field("script")])
    rows = [{"detected_language": language, "script": script} for _ in texts]
    return append_columns(Fold().run(table), rows, columns)


@pytest.fixture
def stage(monkeypatch):
    from bastau.read.rules import match

    monkeypatch.setattr(match, "finder", lambda own: USE)
    return MatchRules()


def test_the_stage_says_what_was_found_and_null_where_nothing_was(stage):
    out = stage.run(posts_of("Kill the guards!", "The guards sleep", None, "He said: kill the guards"))
    assert out.schema.field("suggestions") == stage.adds.field("suggestions")
    flagged, nothing, empty, held = out.column("suggestions").to_pylist()
    assert nothing is None
    assert empty is None
    assert [(one["act"], one["rule"], one["version"], one["gate"]) for one in flagged] == [("incite", "call", 3, None)]
    assert flagged[0]["spans"] == [
        {"field": "text", "start": 0, "end": 4, "slot": "call"},
        {"field": "text", "start": 9, "end": 15, "slot": "target"},
    ]
    assert held[0]["gate"] == "attribution"
    assert held[0]["score"] < flagged[0]["score"]


def test_shadow_rules_are_applied_only_when_asked(stage):
    posts = posts_of("Join the gnome order")
    assert stage.run(posts).column("suggestions").to_pylist() == [None]
    assert MatchRules(shadow=True).run(posts).column("suggestions").to_pylist()[0][0]["rule"] == "join"


def test_techniques_are_no_suggestions(stage):
    out = stage.run(posts_of("he is right, guards"))
    assert out.column("suggestions").to_pylist() == [None]
    assert out.column("techniques").to_pylist() == [["T0001"]]


def test_a_disguised_word_is_found_and_shown_in_the_original(stage):
    text = "Brothers, k1ll the guards now"
    (found,) = stage.run(posts_of(text)).column("suggestions").to_pylist()
    assert text[found[0]["spans"][1]["start"] : found[0]["spans"][1]["end"]] == "k1ll"


def test_no_rows_and_several_chunks_are_fine(stage):
    assert stage.run(posts_of().slice(0, 0)).num_rows == 0
    both = pa.concat_tables([posts_of("Kill the guards"), posts_of("nothing", "Slay them")])
    assert [bool(x) for x in stage.run(both).column("suggestions").to_pylist()] == [True, False, True]


def test_the_stage_travels_with_the_operators_own_files():
    stage = MatchRules(own=mini_files()[:1])
    assert pickle.loads(pickle.dumps(stage)) == stage


def test_compiled_rules_are_kept_by_contents(monkeypatch):
    from bastau.read.rules import finding

    monkeypatch.setattr(finding, "rule_files", lambda folders: ())
    finder.cache_clear()
    try:
        assert finder(mini_files()) is finder(mini_files())
        assert MatchRules(own=mini_files()).fingerprint != MatchRules(own=mini_files(), shadow=True).fingerprint
    finally:
        finder.cache_clear()


SUITE = [
    SuiteText("k-1", "Kill the guards!", "en", "call", "flag"),
    SuiteText("p-1", "He said: kill the guards.", "en", "news", "protected"),
    SuiteText("p-2", "The guards will sleep.", "en", "news", "protected"),
]


def test_rules_that_leave_protected_texts_alone_pass_the_suite():
    assert breaches(USE, SUITE) == []
    refuse_breaches(USE, SUITE)


def test_a_rule_that_flags_a_protected_text_does_not_load():
    bad = mini_finder(own="rules:" + _rule("own-bad", "{any: will}", "{any: people}", "shadow"))
    with pytest.raises(RulesError) as caught:
        refuse_breaches(bad, SUITE)
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "own.yaml:2: rule 'own-bad' flags the protected text p-2 (en, news): b 4-10, a 11-15"
    )
    assert "guards" not in str(problem)
    refuse_breaches(bad, SUITE, frozenset({("own-bad", "p-2")}))


def test_check_answers_for_each_row():
    rows = [{"id": 1, "text": "Kill the guards"}, {"id": 2, "title": "Slay them", "text": None}, {"id": 3, "text": "x"}]
    answers = check_rows(rows, USE)
    assert [(a["id"], a["flagged"], len(a["suggestions"])) for a in answers] == [
        (1, True, 1),
        (2, True, 1),
        (3, False, 0),
    ]


def test_explain_says_why_and_why_not():
    _, lines = explain("He said: kill the guards", use=USE)
    assert any("left alone, attribution: reported" in line for line in lines)
    _, lines = explain("kill the trees", use=USE)
    assert any("call: nothing for target (people)" in line for line in lines)
