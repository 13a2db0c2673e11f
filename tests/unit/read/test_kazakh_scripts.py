from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.read.kazakh_scripts import (
    ALPHABETS,
    from_cyrillic,
    guess_alphabet,
    read_russian,
    to_cyrillic,
    to_cyrillic_with_offsets,
)

SENTENCE = "Бүгін қалада жаңа мектеп ашылды, оған екі мыңнан астам оқушы барады"
WRITTEN = {
    "2021": "Bügın qalada jaña mektep aşyldy, oğan ekı myñnan astam oquşy barady",
    "2018": "Búgin qalada jańa mektep ashyldy, oǵan eki myńnan astam oqýshy barady",
    "2017": "Bu'gin qalada jan'a mektep as'yldy, og'an eki myn'nan astam oqy's'y barady",
    "wiki": "Bügin qalada jaña mektep aşıldı, oğan eki mıñnan astam oqwşı baradı",
    "arab": "بۇگىن قالادا جاڭا مەكتەپ اشىلدى, وعان ەكى مىڭنان استام وقۋشى بارادى",
}


def own_words():
    lines = files("bastau.read").joinpath("kazakh_roots.txt").read_text(encoding="utf-8").splitlines()
    return sorted({w for line in lines if line[:2] in ("v:", "n:", "x:") for w in line[2:].split() if w.isalpha()})


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_sentence_is_written_as_the_alphabet_says(alphabet):
    assert from_cyrillic(SENTENCE, alphabet) == WRITTEN[alphabet]


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_sentence_comes_back(alphabet):
    back = to_cyrillic(WRITTEN[alphabet], alphabet)
    assert back.lower() == SENTENCE.lower()


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_listed_roots_come_back(alphabet):
    words = own_words()
    back = [to_cyrillic(from_cyrillic(word, alphabet), alphabet) for word in words]
    lost = [word for word, got in zip(words, back, strict=True) if word != got]
    assert len(lost) < 0.02 * len(words), lost


@pytest.mark.parametrize("alphabet", ["2021", "2018", "2017", "wiki", "arab"])
def test_the_alphabet_is_guessed(alphabet):
    assert guess_alphabet(WRITTEN[alphabet]) == alphabet


def test_latin_without_signs_is_read_as_chat():
    assert guess_alphabet("olar bizge keldi") == "chat"
    assert to_cyrillic("olar qalaga keldi, bizdin ulken uyimiz bar") == "олар қалаға келді, біздің үлкен үйіміз бар"


def test_front_vowels_of_arabic_script_are_told_by_the_hamza():
    assert to_cyrillic("ٴۇش", "arab") == "үш"
    assert to_cyrillic("ۇش", "arab") == "ұш"
    assert to_cyrillic("ٴتىل", "arab") == "тіл"


def test_addresses_and_handles_stay():
    text = "jaña mektep https://example.kz/jana-mektep @mektep_kz"
    assert to_cyrillic(text, "2021") == "жаңа мектеп https://example.kz/jana-mektep @mektep_kz"


def test_english_words_stay():
    assert to_cyrillic("jaña keyboard keldı", "2021") == "жаңа keyboard келді"


def test_russian_in_latin_letters_is_read():
    assert read_russian("segodnya khoroshaya pogoda")[0] == "сегодня хорошая погода"


@given(st.sampled_from([*ALPHABETS, "chat", None]), st.text(max_size=40) | st.text("abcğıñöüqyw' آباىۇٴ", max_size=30))
def test_origins_never_fall_and_are_in_range(alphabet, text):
    made, origins = to_cyrillic_with_offsets(text, alphabet)
    assert len(made) == len(origins)
    assert (np.diff(origins) >= 0).all()
    assert len(made) == 0 or (origins[0] >= 0 and origins[-1] < len(text))


@given(st.sampled_from(ALPHABETS), st.lists(st.sampled_from(own_words()), max_size=6))
def test_reading_what_is_read_changes_nothing(alphabet, words):
    made = to_cyrillic(from_cyrillic(" ".join(words), alphabet), alphabet)
    assert to_cyrillic(made, alphabet) == made


@given(st.sampled_from(ALPHABETS), st.text(st.characters(exclude_categories=("L", "M", "Cs")), max_size=30))
def test_what_is_no_letter_is_written_as_it_is(alphabet, text):
    assert from_cyrillic(text, alphabet) == text
