"""Tellings joined to stories: what joins, what does not, and that it depends on the set of posts alone."""

import itertools
import math
import random
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest

from bastau.errors import ContractError
from bastau.narratives.joining import Fit
from bastau.narratives.likeness import Bounds
from bastau.narratives.meanings import find_meanings
from bastau.narratives.stories import Tellings, tell
from bastau.narratives.terms import Terms, find_terms, with_marks

HOUR = 3_600_000_000
DAY = 24 * HOUR


class Told:
    """One telling: text, hour, language, source, links."""

    def __init__(
        self, text: str, hour: float = 0.0, language: str = "en", source: str = "", links: tuple[int, ...] = ()
    ):
        self.text, self.at, self.language, self.links = text, int(hour * HOUR), language, links
        self.source = source


def tellings(told: list[Told], keys: list[int]) -> Tellings:
    rows = sorted((told[k].at, k) for k in keys)
    key = np.array([k for _, k in rows], np.int64)
    return Tellings(key, np.array([at for at, _ in rows], np.int64), key)


def fetcher(told: list[Told], piece: int = 7):
    def fetch(keys: np.ndarray):
        wanted = [int(k) for k in keys][::-1]  # any order, in pieces
        for start in range(0, len(wanted), piece):
            some = wanted[start : start + piece]
            yield pa.table(
                {
                    "post_key": pa.array(some, pa.int64()),
                    "folded": [told[k].text for k in some],
                    "detected_language": [told[k].language for k in some],
                    "source": [told[k].source or f"s{k}" for k in some],
                    "url_keys": pa.array([list(told[k].links) for k in some], pa.list_(pa.int64())),
                    "media": pa.nulls(len(some), pa.list_(pa.string())),
                }
            )

    return fetch


def stories(told: list[Told], **settings: object) -> list[set[int]]:
    """Return the stories of two tellings or more."""
    return groups(told, "story_key", **settings)


def groups(told: list[Told], which: str, **settings: object) -> list[set[int]]:
    found = tell(None, tellings(told, list(range(len(told)))), fetcher(told), **settings)
    out = defaultdict(set)
    for row in found.to_pylist():
        out[row[which]].add(row["telling_key"])
    return sorted((group for group in out.values() if len(group) > 1), key=min)


FLOOD = "heavy rain flooded the old bridge in aktobe on monday night forty families were moved to the school"
REWORDED = "forty families were moved to the school after heavy rain flooded the old bridge in aktobe"
RETOLD = "aktobe bridge under water after monday rain school takes in families rescuers say"
OTHER = "the city library opens a new reading room for children with books in three languages next spring"


def background(n: int, seed: int = 1) -> list[Told]:
    """Tellings of nothing in common, so that words have a rarity to have."""
    dice = random.Random(seed)
    words = ["".join(dice.choice("bdgklmnrst") + dice.choice("aeiou") for _ in range(3)) for _ in range(900)]
    return [Told(" ".join(dice.sample(words, 12)), dice.uniform(0, 60)) for _ in range(n)]


class TestWhatJoins:
    def test_retellings_of_one_event_in_the_same_hours_are_one_story(self) -> None:
        told = [*background(80), Told(FLOOD, 10), Told(REWORDED, 11), Told(RETOLD, 12), Told(OTHER, 11)]
        assert stories(told) == [{80, 81, 82}]

    def test_a_rewording_goes_on_with_the_wording_and_a_retelling_does_not(self) -> None:
        told = [*background(80), Told(FLOOD, 10), Told(REWORDED, 11), Told(RETOLD, 12)]
        assert groups(told, "wording_key") == [{80, 81}]

    def test_the_same_words_weeks_later_are_another_story(self) -> None:
        told = [*background(80), Told(FLOOD, 10), Told(REWORDED, 10 + 24 * 6), Told(REWORDED + " again", 10 + 24 * 6)]
        assert stories(told) == [{81, 82}]

    def test_what_is_enough_in_the_same_hour_is_not_days_later(self) -> None:
        near, far = ([*background(80), Told(FLOOD, 10), Told(RETOLD, 10 + gap)] for gap in (1, 90))
        assert stories(near) == [{80, 81}]
        assert stories(far) == []

    def test_names_and_numbers_join_across_scripts(self) -> None:
        told = [
            *background(80),
            Told("токаев встретился с мирзиёевым в самарканде и открыл завод на 4500 рабочих мест", 10, "ru"),
            Told("tokayev met mirziyoyev in samarkand and opened a plant with 4500 jobs", 11, "en"),
            Told("тоқаев самарқандта мирзиёевпен кездесіп 4500 орындық зауыт ашты", 12, "kk"),
            Told("медведев открыл выставку роботов в казани для 300 студентов", 11, "ru"),
        ]
        assert stories(told) == [{80, 81, 82}]

    def test_a_link_in_common_joins_what_words_alone_do_not(self) -> None:
        said = ["look at this everyone please", "have you all seen it already friends"]
        for links, expected in (((77,), [{80, 81}]), ((), [])):
            told = [*background(80), *(Told(text, 10 + k, links=links) for k, text in enumerate(said))]
            assert stories(told) == expected

    def test_a_link_that_a_source_puts_under_everything_joins_nothing(self) -> None:
        told = [
            *background(80),
            *(Told(t.text, 10 + k, source="shop", links=(77,)) for k, t in enumerate(background(4, 9))),
        ]
        assert stories(told) == []

    def test_one_word_in_common_is_chance_however_rare(self) -> None:
        # All other words of the two are so common that they weigh nothing.
        crowd = [Told("the match of the day", 10 + k / 10) for k in range(60)]
        one, two = (
            [*crowd, Told(f"the match {a}", 11), Told(f"the match {b}", 11.5)]
            for a, b in (("zebra", "zebra day"), ("zebra quokka", "zebra quokka day"))
        )
        for told, expected in ((one, False), (two, True)):
            assert any({60, 61} <= story for story in stories(told, bounds=Bounds(common_texts=20))) is expected

    def test_a_source_that_tells_it_all_must_be_more_alike(self) -> None:
        said = "{} shares of the builder samolet fell by ten percent today on the exchange"
        for sources, expected in ((("bank", "bank"), []), (("bank", "mash"), [{80, 81}])):
            told = [Told(FLOOD, 10, source=sources[0]), Told(RETOLD, 11, source=sources[1])]
            assert stories([*background(80), *told]) == expected
        told = [Told(said.format(word), 10 + k, source="bank") for k, word in enumerate(("evening", "morning"))]
        assert stories([*background(80), *told]) == [{80, 81}]

    def test_a_translation_is_joined_by_what_its_words_mean(self) -> None:
        told = [
            *background(80),
            Told("the explosion at the school killed four soldiers and wounded a hundred victims", 10, "en"),
            Told("взрыв в школе убил четырёх солдат и ранил сто жертв", 11, "ru"),
        ]
        assert stories(told) == [{80, 81}]

    def test_a_bridge_does_not_join_two_stories(self) -> None:
        flood = [Told(f"{FLOOD} {word}", 10 + k / 10) for k, word in enumerate(("today", "now", "again"))]
        room = [Told(f"{OTHER} {word}", 10 + k / 10) for k, word in enumerate(("today", "now", "again"))]
        told = [*background(80), *flood, *room, Told(f"{FLOOD} and also {OTHER}", 12)]
        found = stories(told)
        assert not any({80, 83} <= story for story in found)
        assert len(found) == 2


class TestWhatComes:
    def test_posts_in_any_pieces_and_order_give_what_all_at_once_gives(self) -> None:
        dice = random.Random(3)
        for trial in range(6):
            told = drift(dice, 160)
            everything = list(range(len(told)))
            at_once = tell(None, tellings(told, everything), fetcher(told))
            order = everything[:] if trial % 2 else sorted(everything, key=lambda k: told[k].at)
            if trial % 2:
                dice.shuffle(order)
            state, known = None, []
            while order:
                n = dice.choice((1, 3, 40))
                known, order = known + order[:n], order[n:]
                state = tell(state, tellings(told, known), fetcher(told))
            assert state is not None
            assert state.equals(at_once)

    def test_a_telling_that_goes_leaves_what_would_be_without_it(self) -> None:
        told = drift(random.Random(8), 120)
        before = tell(None, tellings(told, list(range(120))), fetcher(told))
        left = [k for k in range(120) if k % 11]
        assert tell(before, tellings(told, left), fetcher(told)).equals(tell(None, tellings(told, left), fetcher(told)))

    def test_a_day_of_a_stream_reads_three_windows_and_no_more(self) -> None:
        told = [Told(t.text, k) for k, t in enumerate(background(24 * 60))]
        before = tell(None, tellings(told, list(range(24 * 59))), fetcher(told))
        asked = []

        def fetch(keys: np.ndarray):
            asked.extend(keys.tolist())
            return fetcher(told)(keys)

        tell(before, tellings(told, list(range(24 * 60))), fetch)
        assert len(asked) == 24 * 16  # the day, and three windows of five days before it

    def test_nothing_new_reads_nothing(self) -> None:
        told = background(20)
        state = tell(None, tellings(told, list(range(20))), fetcher(told))

        def refuse(keys: np.ndarray):
            raise AssertionError

        assert tell(state, tellings(told, list(range(20))), refuse) is state

    def test_no_posts_give_no_stories(self) -> None:
        assert tell(None, tellings([], []), fetcher([])).num_rows == 0

    def test_a_post_that_does_not_come_is_our_fault(self) -> None:
        told = background(9)
        with pytest.raises(ContractError, match="9 posts were asked for, 7 came"):
            tell(None, tellings(told, list(range(9))), lambda keys: list(fetcher(told)(keys))[:1])


def drift(dice: random.Random, n: int) -> list[Told]:
    """Events that are told again and again with words swapped, over 25 days, in two languages, with links."""
    words = ["".join(dice.choice("bdgklmnrst") + dice.choice("aeiou") for _ in range(3)) for _ in range(120)]
    events = [(dice.sample(words, 9), dice.uniform(0, 600)) for _ in range(n // 6)]
    told = []
    for _ in range(n):
        said, hour = dice.choice(events)
        kept = [dice.choice(words) if dice.random() < 0.25 else word for word in said]
        links = (dice.randrange(1, 40) << 33,) if dice.random() < 0.3 else ()
        language = dice.choice(("en", "kk", "und"))
        told.append(Told(" ".join(kept), hour + dice.uniform(0, 90), language, f"s{dice.randrange(12)}", links))
    return told


class TestAgainstTheObviousWay:
    @pytest.mark.parametrize("seed", range(6))
    def test_stories_are_those_made_with_sets_and_dictionaries(self, seed: int) -> None:
        told = drift(random.Random(seed), 150)
        bounds = Bounds(keys=4, reach=3, compared=4, common=0.2, common_texts=6, mark_texts=4)
        found = tell(None, tellings(told, list(range(150))), fetcher(told), bounds=bounds)
        expected = plain_stories(told, bounds, Fit())
        assert {r["telling_key"]: (r["story_key"], r["wording_key"]) for r in found.to_pylist()} == expected
        assert len({story for story, _ in expected.values()}) < 130, (
            "hardly anything joins: the test would show nothing"
        )


def plain_stories(told: list[Told], bounds: Bounds, fit: Fit) -> dict[int, tuple[int, int]]:
    window = 5 * DAY
    order = sorted(range(len(told)), key=lambda k: (told[k].at, k))
    texts = [told[k] for k in order]
    stems, pairs = find_terms(pa.array([t.text for t in texts]))
    meanings = find_meanings(pa.array([t.text for t in texts]))
    links = pa.array([list(t.links) for t in texts], pa.list_(pa.int64()))
    words, heard = (plain_vectors(with_marks(terms, links), texts, bounds, window) for terms in (stems, meanings))
    word_pairs = [set(row) for row, _ in rows_of(pairs)]
    candidates = [
        plain_candidates(words, texts, bounds, window, across=False, least=0.2)[row]
        | plain_candidates(heard, texts, bounds, window, across=True, least=0.1)[row]
        for row in range(len(texts))
    ]
    story, wording = {}, {}
    for row, text in enumerate(texts):
        best = None
        for group in dict.fromkeys(story[other] for other in sorted(candidates[row])):
            members = [m for m in range(row) if story[m] == group][::-1]
            latest = [m for m in members if texts[m].at >= text.at - window][: fit.recent]
            own, other, shared = [], [], 0
            for m in latest:
                value = plain_cosine(words[0][row], words[0][m])
                shared = max(shared, plain_shared(words[0][row], words[0][m]))
                if "und" not in (text.language, texts[m].language) and text.language != texts[m].language:
                    other.append(max(value, plain_cosine(heard[0][row], heard[0][m]) + fit.across))
                    shared = max(shared, plain_shared(heard[0][row], heard[0][m]))
                else:
                    own.append(value)
            value = max(sum(own) / max(len(own), 1), sum(other) / max(len(other), 1))
            gap = (text.at - texts[members[0]].at) / HOUR / fit.hours_sd
            alone = fit.alone if all(texts[m].source == text.source for m in latest) and text.source else 0.0
            if shared < fit.shared:
                continue
            z = fit.slope * (value - fit.needed - alone + fit.eased * math.exp(-gap * gap / 2))
            if z >= 0 and (best is None or z > best[0]):
                best = z, group
        story[row] = row if best is None else best[1]
        wording[row] = row
        if best is not None:
            near = [(share(word_pairs[row], word_pairs[m]), -m) for m in candidates[row] if story[m] == best[1]]
            value, m = max(near, default=(0.0, 0))
            if value >= fit.reworded:
                wording[row] = wording[-m]
    return {order[row]: (order[story[row]], order[wording[row]]) for row in range(len(texts))}


def rows_of(terms: Terms) -> list[tuple[list[int], list[int]]]:
    ends = terms.indptr.tolist()
    return [(terms.hashes[a:b].tolist(), terms.counts[a:b].tolist()) for a, b in itertools.pairwise(ends)]


def plain_vectors(terms: Terms, texts: list[Told], bounds: Bounds, window: int):
    rows = rows_of(terms)
    holders = defaultdict(list)
    for row, (found, _) in enumerate(rows):
        for term in found:
            holders[term].append(row)
    vectors, keys = [], []
    for row, (found, counts) in enumerate(rows):
        around = sum(abs(t.at - texts[row].at) <= window for t in texts)
        vector, rare = {}, []
        for term, count in zip(found, counts, strict=True):
            near = [r for r in holders[term] if abs(texts[r].at - texts[row].at) <= window]
            if term & 1:
                repeats = sum(texts[r].source == texts[row].source for r in near)
                if len(near) < 2 or len(near) > bounds.mark_texts or repeats > bounds.mark_repeats:
                    continue
                vector[term] = None
                rare.append((2 * math.log(1 + around), term))
            elif len(near) <= max(bounds.common * around, bounds.common_texts):
                vector[term] = math.log(1 + around / len(near)) * (1 + math.log(count))
                if len(near) > 1:
                    rare.append((vector[term], term))
        length = math.sqrt(sum(w * w for w in vector.values() if w is not None)) or 1.0
        vectors.append({t: math.sqrt(bounds.mark_weight) if w is None else w / length for t, w in vector.items()})
        # The lightest gives way to a heavier one, terms ascending; kept in single precision.
        rare.sort(key=lambda one: one[1])
        held: list[tuple[float, int]] = [(0.0, 0)] * bounds.keys
        for weight, term in ((float(np.float32(w)), t) for w, t in rare):
            lightest = min(range(bounds.keys), key=lambda k: held[k][0])
            if weight > held[lightest][0]:
                held[lightest] = weight, term
        keys.append([term for weight, term in held if weight])
    return vectors, keys, holders


def plain_candidates(
    found, texts: list[Told], bounds: Bounds, window: int, *, across: bool, least: float
) -> list[set[int]]:
    vectors, keys, holders = found
    out = []
    for row, text in enumerate(texts):
        met: Counter[int] = Counter()
        for term in keys[row]:
            if across and text.language == "und":
                continue
            before = [r for r in holders[term] if r < row][::-1][: (3 if across else 1) * bounds.reach]
            n = 0
            for other in before:
                if texts[other].at < text.at - window or n == bounds.reach:
                    break
                if across and texts[other].language in ("und", text.language):
                    continue
                met[other] += 1
                n += 1
        best = sorted(met, key=lambda r: (-met[r], -r))[: bounds.compared]
        out.append({r for r in best if plain_cosine(vectors[row], vectors[r]) >= least})
    return out


def plain_cosine(a: dict[int, float], b: dict[int, float]) -> float:
    return sum(w * b[t] for t, w in a.items() if t in b)


def plain_shared(a: dict[int, float], b: dict[int, float]) -> int:
    return sum(1 + (t & 1) for t, w in a.items() if w > 0 and b.get(t, 0.0) > 0)


def share(a: set[int], b: set[int]) -> float:
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def test_ten_thousand_variants_of_a_sentence_cost_a_bounded_number_of_comparisons() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from bastau.narratives.likeness import like_pairs, weigh

    n = 10_000
    dice = random.Random(0)
    texts = [f"the same sentence of many words with one that differs {dice.randrange(500)} and {k}" for k in range(n)]
    at = np.arange(n, dtype=np.int64)
    stems, _ = find_terms(pa.array(texts))
    bounds = Bounds()
    vectors = weigh(stems, at, np.arange(n), window=n, bounds=bounds)
    with ThreadPoolExecutor(2) as pool:
        later, _, _ = like_pairs(
            vectors, at, np.ones(n, np.int16), pool, across=False, window=n, least=0.0, bounds=bounds
        )
    assert 0 < len(later) <= n * bounds.compared
