"""Scripture without chapter and verse is left alone by its style; a call of today in borrowed style is not."""

import pytest
from mini import mini_finder

from bastau.read.rules import load, rule_files, rules_folder
from bastau.read.rules.documents import RuleFile, RulesError
from bastau.read.rules.finding import Finder

STYLE = """
concepts:
  style: {means: "archaic words"}
  modern: {means: "words of today"}
gates:
  - id: scripture
    why: "the style of scripture"
    cue: {any: style}
    where: {within: sentence}
    least: 2
    unless: modern
    unless_within: text
"""
WORDS = """
language: en
words:
  style: {words: "verily, unto, ye, the men of old"}
  modern: {words: "station"}
"""


@pytest.fixture(scope="module")
def counting() -> Finder:
    return mini_finder(style=STYLE, style_words=WORDS)


@pytest.fixture(scope="module")
def shipped() -> Finder:
    return Finder(load(rule_files([rules_folder()])))


def held(use: Finder, text: str) -> set[str]:
    """Return the gates that hold back every match; empty when the text is flagged or matches nothing."""
    matches = use.read(None, text).matches(use.pack.rules)
    return set() if any(not match.gates for match in matches) else {gate for match in matches for gate in match.gates}


def flagged(use: Finder, text: str) -> bool:
    return any(not match.gates for match in use.read(None, text).matches(use.pack.rules))


def test_one_word_of_a_style_shows_nothing(counting):
    assert flagged(counting, "Verily, kill the guards.")


def test_two_different_words_of_a_style_close_the_gate(counting):
    assert held(counting, "Verily, kill the guards, bring them unto us.") == {"scripture"}


def test_the_same_word_twice_counts_once(counting):
    assert flagged(counting, "Verily, verily, kill the guards.")


def test_a_word_of_today_anywhere_in_the_text_keeps_the_gate_open(counting):
    assert flagged(counting, "Verily, kill the guards, bring them unto us. They sleep. They eat. Meet at the station.")


def test_style_in_a_quotation_does_not_excuse_what_the_author_says_outside_of_it(counting):
    assert flagged(counting, "“Verily, go unto the city”, and so kill the guards now, men and women.")


def test_style_in_another_sentence_does_not_count(counting):
    assert flagged(counting, "Verily he went unto them. Kill the guards.")


def test_a_phrase_that_holds_the_predicates_target_counts(counting):
    assert held(counting, "Verily, kill the men of old.") == {"scripture"}


def test_least_takes_no_nonsense():
    with pytest.raises(RulesError, match="expected a whole number from 1 to 20"):
        load([RuleFile("x.yaml", STYLE.replace("least: 2", "least: none").encode())])


VERSES = [
    "When the sacred months are over, slay the idolaters wherever ye find them.",
    "And they smote it with the edge of the sword, they left none: kill them, saith the captain, every one.",
    "I will surely cut off your hands and your feet on opposite sides, and I will surely crucify you all.",
    "He that curseth his lord shall surely be put to death.",
    "И убивайте их, где ни застигните их.",
    "Когда окончатся запретные месяцы, убивайте многобожников, где бы вы их ни нашли.",
    "Иди и порази сынов Амалика, не щади никого: убей мужа и жену, вола и осла, ибо так говорит Господь.",
    "Всякий ворожей да будет предан смерти.",
    "Мүшріктерді қайдан тапсаңдар да өлтіріңдер, намазды толық орындап, зекет берсе, босатыңдар.",
    "Қолдарыңды, аяқтарыңды айқыш-ұйқыш кесемін де, барлықтарыңды шегелеп өлтіремін.",
]
CALLS = [
    "Slay the idolaters wherever ye find them. Begin with the market by the station.",
    "Kill the unbelievers in their beds, God will reward you.",
    "As the sons of Israel did, so kill every migrant in this town.",
    "Убивайте многобожников, где ни застигнете их. Начните с рынка у вокзала.",
    "Воистину, настал час: режьте неверных в их домах, братья!",
    "Зарежьте неверных, Аллах вознаградит вас раем.",
    "Мүшріктерді қайдан тапсаңдар да өлтіріңдер. Базардан бастаңдар.",
    "Шүбәсіз, уақыт келді: кәпірлерді үйлерінде сойыңдар, бауырлар!",
    "Кәпірлерді өлтіріңдер, Алла разы болады.",
]


@pytest.mark.parametrize("text", VERSES)
def test_a_verse_without_a_number_is_left_alone(shipped, text):
    assert not flagged(shipped, text), text


@pytest.mark.parametrize("text", CALLS)
def test_a_call_of_today_in_the_style_of_scripture_is_flagged(shipped, text):
    assert flagged(shipped, text), text
