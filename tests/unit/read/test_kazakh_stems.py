import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.read.kazakh_stems import MOODS, PERSONS, analyse, analyses, lemma, stem
from bastau.read.known_words import LETTERS

words = st.text(st.sampled_from(LETTERS.strip()), min_size=1, max_size=14)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("кітабымда", "кітап"),
        ("жүрегіне", "жүрек"),
        ("аяғы", "аяқ"),
        ("халқымызға", "халық"),
        ("орнына", "орын"),
        ("балаларымыздың", "бала"),
        ("қаладағылар", "қала"),
        ("королі", "король"),
        ("партиясының", "партия"),
        ("оған", "ол"),
        ("содан", "сол"),
        ("біздің", "біз"),
        ("бесінші", "бес"),
    ],
)
def test_nouns_lose_their_endings_and_get_their_sounds_back(word, expected):
    assert lemma(word) == expected
    assert not analyse(word).is_verb


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("табады", "тап"),
        ("төгілген", "төк"),
        ("шығады", "шық"),
        ("оқимын", "оқы"),
        ("оқу", "оқы"),
        ("қояды", "қой"),
        ("танимыз", "таны"),
        ("шешуі", "шеш"),
        ("атқанда", "ат"),
        ("бармастан", "бар"),
        ("сездірмеске", "сездір"),
        ("қорқады", "қорық"),
    ],
)
def test_verbs_are_named_by_their_stem(word, expected):
    assert stem(word) == expected or lemma(word) == expected
    assert analyse(word).is_verb


@pytest.mark.parametrize(
    ("word", "mood", "person"),
    [
        ("өлтір", "imperative", "2sg"),
        ("өлтірші", "imperative", "2sg"),
        ("өлтіріңіз", "imperative", "2pol"),
        ("өлтіріңдер", "imperative", "2pl"),
        ("өлтіріңіздер", "imperative", "2polpl"),
        ("өлтірсін", "optative", "3"),
        ("өлтірейін", "voluntative", "1sg"),
        ("өлтірейік", "voluntative", "1pl"),
        ("өлтірді", "past", "3"),
        ("өлтірдік", "past", "1pl"),
        ("өлтіреміз", "present", "1pl"),
        ("өлтіреді", "present", "3"),
        ("өлтірермін", "future", "1sg"),
        ("өлтірер", "future", "3"),
        ("өлтірсе", "conditional", "3"),
        ("өлтіріпті", "evidential", "3"),
        ("өлтіріп", "converb", None),
        ("өлтіру", "verbal_noun", None),
        ("өлтірген", "participle", None),
        ("өлтіретін", "habitual", None),
        ("өлтірмек", "intention", None),
        ("өлтіруші", "agent", None),
    ],
)
def test_mood_and_person_of_a_verb_are_told(word, mood, person):
    reading = analyse(word)
    assert (reading.lemma, reading.is_verb, reading.mood, reading.person) == ("өлтір", True, mood, person)
    assert not reading.is_negative


@pytest.mark.parametrize(
    "word",
    [
        "барма",
        "бармаңыз",
        "бармаңыздар",
        "бармаңдар",
        "бармасын",
        "бармайық",
        "бармады",
        "бармаймын",
        "бармас",
        "бармаса",
        "бармаған",
        "бармай",
        "бармайтын",
        "бармау",
        "көнбе",
        "кетпе",
        "жазба",
        "айтпаңдар",
    ],
)
def test_a_negated_verb_says_so(word):
    assert any(a.is_verb and a.is_negative for a in analyses(word))


def test_negation_in_the_likeliest_reading():
    for word in ("өлтірме", "өлтірмеңдер", "соғыспайық", "атпаңыз", "жасамасын"):
        assert analyse(word).is_negative, word


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("деген", ("де", "participle", None, False)),
        ("дейді", ("де", "present", "3", False)),
        ("емеспіз", ("е", "present", "1pl", True)),
        ("еді", ("е", "past", "3", False)),
        ("тауып", ("тап", "converb", None, False)),
    ],
)
def test_irregular_verbs_keep_their_tags(word, expected):
    reading = analyse(word)
    assert reading.is_verb
    assert (reading.lemma, reading.mood, reading.person, reading.is_negative) == expected


def test_a_passive_is_named_by_its_verb():
    assert lemma("өлтірілді") == "өлтір"
    assert lemma("бұзылады") == "бұз"
    assert lemma("жеңілді") == "жеңіл"


def test_an_order_of_several_people_is_no_possessed_noun():
    assert analyse("қырыңдар").mood == "imperative"
    assert analyse("барыңыз").mood == "imperative"


def test_a_noun_that_could_be_an_order_keeps_that_reading():
    assert {a.is_verb for a in analyses("жау")} == {True, False}


@given(words)
def test_every_word_has_readings_in_order(word):
    readings = analyses(word)
    assert readings
    assert [a.cost for a in readings] == sorted(a.cost for a in readings)
    for reading in readings:
        assert reading.stem
        assert reading.lemma
        assert reading.mood is None or reading.mood in MOODS
        assert reading.person is None or reading.person in PERSONS
        assert reading.is_verb or (reading.mood is None and not reading.is_negative)


@given(words)
def test_the_lemma_of_a_known_lemma_is_reached_by_one_of_its_readings(word):
    reading = analyse(word)
    if reading.is_known:
        assert reading.lemma in {a.lemma for a in analyses(reading.lemma)}


@given(st.text(max_size=60))
def test_what_is_no_word_is_its_own_stem(text):
    if text and not text.isalpha():
        assert stem(text) == text
    else:
        assert analyses(text)
