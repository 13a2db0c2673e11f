from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from bastau.errors import ConfigError
from bastau.simulate.benchmark import generate_benchmark
from bastau.simulate.dice import Dice
from bastau.simulate.disguise import obfuscated
from bastau.simulate.events import Teller
from bastau.simulate.levels import LEVELS, level_named
from bastau.simulate.truth import read_truth
from bastau.simulate.world import Simulation, write

SMALL = {"n_narratives": 40, "n_background": 800}


@pytest.fixture(scope="module")
def easy() -> Simulation:
    return generate_benchmark(level_named("easy", **SMALL), 7)


@pytest.fixture(scope="module")
def hard() -> Simulation:
    return generate_benchmark(level_named("hard", **SMALL), 7)


def grams(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(len(text) - 4)}


def likeness(a: str, b: str) -> float:
    x, y = grams(a), grams(b)
    return len(x & y) / len(x | y)


class TestTexts:
    def test_two_stories_hardly_share_anything(self) -> None:
        teller, dice = Teller(), Dice(1, "stories")
        texts = [teller.tell(teller.story(4, dice), "ru", 0, dice) for _ in range(60)]
        assert max(likeness(a, b) for a, b in combinations(texts, 2)) < 0.45

    @pytest.mark.parametrize("language", ["kk", "ru", "en"])
    def test_a_story_in_other_words_keeps_its_names_and_numbers_and_little_else(self, language: str) -> None:
        teller, dice = Teller(), Dice(2, "stories")
        for _ in range(20):
            story = teller.story(4, dice)
            one, other = (teller.tell(story, language, wording, dice) for wording in (0, 1))
            assert likeness(one, other) < 0.7
            numbers = [{word for word in text.split() if word.isdigit()} for text in (one, other)]
            assert numbers[0] & numbers[1]

    def test_every_fact_has_a_name(self) -> None:
        teller, dice = Teller(), Dice(3, "stories")
        for _ in range(200):
            story = teller.story(1, dice)
            text = teller.tell(story, "en", 0, dice)
            assert any(name[1] in text for names in story[0].names.values() for name in names)

    def test_obfuscation_changes_what_is_written_but_not_every_word(self) -> None:
        text = "Жители посёлка собрали подписи против вырубки старых тополей у реки"
        changed = [obfuscated(text, Dice(seed, "o")) for seed in range(12)]
        assert sum(one != text for one in changed) >= 10
        assert all(set(text.split()) & set(one.replace("\u200b", "").split()) for one in changed)


class TestSimulation:
    def test_the_same_seed_gives_the_same_posts_and_another_one_others(self, easy: Simulation) -> None:
        again = generate_benchmark(level_named("easy", **SMALL), 7)
        assert again.posts.equals(easy.posts)
        assert again.truth.as_json() == easy.truth.as_json()
        assert not generate_benchmark(level_named("easy", **SMALL), 8).posts.equals(easy.posts)

    def test_every_post_is_labelled_once_and_nothing_withheld_is_there(self, hard: Simulation) -> None:
        ids = hard.posts.column("post_id").to_pylist()
        assert len(set(ids)) == len(ids)
        assert sorted(hard.truth.labels.column("post_id").to_pylist()) == sorted(ids)
        assert not set(hard.truth.withheld) & set(ids)
        assert set(hard.truth.back_dated) <= set(ids)
        assert set(hard.truth.why_withheld) == set(hard.truth.withheld)

    def test_a_level_loses_and_misdates_what_it_says(self, easy: Simulation, hard: Simulation) -> None:
        assert set(easy.truth.why_withheld.values()) <= {"late", "uncollected", "deleted", "before"}
        assert {"missing", "outage", "uncollected"} <= set(hard.truth.why_withheld.values())
        assert not easy.truth.clock_skew_s
        assert not easy.truth.back_dated
        assert hard.truth.clock_skew_s
        assert max(map(abs, hard.truth.clock_skew_s.values())) <= LEVELS["hard"].max_skew_s

    def test_where_nothing_is_misdated_copies_come_after_what_they_copy(self, easy: Simulation) -> None:
        at = dict(
            zip(easy.posts.column("post_id").to_pylist(), easy.posts.column("published_at").to_pylist(), strict=True)
        )
        edges = easy.truth.copies.to_pylist()
        assert len(edges) > 500
        assert all(at[edge["from_post"]] <= at[edge["to_post"]] for edge in edges)

    def test_firsts_are_the_first_by_true_time_and_say_whether_they_are_there(self, hard: Simulation) -> None:
        ids = set(hard.posts.column("post_id").to_pylist())
        for first in hard.truth.firsts.to_pylist():
            assert first["withheld"] == (first["post_id"] not in ids)
            assert first["first_observed"] is None or first["first_observed"] in ids

    def test_numbers_of_a_channel_grow_with_its_dates(self, hard: Simulation) -> None:
        of: dict[str, list[tuple[int, object]]] = defaultdict(list)
        for row in hard.posts.select(["post_id", "platform", "source", "published_at"]).to_pylist():
            if row["platform"] == "telegram":
                of[row["source"]].append((int(row["post_id"].rsplit("/", 1)[1]), row["published_at"]))
        assert len(of) > 100
        for posts in of.values():
            dates = [at for _, at in sorted(posts)]
            assert dates == sorted(dates)

    def test_nothing_is_collected_before_it_was_made(self, hard: Simulation) -> None:
        back = set(hard.truth.back_dated)
        for row in hard.posts.select(["post_id", "source", "published_at", "collected_at"]).to_pylist():
            if row["post_id"] not in back:
                lag = (row["collected_at"] - row["published_at"]).total_seconds()
                assert lag + hard.truth.clock_skew_s.get(row["source"], 0) > 0

    def test_no_innocent_set_is_half_of_a_group(self, easy: Simulation) -> None:
        assert len(easy.truth.lookalikes) > 50
        for members in easy.truth.lookalikes.values():
            for group in easy.truth.groups.values():
                assert len(set(members) & set(group)) < len(group) / 2

    def test_written_and_read_truth_is_the_same(self, hard: Simulation, tmp_path: Path) -> None:
        write(hard, tmp_path)
        assert read_truth(tmp_path / "truth.json").as_json() == hard.truth.as_json()


class TestLevels:
    def test_one_number_can_be_moved(self) -> None:
        moved = level_named("medium", missing=50, jitter_s=None)
        assert (moved.missing, moved.jitter_s) == (50, LEVELS["medium"].jitter_s)
        few = generate_benchmark(level_named("easy", missing=60, **SMALL), 7)
        assert "missing" in set(few.truth.why_withheld.values())

    @pytest.mark.parametrize(
        ("name", "changed"), [("harder", {}), ("easy", {"missing": 101}), ("easy", {"jitter_s": -1})]
    )
    def test_what_no_level_has_is_refused(self, name: str, changed: dict[str, int]) -> None:
        with pytest.raises(ConfigError):
            level_named(name, **changed)
