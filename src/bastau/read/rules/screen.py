"""A fast look over folded texts: which posts have the words of at least one whole frame close together.

It may let a post through in vain, never the other way round: the slow path decides. What it must find of a rule is a
*term*: one class of words for each slot, and for a mood that hangs on cue words a class for each cue.
"""

import itertools
from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.rules.inflect import Features
from bastau.read.rules.lexicon import MAX_ENDING, MAX_GAP, Lexicon, Unit
from bastau.read.rules.pack import Cue, Frame, Mood, Pack, Slot
from bastau.tables import utf8_buffers

_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_PREFIX = np.uint64(0x632BE59BD9B4E019)
_PENDING = 32
"""Beginnings that one word may have; more let the post through."""


@nb.njit(nogil=True, cache=True, inline="always")
def _step(h, b):  # type: ignore[no-untyped-def]
    h = (h ^ np.uint64(b)) * _MULTIPLY
    return h ^ (h >> np.uint64(29))


@nb.njit(nogil=True, cache=True)
def _hash_words(offsets, data, out):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        h = np.uint64(offsets[0] * 0 + 1)
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
def _near(term, span, here, last, term_starts, term_bits, slack):  # type: ignore[no-untyped-def]
    """Tell whether all classes of the term but ``slack`` were seen in the last ``span`` words."""
    missing = 0
    for k in range(term_starts[term], term_starts[term + 1]):
        if here - last[term_bits[k]] > span:
            missing += 1
            if missing > slack:
                return False
    return True


@nb.njit(nogil=True, cache=True)
def _begins(data, start, end, wanted, n_bytes):  # type: ignore[no-untyped-def]
    """Tell whether the word at ``start`` is the wanted one, or begins with its ``n_bytes`` (0: the whole word)."""
    h = np.uint64(1)
    n = 0
    for i in range(start, end):
        if data[i] == 32:
            break
        h = _step(h, data[i])
        n += 1
        if n == n_bytes:
            return h == wanted
    return n_bytes == 0 and n > 0 and h == wanted


@nb.njit(nogil=True, cache=True)
def _screen_rows(offsets, data, table, classes, terms, slack, out):  # type: ignore[no-untyped-def]
    keys, values, bloom, shift, bloom_shift = table
    class_starts, class_bits, room_of, beside, beside_hash, beside_bytes = classes
    n_bits, term_starts, term_bits, spans, by_bit_starts, by_bit = terms
    last = np.full(n_bits, -10_000, np.int64)
    pending = np.zeros(_PENDING, np.int64)
    pending_at = np.zeros(_PENDING, np.int64)
    for row in range(len(offsets) - 1):
        last[:] = -10_000
        start, end = offsets[row], offsets[row + 1]
        h = np.uint64(1)
        word = 0
        word_start = before_start = start
        n_chars = n_pending = 0
        passes = False
        for i in range(start, end + 1):
            b = np.uint8(32) if i == end else data[i]
            if b != 32:
                h = _step(h, b)
                n_chars += (b & 0xC0) != 0x80
                if n_chars < 2 or (i + 1 < end and (data[i + 1] & 0xC0) == 0x80):
                    continue
                key = h ^ _PREFIX
                probe = key * _MULTIPLY >> bloom_shift
                if not bloom[probe >> np.uint64(3)] >> (probe & np.uint64(7)) & 1:
                    continue
                at = _find(key, keys, shift)
                if at >= 0:
                    if n_pending == _PENDING:
                        passes = True
                        break
                    pending[n_pending], pending_at[n_pending] = values[at], n_chars
                    n_pending += 1
                continue
            probe = h * _MULTIPLY >> bloom_shift
            if bloom[probe >> np.uint64(3)] >> (probe & np.uint64(7)) & 1:
                at = _find(h, keys, shift)
                if at >= 0 and n_pending < _PENDING:
                    pending[n_pending], pending_at[n_pending] = values[at], n_chars
                    n_pending += 1
            for p in range(n_pending):
                value = pending[p]
                for c in range(class_starts[value], class_starts[value + 1]):
                    if n_chars - pending_at[p] > room_of[c]:
                        continue
                    if beside[c] == 1 and not _begins(data, i + 1, end, beside_hash[c], beside_bytes[c]):
                        continue
                    if beside[c] == 2 and not _begins(
                        data, before_start, word_start - 1, beside_hash[c], beside_bytes[c]
                    ):
                        continue
                    bit = class_bits[c]
                    if last[bit] == word:
                        continue
                    last[bit] = word
                    for t in range(by_bit_starts[bit], by_bit_starts[bit + 1]):
                        if _near(by_bit[t], spans[by_bit[t]], word, last, term_starts, term_bits, slack):
                            passes = True
                            break
                    if passes:
                        break
                if passes:
                    break
            if passes:
                break
            h = np.uint64(1)
            before_start, word_start = word_start, i + 1
            word += 1
            n_chars = n_pending = 0
        out[row] = passes


@dataclass(frozen=True)
class _Need:
    """A class of words: any with one of these concepts, of this language, in a form with one of these features."""

    mask: int
    language: str
    """Empty: any."""
    features: Features
    """Empty: any."""


@dataclass(frozen=True)
class _Path:
    needs: frozenset[_Need]
    cues: tuple[Cue, ...]


class Screen:
    """The compiled look-over of a pack."""

    def __init__(self, pack: Pack) -> None:
        """Compile the rules and words of ``pack``."""
        terms: dict[frozenset[_Need], int] = {}
        extents = _Extents(pack)
        for rule in pack.rules:
            for frame in rule.frames:
                for needs, span in _terms(frame, pack, extents):
                    terms[needs] = max(span, terms.get(needs, 0))
        classes = {need for term in terms for need in term}
        ordered = sorted(classes, key=lambda n: (n.mask, n.language, sorted(n.features)))
        bit_of = {need: i for i, need in enumerate(ordered)}
        spans = list(terms.values())
        self.n_classes, self.n_terms = len(ordered), len(terms)
        self._terms = _pack_terms([[bit_of[need] for need in term] for term in terms], spans, len(ordered))
        self._classes, self._table, self.n_keys = _compile_words(pack, ordered)

    def run(self, folded: pa.Array | pa.ChunkedArray, slack: int = 0) -> np.ndarray:
        """Return bool (n,): whether each folded text may hold a match, were ``slack`` classes of words disguised."""
        offsets, data = utf8_buffers(folded)
        out = np.zeros(len(offsets) - 1, np.bool_)
        if self.n_terms:
            _screen_rows(offsets, data, self._table, self._classes, self._terms, slack, out)
        return out


class _Extents:
    """The most words that a word or phrase of some concepts takes, gaps included."""

    def __init__(self, pack: Pack) -> None:
        self._by_mask: dict[int, int] = {}
        named = pack.organisation_mask
        for one in pack.lexicon.sequences:
            mask = one.mask | (named if one.mask & pack.ambiguous_bit else 0)
            extent = len(one.units) + MAX_GAP * sum(one.gaps)
            self._by_mask[mask] = max(extent, self._by_mask.get(mask, 1))

    def of(self, mask: int) -> int:
        """Return the extent of the longest entry with one of the concepts of ``mask``."""
        return max((extent for known, extent in self._by_mask.items() if known & mask), default=1)


def _terms(frame: Frame, pack: Pack, extents: _Extents) -> list[tuple[frozenset[_Need], int]]:
    """Return the terms of a frame, each with the words it may be spread over."""
    slots = [slot for slot in frame.slots if not slot.optional]
    anchor, others = slots[0], slots[1:]
    out = []
    for paths in itertools.product(*(_paths(slot, pack, frame if slot is anchor else None) for slot in slots)):
        needs = frozenset(need for path in paths for need in path.needs)
        # How far off the anchor each part may begin or end; a phrase is seen by any one of its words. The parts may
        # stand on both sides of the anchor, so the two farthest add up. Cues hang on the verb of their own slot.
        reaches = [cue.within + extents.of(cue.mask) - 1 for cue in paths[0].cues]
        for slot, path in zip(others, paths[1:], strict=True):
            reach = frame.within + extents.of(slot.mask) - 1
            reaches.append(reach + max((cue.within + extents.of(cue.mask) for cue in path.cues), default=0))
        span = sum(sorted(reaches)[-2:]) + extents.of(anchor.mask) - 1
        out.append((needs, span))
    return out


def _paths(slot: Slot, pack: Pack, anchor_of: Frame | None) -> list[_Path]:
    """Return the ways in which a slot can be filled."""
    languages = sorted(anchor_of.languages) if anchor_of and len(anchor_of.languages) < 3 else [""]
    if not slot.moods:
        return [_Path(frozenset({_Need(slot.mask, language, slot.features)}), ()) for language in languages]
    paths = set()
    for language, moods in pack.moods.items():
        if languages != [""] and language not in languages:
            continue
        for mood in moods:
            if mood.mood in slot.moods:
                paths.add(_mood_path(slot, language, mood))
    return sorted(paths, key=repr)


def _mood_path(slot: Slot, language: str, mood: Mood) -> _Path:
    cues = (*mood.before, *mood.after)
    features = mood.features & slot.features if slot.features else mood.features
    verb = _Need(slot.mask & mood.of if mood.of else slot.mask, language, features)
    return _Path(frozenset({verb} | {_Need(cue.mask, "", frozenset()) for cue in cues}), cues)


def _pack_terms(terms: list[list[int]], spans: list[int], n_bits: int):  # type: ignore[no-untyped-def]
    starts = np.cumsum([0, *(len(term) for term in terms)])
    bits = np.array([bit for term in terms for bit in term], np.int64)
    by_bit: list[list[int]] = [[] for _ in range(n_bits)]
    for number, term in enumerate(terms):
        for bit in term:
            by_bit[bit].append(number)
    by_bit_starts = np.cumsum([0, *(len(numbers) for numbers in by_bit)])
    flat = np.array([number for numbers in by_bit for number in numbers], np.int64)
    return n_bits, starts, bits, np.array(spans, np.int64), by_bit_starts, flat


def _compile_words(pack: Pack, needs: list[_Need]):  # type: ignore[no-untyped-def]
    """Return (classes, hash table, number of keys) of every word that fills some class."""
    lexicon = pack.lexicon
    rows: dict[tuple[str, bool], set[_Row]] = {}  # (spelling, is a beginning)
    ways: dict[tuple[int, str], list[tuple[int, Features]]] = {}

    def classes_of(mask: int, language: str) -> list[tuple[int, Features]]:
        if (mask, language) not in ways:
            ways[mask, language] = [
                (i, need.features)
                for i, need in enumerate(needs)
                if need.mask & mask and need.language in ("", language)
            ]
        return ways[mask, language]

    forms: dict[tuple[str, Features], list[str]] = {}
    for sequence in lexicon.sequences:
        # an ambiguous name may turn out to be one
        named = pack.organisation_mask if sequence.mask & pack.ambiguous_bit else 0
        classes = classes_of(sequence.mask | named, sequence.language)
        if not classes:
            continue
        units = [lexicon.units[number] for number in sequence.units]
        unit, beside = _key_of(units, sequence.gaps, lexicon)
        alone = len(units) == 1
        inflected = any(u.kind != "exact" for u in units)  # then the ending may give the feature
        for number, wanted in classes:
            if wanted and not inflected and not wanted & sequence.features:
                continue
            if unit.kind == "exact":
                rows.setdefault((unit.spelled, False), set()).add((number, 60, *beside))
            elif unit.kind.startswith("start"):
                room = MAX_ENDING if unit.kind == "start1" else 60
                rows.setdefault((unit.spelled, True), set()).add((number, room, *beside))
            elif unit.kind == "verb" and wanted and alone:
                for stem, kind in lexicon.stem_spellings(unit.spelled, "verb"):
                    if (kind, wanted) not in forms:
                        forms[kind, wanted] = [e for e, f in lexicon.endings[kind].items() if f & wanted]
                    for ending in forms[kind, wanted]:
                        rows.setdefault((stem + ending, False), set()).add((number, 60, *beside))
            else:
                for stem, _ in lexicon.stem_spellings(unit.spelled, unit.kind):
                    rows.setdefault((stem, True), set()).add((number, 60, *beside))
    return _table(rows)


_Row = tuple[int, int, int, int, int]
"""Class; letters that may follow a beginning; side of the word beside (0 none, 1 after, 2 before), its hash, its bytes (0: whole)."""


def _key_of(units: list[Unit], gaps: tuple[bool, ...], lexicon: Lexicon) -> tuple[Unit, tuple[int, int, int]]:
    """Return the word by which a phrase is looked for, and the word that must stand beside it (side, hash, bytes)."""
    best = max(range(len(units)), key=lambda i: len(units[i].spelled))
    pairs = [(i, i + 1) for i in range(len(units) - 1) if not gaps[i + 1]]
    if not pairs:
        return units[best], (0, 0, 0)
    first, second = max(pairs, key=lambda p: (best in p, len(units[p[0]].spelled) + len(units[p[1]].spelled)))
    key, other, side = first, second, 1
    if len(units[second].spelled) > len(units[first].spelled):
        key, other, side = second, first, 2
    spelled, is_whole = units[other].spelled, units[other].kind == "exact"
    if units[other].kind in ("verb", "noun"):  # the last letter of a stem may change before an ending
        spelled = spelled[:-1]
    if not spelled:
        return units[key], (0, 0, 0)
    return units[key], (side, _hash(spelled), 0 if is_whole else len(spelled.encode()))


def _hash(word: str) -> int:
    out = np.empty(1, np.uint64)
    _hash_words(*utf8_buffers(pa.array([word])), out)
    return int(out[0])


def _table(rows: dict[tuple[str, bool], set[_Row]]):  # type: ignore[no-untyped-def]
    words = pa.array([word for word, _ in rows], pa.string())
    hashes = np.empty(len(rows), np.uint64)
    _hash_words(*utf8_buffers(words), hashes)
    is_prefix = np.array([prefix for _, prefix in rows], np.bool_)
    if len(rows):
        hashes[is_prefix] ^= _PREFIX
    sets: dict[frozenset[_Row], int] = {}
    merged: dict[int, set[_Row]] = {}
    for h, row in zip(hashes.tolist(), rows.values(), strict=True):
        merged.setdefault(h or 1, set()).update(row)
    size = 1 << max(4, (2 * len(merged)).bit_length())
    shift = np.uint64(64 - (size.bit_length() - 1))
    bloom_bits = 1 << max(10, (16 * len(merged)).bit_length())
    bloom_shift = np.uint64(64 - (bloom_bits.bit_length() - 1))
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    bloom = np.zeros(bloom_bits >> 3, np.uint8)
    numbers = np.array([sets.setdefault(frozenset(row), len(sets)) for row in merged.values()], np.int64)
    _insert(np.array(list(merged), np.uint64), numbers, keys, values, bloom, shift, bloom_shift)
    order = [sorted(row) for row in sets]
    starts = np.cumsum([0, *(len(row) for row in order)])
    flat = np.array([one for row in order for one in row], np.uint64).reshape(-1, 5)
    bits, rooms, sides, n_bytes = (flat[:, k].astype(np.int64) for k in (0, 1, 2, 4))
    return (
        (starts, bits, rooms, sides, flat[:, 3].copy(), n_bytes),
        (keys, values, bloom, shift, bloom_shift),
        len(merged),
    )


@nb.njit(nogil=True, cache=True)
def _insert(hashes, numbers, keys, values, bloom, shift, bloom_shift):  # type: ignore[no-untyped-def]
    for k in range(len(hashes)):
        key = hashes[k]
        i = np.int64((key * _MULTIPLY) >> shift)
        while keys[i] != 0:
            i = (i + 1) % len(keys)
        keys[i], values[i] = key, numbers[k]
        probe = key * _MULTIPLY >> bloom_shift
        bloom[probe >> np.uint64(3)] |= np.uint8(1) << np.uint8(probe & np.uint64(7))
