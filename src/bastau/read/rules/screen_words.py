"""Every word of the rules as a hash, and the classes of words that it fills: what the fast look looks up."""

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.rules.inflect import DATIVE, Features
from bastau.read.rules.lexicon import MAX_ENDING, MAX_GAP, Sequence, Unit
from bastau.read.rules.pack import Pack
from bastau.tables import utf8_buffers

_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_PREFIX = np.uint64(0x632BE59BD9B4E019)
_PAIR = np.uint64(0xD6E8FEB86659FD93)


class Need(NamedTuple):
    """A class of words: any with one of these concepts, of this language, in a form with one of these features."""

    mask: int
    language: str
    """Empty: any."""
    features: Features
    """Empty: any."""


_Group = tuple[int, int, int]
"""Number of a list of classes; letters that may follow a beginning; number of the phrase that it must stand in, or -1."""
_Unit = tuple[int, int, int, int]
"""Of a word of a phrase: its hash; its bytes, where it is a beginning (0: the whole word, -1: any word); letters that may
follow; words within which it must follow the one before."""
_MAX_ROOM = 60


@nb.njit(nogil=True, cache=True, inline="always")
def _step(h, b):  # type: ignore[no-untyped-def]
    h = (h ^ np.uint64(b)) * _MULTIPLY
    return h ^ (h >> np.uint64(29))


@nb.njit(nogil=True, cache=True, inline="always")
def _pair_hash(first, second):  # type: ignore[no-untyped-def]
    return (first ^ (second * _PAIR)) * _MULTIPLY


@nb.njit(nogil=True, cache=True)
def _hash_words(offsets, data, out):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        h = np.uint64(1)
        for k in range(offsets[i], offsets[i + 1]):
            h = _step(h, data[k])
        out[i] = h


@nb.njit(nogil=True, cache=True)
def _find(key, keys, shift):  # type: ignore[no-untyped-def]
    """Return the index of ``key`` in an open table, or -1."""
    i = np.int64((key * _MULTIPLY) >> shift)
    while keys[i] != 0:
        if keys[i] == key:
            return i
        i = (i + 1) % len(keys)
    return -1


@nb.njit(nogil=True, cache=True)
def _begins(data, start, end, wanted, n_bytes, room):  # type: ignore[no-untyped-def]
    """Tell whether the word at ``start`` begins with the ``n_bytes`` wanted and at most ``room`` letters follow."""
    h = np.uint64(1)
    i = start
    while i < end and data[i] != 32 and i - start < n_bytes:
        h = _step(h, data[i])
        i += 1
    if i - start < n_bytes or h != wanted:
        return False
    n = 0
    while i < end and data[i] != 32:
        n += (data[i] & 0xC0) != 0x80
        i += 1
    return n <= room


@nb.njit(nogil=True, cache=True)
def _is_unit(data, end, words, word, hash_of, n_bytes, room):  # type: ignore[no-untyped-def]
    """Tell whether a word is one of a phrase."""
    starts, hashes = words
    if n_bytes == 0:
        return hashes[word] == hash_of
    if n_bytes < 0:
        return True
    return _begins(data, starts[word], end, hash_of, n_bytes, room)


@nb.njit(nogil=True, cache=True)
def _stands_beside(data, end, words, n_words, word, at, first, units):  # type: ignore[no-untyped-def]
    """Tell whether the word of a phrase that is found by a second one, before or behind ``at``, stands near ``word``."""
    hashes, n_bytes, rooms, reaches, others = units
    other = first + others[first]
    low, high = (word + 1, word + reaches[other] + 1) if other > at else (word - reaches[at], word)
    for i in range(max(0, low), min(high, n_words)):
        if _is_unit(data, end, words, i, hashes[other], n_bytes[other], rooms[other]):
            return True
    return False


@nb.njit(nogil=True, cache=True)
def stands_in(data, end, words, n_words, word, phrase, phrases):  # type: ignore[no-untyped-def]
    """Tell whether the whole phrase may stand around ``word``, which is the one that it is looked for by."""
    unit_starts, key_of, units = phrases[0], phrases[1], phrases[4:9]
    hashes, n_bytes, rooms, reaches, _ = units
    first, last = unit_starts[phrase], unit_starts[phrase + 1]
    at = first + key_of[phrase]
    if not _stands_beside(data, end, words, n_words, word, at, first, units):
        return False
    here = word
    for unit in range(at + 1, last):
        there = -1
        for i in range(here + 1, min(n_words, here + reaches[unit] + 1)):
            if _is_unit(data, end, words, i, hashes[unit], n_bytes[unit], rooms[unit]):
                there = i
                break
        if there < 0:
            return False
        here = there
    # Before it, any place will do from which the others can be reached: bit d, so many words before.
    places = np.uint64(1)
    for unit in range(at - 1, first - 1, -1):
        reach = reaches[unit + 1]
        before = np.uint64(0)
        for d in range(1, 60):
            near = (places >> np.uint64(max(0, d - reach))) & (
                (np.uint64(1) << np.uint64(min(d, reach))) - np.uint64(1)
            )
            if (
                near
                and word - d >= 0
                and _is_unit(data, end, words, word - d, hashes[unit], n_bytes[unit], rooms[unit])
            ):
                before |= np.uint64(1) << np.uint64(d)
        if before == 0:
            return False
        if before >> np.uint64(50):  # further than is worth looking
            return True
        places = before
    return True


@nb.njit(nogil=True, cache=True)
def look_up(data, start, end, table, seen, words):  # type: ignore[no-untyped-def]
    """Write (value, word number, letters after the hit) of each word, beginning or pair of words to ``seen``.

    The start and hash of every word go to ``words``. Returns (number seen, number of words); -1 seen when they do not
    fit.
    """
    word_starts, word_hashes = words
    keys, values, shift, word_bloom, word_shift, start_bloom, start_shift = table
    h = np.uint64(1)
    word = n_chars = n_seen = first = 0
    word_start = start
    for i in range(start, end + 1):
        b = np.uint8(32) if i == end else data[i]
        is_word_end = b == 32
        if not is_word_end:
            h = _step(h, b)
            n_chars += (b & 0xC0) != 0x80
            if n_chars < 2 or (i + 1 < end and (data[i + 1] & 0xC0) == 0x80):
                continue
        # Beginnings are few and asked for at every letter, so their filter is small enough to stay in the cache.
        if is_word_end:
            key = h
            probe = key * _MULTIPLY >> word_shift
            may_be = word_bloom[probe >> np.uint64(3)] >> (probe & np.uint64(7)) & 1
        else:
            key = h ^ _PREFIX
            probe = key * _MULTIPLY >> start_shift
            may_be = start_bloom[probe >> np.uint64(3)] >> (probe & np.uint64(7)) & 1
        if may_be:
            at = _find(key, keys, shift)
            if at >= 0:
                if n_seen == len(seen):
                    return -1, 0
                seen[n_seen, 0], seen[n_seen, 1], seen[n_seen, 2] = values[at], word, n_chars
                n_seen += 1
        if not is_word_end:
            continue
        for k in range(first, n_seen):
            seen[k, 2] = n_chars - seen[k, 2]
        if word > 0:
            key = _pair_hash(word_hashes[word - 1], h)
            probe = key * _MULTIPLY >> word_shift
            if word_bloom[probe >> np.uint64(3)] >> (probe & np.uint64(7)) & 1:
                at = _find(key, keys, shift)
                if at >= 0:
                    if n_seen == len(seen):
                        return -1, 0
                    seen[n_seen, 0], seen[n_seen, 1], seen[n_seen, 2] = values[at], word - 1, 0
                    n_seen += 1
        first = n_seen
        if word == len(word_starts):
            return -1, 0
        word_starts[word], word_hashes[word] = word_start, h
        h = np.uint64(1)
        word_start = i + 1
        word += 1
        n_chars = 0
    return n_seen, word


class _Words:
    """Collects the hash of every word and beginning, with the classes that it fills."""

    def __init__(self, pack: Pack, needs: list[Need]) -> None:
        self.lexicon, self.needs = pack.lexicon, needs
        self.sets: dict[frozenset[_Group], int] = {}
        self.lists: dict[tuple[int, ...], int] = {}
        self.phrases: dict[tuple[tuple[_Unit, ...], int, int], int] = {}
        self.spelled: list[tuple[str, bool, int]] = []
        self.pairs: list[tuple[str, str, int]] = []
        self.hashes: list[np.ndarray] = []
        self.values: list[np.ndarray] = []
        self._classes: dict[tuple[int, str], list[tuple[int, Features]]] = {}
        self._numbers: dict[tuple[int, str, Features, bool], tuple[int, ...]] = {}
        self._endings: dict[tuple[int, str, Features, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def classes(self, mask: int, language: str) -> list[tuple[int, Features]]:
        """Return (class, features that it asks for) of the classes that a word of these concepts may fill."""
        if (mask, language) not in self._classes:
            self._classes[mask, language] = [
                (i, need.features)
                for i, need in enumerate(self.needs)
                if need.mask & mask and need.language in ("", language)
            ]
        return self._classes[mask, language]

    def _fillable(self, mask: int, language: str, features: Features, takes_endings: bool) -> tuple[int, ...]:
        """Return the classes that a word with these features fills."""
        key = (mask, language, features, takes_endings)
        if key not in self._numbers:
            self._numbers[key] = tuple(
                number
                for number, wanted in self.classes(mask, language)
                if not wanted or takes_endings or wanted & features
            )
        return self._numbers[key]

    def value(self, rows: frozenset[_Group]) -> int:
        """Return the number of a set of rows."""
        return self.sets.setdefault(rows, len(self.sets))

    def add(self, sequence: Sequence, mask: int) -> None:
        """Add a word or phrase."""
        if not self.classes(mask, sequence.language):
            return
        units = [self.lexicon.units[number] for number in sequence.units]
        unit, phrase, pair = units[0], -1, -1
        if len(units) > 1:
            pair = _pair_of(units, sequence.gaps)
            at, beside = _key_of(units) if pair < 0 else (pair, pair + 1)
            told = tuple(_unit_of(*one) for one in zip(units, sequence.gaps, strict=True))
            unit, phrase = units[at], self.phrases.setdefault((told, at, beside), len(self.phrases))
        if unit.kind == "verb" and len(units) == 1:
            for stem, kind in self.lexicon.stem_spellings(unit.spelled, "verb"):
                self._add_forms(stem, kind, mask, sequence)
            return
        features = sequence.features | (DATIVE if any(u.kind == "start1" for u in units) else frozenset())
        takes_endings = any(u.kind in ("verb", "noun") for u in units)  # which may give any feature
        room = MAX_ENDING if unit.kind == "start1" else _MAX_ROOM
        numbers = self._fillable(mask, sequence.language, features, takes_endings)
        if not numbers:
            return
        value = self.value(frozenset([(self._list(numbers), room, phrase)]))
        if pair >= 0:
            self.pairs.append((units[pair].spelled, units[pair + 1].spelled, value))
        elif unit.kind in ("verb", "noun"):
            for stem, _ in self.lexicon.stem_spellings(unit.spelled, unit.kind):
                self.spelled.append((stem, True, value))
        else:
            self.spelled.append((unit.spelled, unit.kind != "exact", value))

    def _list(self, numbers: tuple[int, ...]) -> int:
        """Return the number of a list of classes."""
        return self.lists.setdefault(numbers, len(self.lists))

    def _add_forms(self, stem: str, kind: str, mask: int, sequence: Sequence) -> None:
        """Add the forms of a Kazakh verb that have a feature somebody asks for."""
        key = (mask, sequence.language, sequence.features, kind)
        if key not in self._endings:
            chosen = []
            for ending, features in self.lexicon.endings[kind].items():
                numbers = self._fillable(mask, sequence.language, features | sequence.features, False)
                if numbers:
                    group = (self._list(numbers), _MAX_ROOM, -1)
                    chosen.append((ending, self.value(frozenset([group]))))
            offsets, data = utf8_buffers(pa.array([ending for ending, _ in chosen], pa.string()))
            self._endings[key] = offsets, data, np.array([value for _, value in chosen], np.int64)
        offsets, data, values = self._endings[key]
        if len(values):
            out = np.empty(len(values), np.uint64)
            _hash_endings(np.uint64(_hash(stem)), offsets, data, out)
            self.hashes.append(out)
            self.values.append(values)

    def table(self) -> Any:
        """Return (groups, hash table, number of keys)."""
        words = pa.array([word for word, _, _ in self.spelled], pa.string())
        hashes = np.empty(len(words), np.uint64)
        _hash_words(*utf8_buffers(words), hashes)
        is_start = np.array([prefix for _, prefix, _ in self.spelled], np.bool_)
        hashes[is_start] ^= _PREFIX
        values = np.array([value for _, _, value in (*self.spelled, *self.pairs)], np.int64)
        pairs = np.array([_hash_pair(first, second) for first, second, _ in self.pairs], np.uint64)
        all_hashes = np.concatenate([hashes, pairs, *self.hashes])
        all_values = np.concatenate([values, *self.values])
        all_hashes[all_hashes == 0] = 1
        order = np.argsort(all_hashes, kind="stable")
        all_hashes, all_values = all_hashes[order], all_values[order]
        first = np.flatnonzero(np.append(True, all_hashes[1:] != all_hashes[:-1]))
        keys, numbers = all_hashes[first], all_values[first]
        last = np.append(first[1:], len(all_hashes))
        by_number = list(self.sets)
        for at in np.flatnonzero(last - first > 1).tolist():  # one spelling of several words
            together = set(all_values[first[at] : last[at]].tolist())
            if len(together) > 1:
                numbers[at] = self.value(frozenset().union(*(by_number[value] for value in together)))
        groups = [group for of in self.sets for group in of]
        columns = [
            np.array([group[k] for group in groups], dtype) for k, dtype in enumerate((np.int32, np.int16, np.int32))
        ]
        bits = [bit for numbers in self.lists for bit in numbers]
        list_starts = starts_of(self.lists)
        return (
            (
                starts_of(self.sets),
                *columns,
                list_starts,
                np.array(bits, np.int32),
                self._phrases(),
                _list_words(list_starts, np.array(bits, np.int64), max(1, (len(self.needs) + 63) // 64)),
            ),
            _open_table(keys, numbers.astype(np.int32), hashes[is_start]),
            len(keys),
        )

    def _phrases(self) -> tuple[np.ndarray, ...]:
        """Return the phrases: where the units of each begin, its word, words before and after it at most; then the units."""
        keys = list(self.phrases)
        told = [unit for units, _, _ in keys for unit in units]
        reaches = [[reach for _, _, _, reach in units] for units, _, _ in keys]
        others = [beside if k == 0 else 0 for units, _, beside in keys for k in range(len(units))]
        return (
            starts_of(units for units, _, _ in keys),
            np.array([at for _, at, _ in keys], np.int32),
            np.array([sum(of[1 : at + 1]) for of, (_, at, _) in zip(reaches, keys, strict=True)], np.int32),
            np.array([sum(of[at + 1 :]) for of, (_, at, _) in zip(reaches, keys, strict=True)], np.int32),
            np.array([hash_of for hash_of, _, _, _ in told], np.uint64),
            *(np.array([unit[k] for unit in told], np.int16) for k in (1, 2, 3)),
            np.array(others, np.int16),
        )


def starts_of(of: Any) -> np.ndarray:
    """Return where each of some collections begins when they are put one behind the other."""
    return np.cumsum([0, *(len(one) for one in of)]).astype(np.int32)


@nb.njit(nogil=True, cache=True)
def _list_words(starts, bits, n_words):  # type: ignore[no-untyped-def]
    """Return for each list its classes as bits of uint64 words."""
    words = np.zeros((len(starts) - 1, n_words), np.uint64)
    for k in range(len(starts) - 1):
        for c in range(starts[k], starts[k + 1]):
            words[k, bits[c] >> 6] |= np.uint64(1) << np.uint64(bits[c] & 63)
    return words


def compile_words(pack: Pack, needs: list[Need]):  # type: ignore[no-untyped-def]
    """Return (groups, hash table, number of keys) of every word that fills some class of ``needs``."""
    words = _Words(pack, needs)
    for sequence in pack.lexicon.sequences:
        # an ambiguous name may turn out to be one
        named = pack.organisation_mask if sequence.mask & pack.ambiguous_bit else 0
        words.add(sequence, sequence.mask | named)
    return words.table()


def _key_of(units: list[Unit]) -> tuple[int, int]:
    """Return the word by which a phrase is looked for, and the neighbour that is looked for next: the longest two."""
    first = max(range(len(units) - 1), key=lambda i: len(units[i].spelled) + len(units[i + 1].spelled))
    at, beside = first, first + 1
    return (beside, at) if len(units[beside].spelled) > len(units[at].spelled) else (at, beside)


def _pair_of(units: list[Unit], gaps: tuple[bool, ...]) -> int:
    """Return the first of the longest two whole words in a row, or -1: pairs are looked up by one hash."""
    pairs = [i for i in range(len(units) - 1) if units[i].kind == units[i + 1].kind == "exact" and not gaps[i + 1]]
    return max(pairs, key=lambda i: len(units[i].spelled) + len(units[i + 1].spelled), default=-1)


def _unit_of(unit: Unit, gap: bool) -> _Unit:
    """Return how a word of a phrase is told."""
    reach = 1 + MAX_GAP * gap
    spelled = unit.spelled
    if unit.kind == "exact":
        return _hash(spelled), 0, 0, reach
    if unit.kind in ("verb", "noun"):  # the last letter of a stem may change before an ending
        spelled = spelled[:-1]
    if not spelled:
        return 0, -1, 0, reach
    return _hash(spelled), len(spelled.encode()), MAX_ENDING if unit.kind == "start1" else _MAX_ROOM, reach


def _hash(word: str) -> int:
    return int(_hash_bytes(np.frombuffer(word.encode(), np.uint8)))


def _hash_pair(first: str, second: str) -> int:
    return int(_pair_hash(np.uint64(_hash(first)), np.uint64(_hash(second))))


@nb.njit(nogil=True, cache=True)
def _hash_bytes(data):  # type: ignore[no-untyped-def]
    h = np.uint64(1)
    for k in range(len(data)):
        h = _step(h, data[k])
    return h


@nb.njit(nogil=True, cache=True)
def _hash_endings(state, offsets, data, out):  # type: ignore[no-untyped-def]
    """Write the hash of a stem, given as ``state``, with each ending."""
    for i in range(len(offsets) - 1):
        h = state
        for k in range(offsets[i], offsets[i + 1]):
            h = _step(h, data[k])
        out[i] = h


def _open_table(hashes: np.ndarray, numbers: np.ndarray, starts: np.ndarray):  # type: ignore[no-untyped-def]
    """Return the open table and its two filters; ``starts`` are the hashes of beginnings."""
    size = 1 << max(4, (2 * len(hashes)).bit_length())
    shift = np.uint64(64 - (size.bit_length() - 1))
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    _insert(hashes, numbers, keys, values, shift)
    return keys, values, shift, *_filter(hashes, 8), *_filter(starts, 16)


def _filter(hashes: np.ndarray, bits_each: int) -> tuple[np.ndarray, np.uint64]:
    n_bits = 1 << max(10, (bits_each * len(hashes)).bit_length())
    shift = np.uint64(64 - (n_bits.bit_length() - 1))
    bits = np.zeros(n_bits >> 3, np.uint8)
    _mark(hashes, bits, shift)
    return bits, shift


@nb.njit(nogil=True, cache=True)
def _mark(hashes, bits, shift):  # type: ignore[no-untyped-def]
    for key in hashes:
        probe = key * _MULTIPLY >> shift
        bits[probe >> np.uint64(3)] |= np.uint8(1) << np.uint8(probe & np.uint64(7))


@nb.njit(nogil=True, cache=True)
def _insert(hashes, numbers, keys, values, shift):  # type: ignore[no-untyped-def]
    for k in range(len(hashes)):
        i = np.int64((hashes[k] * _MULTIPLY) >> shift)
        while keys[i] != 0:
            i = (i + 1) % len(keys)
        keys[i], values[i] = hashes[k], numbers[k]
