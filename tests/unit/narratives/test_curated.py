import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bastau.errors import ConfigError
from bastau.narratives.curated import Curated, Matcher, find_file, match, read_curated
from bastau.narratives.terms import find_terms

GOOD = """
- id: bus
  title: The golden bus
  propositions:
    - A bus with golden curtains takes everyone to the sea for free
- id: prices
  propositions: [Prices rise again]
"""


def written(folder: Path, text: str, name: str = "narratives.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def fold(texts: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([[text.lower() for text in texts.to_pylist()]], pa.string())


class TestReading:
    def test_yaml_and_csv_say_the_same(self, tmp_path: Path) -> None:
        rows = (
            "id,title,proposition\nbus,The golden bus,A bus with golden curtains takes everyone to the sea for free\n"
        )
        from_csv = read_curated(written(tmp_path, rows + "prices,,Prices rise again\n", "narratives.csv"))
        assert read_curated(written(tmp_path, GOOD)) == from_csv
        assert from_csv[1] == Curated("prices", "prices", ("Prices rise again",))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- id: a\n  propositions: [too short]\n", "it needs 3 words"),
            ("- id: a\n  propositions: []\n", "needs at least one proposition"),
            ("- propositions: [one two three]\n", "needs an id"),
            ("- id: a\n  propositions: [one two three]\n" * 2, "is there twice"),
            ("- id: a\n  colour: red\n  propositions: [one two three]\n", "unknown colour"),
            ("id: a\n", "must be a list"),
            ("[]\n", "holds no narratives"),
            ("- id: [\n", "cannot be read"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_place(self, tmp_path: Path, text: str, said: str) -> None:
        path = written(tmp_path, text)
        with pytest.raises(ConfigError, match=said) as error:
            read_curated(path)
        assert str(path) in str(error.value)

    def test_a_folder_without_the_file_has_none(self, tmp_path: Path) -> None:
        assert find_file(tmp_path) is None
        assert find_file(written(tmp_path, GOOD).parent) == tmp_path / "narratives.yaml"


class TestMatching:
    def setup_method(self) -> None:
        dice = random.Random(4)
        words = ["".join(dice.choice("bdgklmnrst") + dice.choice("aeiou") for _ in range(3)) for _ in range(600)]
        self.noise = [" ".join(dice.sample(words, 12)) for _ in range(2000)]
        self.curated = (
            Curated("bus", "Bus", ("A bus with golden curtains takes everyone to the sea for free",)),
            Curated("noise", "Noise", (self.noise[0] + " prices", "prices rise again everywhere")),
        )
        self.matcher = Matcher.fit(self.curated, fold, pa.chunked_array([self.noise]), len(self.noise))

    def found(self, *texts: str) -> list[tuple[str, int]]:
        rows = match(
            self.matcher, self.curated, [(np.arange(len(texts)), pa.chunked_array([list(texts)], pa.string()))]
        )
        return [(row["curated_id"], row["telling_key"]) for row in rows.to_pylist()]

    def test_a_post_that_says_the_same_is_found_and_others_are_not(self) -> None:
        same = "they say the bus with golden curtains takes everyone to the sea and asks nothing"
        assert self.found(same, "the sea is cold this spring", self.noise[7]) == [("bus", 0)]

    def test_the_proposition_that_fits_is_named(self) -> None:
        rows = match(
            self.matcher, self.curated, [(np.array([3]), pa.chunked_array([["prices rise again everywhere"]]))]
        )
        assert rows.column("proposition").to_pylist() == ["prices rise again everywhere"]

    def test_as_many_unrelated_texts_fit_as_is_expected(self) -> None:
        dice = random.Random(5)
        words = sorted({word for text in self.noise for word in text.split()})
        fresh = [" ".join(dice.sample(words, 12)) for _ in range(4000)]
        said = tuple(Curated(f"c{k}", "c", (" ".join(dice.sample(words, 8)),)) for k in range(40))
        matcher = Matcher.fit(said, fold, pa.chunked_array([self.noise]), 2000)
        expected, _ = matcher.expected(find_terms(pa.array(fresh))[0])
        for limit in (1.0, 10.0, 50.0):
            seen = np.count_nonzero(expected <= limit) / 40 / 2  # a proposition, in as many texts as were told
            assert seen <= 2 * limit + 3

    def test_where_nothing_fits_by_chance_half_of_the_words_are_enough_in_a_large_store(self) -> None:
        bus = self.curated[:1]
        large = Matcher.fit(bus, fold, pa.chunked_array([self.noise]), 100_000)
        assert large.share[0] == 1 / len(self.noise)
        told = ["the bus with golden curtains takes them to the sea and asks nothing", "a bus and the sea"]
        rows = match(large, bus, [(np.arange(2), pa.chunked_array([told]))])
        assert rows.column("telling_key").to_pylist() == [0]

    def test_the_answer_is_by_narrative_and_telling(self) -> None:
        same = "bus with golden curtains takes everyone to the sea for free"
        assert self.found("prices rise again everywhere", same, same) == [("bus", 1), ("bus", 2), ("noise", 0)]
