"""Posts and claims as words, and names across scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.factchecks.lexicon import lexicon
from bastau.factchecks.skeleton import consonants, to_latin
from bastau.factchecks.words import NAME, NUMBER, clean, guess_language, read_words


class TestClean:
    def test_a_signature_names_author_and_day_and_is_no_text(self) -> None:
        body, author, day = clean(
            "Bricks of cocaine washed up pic.twitter.com/x1 — NowThis (@nowthisnews) September 10, 2019"
        )
        assert body.split() == ["Bricks", "of", "cocaine", "washed", "up"]
        assert author.startswith("NowThis")
        assert day == 18149

    def test_text_in_brackets_is_no_signature(self) -> None:
        body, author, day = clean("A dam broke — people (many) fled")
        assert "fled" in body
        assert (author, day != day) == ("", True)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("#DefundTheBBC now", "defund bbc"),
            ("#СеверныйПоток взорван", "severnyj potok vzorvan"),
            ("see https://t.co/abc #vaccines", "see vaccines"),
            ("@realDonaldTrump said", "real donald trump said"),
            ("p~abcdefgh23456722 wrote &quot;hi&quot;", "wrote hi"),
        ],
    )
    def test_marks_become_words_and_links_go(self, text: str, words: str) -> None:
        assert read_words(text).latin == words


class TestWords:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("Vaccines work", "en"),
            ("Вакцина работает", "ru"),
            ("Вакцина жұмыс істейді", "kk"),
            ("Вакцина і їжа", "uk"),
            ("", "en"),
        ],
    )
    def test_languages_are_told_by_letters(self, text: str, language: str) -> None:
        assert guess_language(text) == language

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("prisoners released", "prisoner releases"),
            ("вакцины чипируют", "вакцину чипирует"),
            ("мектептерде өткен", "мектепке әкелді"),
        ],
    )
    def test_forms_of_a_word_share_a_stem(self, one: str, other: str) -> None:
        assert read_words(one).stems[0] == read_words(other).stems[0]

    def test_numbers_and_names_are_flagged(self) -> None:
        words = read_words("Year 1990: Gorbachev got 1,000,000 letters")
        assert words.stems[1] == "1990"
        assert "1000000" in words.stems
        assert [f for f in words.flags if f & NUMBER] == [NUMBER, NUMBER]
        assert words.flags[2] == NAME

    @pytest.mark.parametrize(
        ("english", "other"), [("vaccine", "вакцины"), ("earthquake", "зілзала"), ("bribes", "взятки")]
    )
    def test_the_dictionary_joins_languages(self, english: str, other: str) -> None:
        assert set(read_words(english).neutral[0]) & set(read_words(other).neutral[0])

    @pytest.mark.parametrize("text", ["the and of it", "и не что это", "және бұл үшін"])
    def test_function_words_are_left_out(self, text: str) -> None:
        assert read_words(text).stems == ()

    def test_the_who_and_the_us_stay(self) -> None:
        assert read_words("WHO and US may act").stems == ("who", "us", "may", "act")

    @given(st.text(max_size=300))
    def test_any_text_is_read_with_one_flag_and_one_form_a_word(self, text: str) -> None:
        words = read_words(text)
        assert len(words.stems) == len(words.flags) == len(words.neutral)
        assert words.latin == words.latin.strip()

    def test_a_long_text_is_read_at_its_beginning(self) -> None:
        assert len(read_words("word " * 2_000_000).stems) == 600


class TestNames:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("trump", "трамп"),
            ("zelensky", "зеленский"),
            ("merkel", "меркель"),
            ("chomsky", "чомски"),
            ("shevchenko", "шевченко"),
            ("dzhokhar", "джохар"),
            ("tajik", "таджик"),
        ],
    )
    def test_spellings_of_a_name_share_consonants(self, one: str, other: str) -> None:
        assert consonants(one) == consonants(other)

    def test_cyrillic_is_written_in_latin_letters(self) -> None:
        assert to_latin("қазақстан") == "kazakstan"
        assert to_latin("щука") == "shchuka"

    def test_other_scripts_have_no_consonants_we_know(self) -> None:
        assert consonants("北京") == ""


def test_every_line_of_the_dictionary_has_three_columns_and_lower_case_words() -> None:
    words = lexicon()
    assert len(words) > 4000
    assert {language for language, _ in words} == {"en", "ru", "kk"}
    assert all(word == word.lower() for _, word in words)
