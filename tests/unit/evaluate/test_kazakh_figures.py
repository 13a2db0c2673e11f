import gzip
from collections import Counter
from random import Random

import pytest

from bastau.errors import InputError
from bastau.evaluate.kazakh import (
    clean_altered,
    evaluate_kazakh,
    is_clean,
    lemma_accuracy,
    read_conllu,
    round_trips,
    strip_longest,
    transliteration,
)
from bastau.evaluate.obfuscation import DISGUISES, Recovery, disguise_word, measure

CONLLU = (
    "# text = Балалар мектепке барды.\n1\tБалалар\tбала\tNOUN\tn\t_\n2\tмектепке\tмектеп\tNOUN\tn\t_\n"
    "3-4\tбарды\t_\t_\t_\t_\n3\tбарды\tбар\tVERB\tv\t_\n4\t.\t.\tPUNCT\tsent\t_\n5\t1952\t1952\tNUM\tnum\t_\n\n"
)


@pytest.fixture
def treebank(tmp_path):
    path = tmp_path / "part.conllu.gz"
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write(CONLLU)
    return path


def test_words_with_lemmas_are_read_and_punctuation_is_not(treebank):
    assert read_conllu(treebank) == [("балалар", "бала"), ("мектепке", "мектеп"), ("барды", "бар")]


def test_a_file_without_lemmas_is_named(tmp_path):
    path = tmp_path / "empty.conllu"
    path.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds no words with lemmas"):
        read_conllu(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_conllu(tmp_path / "missing.conllu")


def test_lemma_figures_stand_beside_two_baselines():
    figures = lemma_accuracy([("мектептер", "мектеп"), ("мектеп", "мектеп")])
    assert figures == {"n_words": 2, "accuracy": 1.0, "as it is": 0.5, "longest suffix cut": 0.5}


def test_the_baseline_leaves_three_letters():
    assert strip_longest("лар") == "лар"
    assert strip_longest("мектептер") == "мектеп"


def test_round_trips_count_words_and_distinct_words():
    found = round_trips(Counter({"мектеп": 9, "кнъъ": 1}))
    assert found["2021"].tokens == pytest.approx(0.9)
    assert found["2021"].types == pytest.approx(0.5)
    assert [word for word, _ in found["2021"].lost] == ["кнъъ"]


def test_transliteration_leaves_other_wordings_out():
    figures = transliteration([("jaña mektep", "жаңа мектеп"), ("jaña", "тағы бір жаңа")])
    assert figures == {"n_pairs": 2, "n_compared": 1, "n_words": 2, "word_accuracy": 1.0}


def test_a_text_with_a_drawn_out_or_mixed_word_is_not_clean():
    assert is_clean("сәлем, world")
    assert not is_clean("сәлеееем")
    assert not is_clean("cалем")
    figures = clean_altered(["сегодня", "сегоооодня", "cегодня"], "ru")
    assert (figures["altered"], figures["clean_altered"], figures["n_clean"]) == (2, 0, 1)


def test_a_disguise_changes_one_word_and_repeats_with_its_seed():
    text = "Сегодня хорошая погода"
    for name, disguise in DISGUISES.items():
        made = disguise_word(text, disguise, Random(3))
        assert made == disguise_word(text, disguise, Random(3)), name
        assert made is None or made != text


def test_an_address_is_never_disguised():
    assert disguise_word("https://example.kz/page @name a@site.kz", DISGUISES["spaced"], Random(1)) is None


def test_recovery_is_measured_for_each_disguise():
    found, lost = measure(["Сегодня хорошая погода"], "ru", seed=5)
    assert set(found) == set(DISGUISES)
    assert found["spaced"] == Recovery(1, 1)
    assert sum(r.n_words - r.n_recovered for r in found.values()) == len(lost)


def test_a_treebank_gives_lemmas_and_round_trips(treebank):
    answer, lines = evaluate_kazakh(treebank)
    assert answer["lemmas"]["accuracy"] == 1.0
    assert answer["round_trip"]["arab"] == {"tokens": 1.0, "types": 1.0}
    assert "lemmas:" in lines


def test_texts_give_disguises_by_language(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,language\nБалалар мектепке барды,kk\nСегодня хорошая погода,ru\n", encoding="utf-8")
    answer, _ = evaluate_kazakh(path)
    assert answer["disguises kk"]["zero width"] == 1.0
    assert answer["unaltered ru"]["altered"] == 0


def test_pairs_give_transliteration(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("text,cyrillic\njaña mektep,жаңа мектеп\n", encoding="utf-8")
    answer, _ = evaluate_kazakh(path)
    assert answer["transliteration"]["word_accuracy"] == 1.0
