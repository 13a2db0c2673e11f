"""A fast look over folded texts: which posts have the words of at least one whole frame close together.

It may let a post through in vain, never the other way round: the slow path decides. What it must find of a rule is a
*term*: a class of words for the anchor, one for each other slot, and one for each cue of a mood; each part within some
words of the anchor. A post without the anchor of any term, nearly every post, costs its hashes and nothing more.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.fold import fold_strings
from bastau.read.rules.inflect import DATIVE, Features
from bastau.read.rules.lexicon import MAX_ENDING, MAX_GAP, Sequence, Unit
from bastau.read.rules.pack import Cue, Frame, Mood, Pack, Slot
from bastau.tables import utf8_buffers

_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_PREFIX = np.uint64(0x632BE59BD9B4E019)
_HITS = 8192
_WORDS = 20_000
_SEEN = 8192
"""Words and beginnings of one post that are kept; a post with more goes on unseen."""


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
def _stands_beside(data, end, words, n_words, word, reach, wanted, n_bytes):  # type: ignore[no-untyped-def]
    """Tell whether the wanted word is one of the ``reach`` words after ``word`` (negative: before it)."""
    starts, hashes = words
    low, high = (word + 1, word + reach + 1) if reach > 0 else (word + reach, word)
    for i in range(max(0, low), min(high, n_words)):
        if n_bytes == 0:
            if hashes[i] == wanted:
                return True
        elif _begins(data, starts[i], end, wanted, n_bytes):
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _look_up(data, start, end, table, is_anchor, seen, words):  # type: ignore[no-untyped-def]
    """Write (value, word number, letters after the hit) of each word or beginning to ``seen``.

    The start and hash of every word go to ``words``. Returns (number seen, number of words, whether one may be an
    anchor); -1 seen when they do not fit: then the post goes on unseen.
    """
    word_starts, word_hashes = words
    keys, values, shift, word_bloom, word_shift, start_bloom, start_shift = table
    h = np.uint64(1)
    word = n_chars = n_seen = first = 0
    word_start = start
    anchored = False
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
                    return -1, 0, True
                seen[n_seen, 0], seen[n_seen, 1], seen[n_seen, 2] = values[at], word, n_chars
                anchored |= is_anchor[values[at]]
                n_seen += 1
        if not is_word_end:
            continue
        for k in range(first, n_seen):
            seen[k, 2] = n_chars - seen[k, 2]
        first = n_seen
        if word == len(word_starts):
            return -1, 0, True
        word_starts[word], word_hashes[word] = word_start, h
        h = np.uint64(1)
        word_start = i + 1
        word += 1
        n_chars = 0
    return n_seen, word, anchored


@nb.njit(nogil=True, cache=True)
def _class_words(starts, bits, n_bits):  # type: ignore[no-untyped-def]
    """Return for each set of rows its classes as bits of uint64 words."""
    words = np.zeros((len(starts) - 1, (n_bits + 63) // 64), np.uint64)
    for value in range(len(starts) - 1):
        for c in range(starts[value], starts[value + 1]):
            words[value, bits[c] >> 6] |= np.uint64(1) << np.uint64(bits[c] & 63)
    return words


@nb.njit(nogil=True, cache=True)
def _fill(data, end, classes, wanted, seen, n_seen, words, n_words, hits, n_hits, head):  # type: ignore[no-untyped-def]
    """Write (class, word number, earlier hit, words of its phrase before and after) of each hit behind ``hits``.

    The last hit of each class goes to ``head``. Only the ``wanted`` classes count. Returns the number of hits, or -1 when they do not fit.
    """
    class_starts, class_bits, room_of, beside, beside_hash, beside_bytes, words_before, words_after, class_words = (
        classes
    )
    for k in range(n_seen):
        value, word = seen[k, 0], seen[k, 1]
        common = np.uint64(0)
        for w in range(len(wanted)):
            common |= wanted[w] & class_words[value, w]
        if common == 0:
            continue
        for c in range(class_starts[value], class_starts[value + 1]):
            bit = class_bits[c]
            if not wanted[bit >> 6] >> np.uint64(bit & 63) & np.uint64(1) or seen[k, 2] > room_of[c]:
                continue
            last = head[bit]
            if (
                last >= 0
                and hits[last, 1] == word
                and hits[last, 3] >= words_before[c]
                and hits[last, 4] >= words_after[c]
            ):
                continue
            if beside[c] and not _stands_beside(
                data, end, words, n_words, word, beside[c], beside_hash[c], beside_bytes[c]
            ):
                continue
            if n_hits == len(hits):
                for hit in range(n_hits):
                    head[hits[hit, 0]] = -1
                return -1
            hits[n_hits, 0], hits[n_hits, 1], hits[n_hits, 2] = bit, word, head[bit]
            hits[n_hits, 3], hits[n_hits, 4] = words_before[c], words_after[c]
            head[bit] = n_hits
            n_hits += 1
    return n_hits


@nb.njit(nogil=True, cache=True)
def _whole(term, anchor, hits, head, term_starts, parts):  # type: ignore[no-untyped-def]
    """Tell whether every part of the term stands where it may around the hit ``anchor``."""
    at, at_before, at_after = hits[anchor, 1], hits[anchor, 3], hits[anchor, 4]
    for k in range(term_starts[term], term_starts[term + 1]):
        hit = head[parts[k, 0]]
        while hit >= 0:
            # Each was seen by one word of what may be a phrase: its ends lie that many words off.
            later = hits[hit, 1] - at
            if later <= parts[k, 2] + hits[hit, 3] + at_after and -later <= parts[k, 1] + hits[hit, 4] + at_before:
                break
            hit = hits[hit, 2]
        if hit < 0:
            return False
    return True


@nb.njit(nogil=True, cache=True)
def _nearly(alone, head, anchors, term_starts, parts):  # type: ignore[no-untyped-def]
    """Tell whether some term has all its parts but one anywhere in the post."""
    for term in range(len(anchors)):
        if alone[term]:  # nothing but cues would be left
            continue
        missing = 0 if head[anchors[term]] >= 0 else 1
        for k in range(term_starts[term], term_starts[term + 1]):
            missing += head[parts[k, 0]] < 0
            if missing > 1:
                break
        if missing <= 1:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _screen_rows(offsets, data, chosen, table, is_anchor, classes, terms, is_slack, out, found):  # type: ignore[no-untyped-def]
    """Write to ``out`` which rows may hold a match, and to ``found`` (rows, rules) of which rules.

    ``found`` without rows: only whether, which is quicker.
    """
    n_bits, anchors, alone, rule_of, term_starts, parts, by_anchor_starts, by_anchor = terms
    head = np.full(n_bits, -1, np.int64)
    wanted = np.zeros((n_bits + 63) // 64, np.uint64)
    everything = np.full(len(wanted), ~np.uint64(0))
    anchor_bits = np.zeros(n_bits, np.bool_)
    anchor_bits[anchors] = True
    anchor_words = np.zeros(len(wanted), np.uint64)
    for bit in anchors:
        anchor_words[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    hits = np.empty((_HITS, 5), np.int64)
    seen = np.empty((_SEEN, 3), np.int64)
    words = (np.empty(_WORDS, np.int64), np.empty(_WORDS, np.uint64))
    for row in range(len(offsets) - 1):
        if not chosen[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        n_seen, n_words, anchored = _look_up(data, start, end, table, is_anchor, seen, words)
        if n_seen == 0 or not (anchored or is_slack):
            continue
        passes = n_seen < 0
        n_hits = 0
        if is_slack and not passes:
            n_hits = _fill(data, end, classes, everything, seen, n_seen, words, n_words, hits, 0, head)
            passes = n_hits < 0 or _nearly(alone, head, anchors, term_starts, parts)
        elif not passes:
            n_hits = n_anchors = _fill(data, end, classes, anchor_words, seen, n_seen, words, n_words, hits, 0, head)
            passes = n_hits < 0
            if n_anchors > 0:
                # then only the classes that stand beside one of these anchors in some term
                wanted[:] = 0
                for hit in range(n_anchors):
                    bit = hits[hit, 0]
                    if hits[hit, 2] >= 0:  # an earlier hit of the class has asked
                        continue
                    for t in range(by_anchor_starts[bit], by_anchor_starts[bit + 1]):
                        for k in range(term_starts[by_anchor[t]], term_starts[by_anchor[t] + 1]):
                            need = parts[k, 0]
                            if not anchor_bits[need]:
                                wanted[need >> 6] |= np.uint64(1) << np.uint64(need & 63)
                n_hits = _fill(data, end, classes, wanted, seen, n_seen, words, n_words, hits, n_anchors, head)
                passes = n_hits < 0
            for hit in range(n_anchors if n_hits > 0 else 0):
                bit = hits[hit, 0]
                for t in range(by_anchor_starts[bit], by_anchor_starts[bit + 1]):
                    term = by_anchor[t]
                    if len(found) and found[row, rule_of[term]]:
                        continue
                    if _whole(term, hit, hits, head, term_starts, parts):
                        passes = True
                        if len(found) == 0:
                            break
                        found[row, rule_of[term]] = True
                if passes and len(found) == 0:
                    break
        for hit in range(n_hits):
            head[hits[hit, 0]] = -1
        out[row] = passes
        if len(found) and (n_seen < 0 or n_hits < 0):
            found[row] = True


@dataclass(frozen=True)
class _Need:
    """A class of words: any with one of these concepts, of this language, in a form with one of these features."""

    mask: int
    language: str
    """Empty: any."""
    features: Features
    """Empty: any."""


@dataclass(frozen=True)
class _Part:
    """A class that must stand at most so many words before or after the anchor."""

    need: _Need
    before: int
    after: int


@dataclass(frozen=True)
class _Term:
    anchor: _Need
    parts: frozenset[_Part]
    rule: int
    """Number of the rule in the pack."""
    is_alone: bool
    """The parts are cues of the anchor's mood only."""


class Screen:
    """The compiled look-over of a pack."""

    def __init__(self, pack: Pack) -> None:
        """Compile the rules and words of ``pack``."""
        extents = _Extents(pack)
        terms = list(
            dict.fromkeys(
                term
                for number, rule in enumerate(pack.rules)
                for frame in rule.frames
                for term in _terms(frame, number, pack, extents)
            )
        )
        needs = {term.anchor for term in terms} | {part.need for term in terms for part in term.parts}
        ordered = sorted(needs, key=lambda n: (n.mask, n.language, sorted(n.features)))
        bit_of = {need: i for i, need in enumerate(ordered)}
        self.n_classes, self.n_terms, self.n_rules = len(ordered), len(terms), len(pack.rules)
        self._terms = _pack_terms(terms, bit_of)
        self._classes, self._table, self.n_keys = _compile_words(pack, ordered)
        starts, bits = self._classes[0], self._classes[1]
        anchors = np.isin(bits, self._terms[1])
        self._is_anchor = np.array([anchors[a:b].any() for a, b in itertools.pairwise(starts.tolist())], np.bool_)

    def run(self, folded: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return bool (n,): whether each folded text may hold a match."""
        return self._run(folded, None, np.zeros((0, 0), np.bool_))

    def rules_of(self, folded: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return bool (n, rules of the pack): which rules may match each folded text."""
        found = np.zeros((len(folded), self.n_rules), np.bool_)
        self._run(folded, None, found)
        return found

    def run_disguised(self, folded: pa.Array | pa.ChunkedArray, chosen: np.ndarray) -> np.ndarray:
        """Return bool (n,): whether each text of the ``chosen`` may hold a match, were one part of it disguised."""
        return self._run(folded, chosen, np.zeros((0, 0), np.bool_))

    def touches(self, word: str) -> bool:
        """Tell whether a word is, or begins like, one of the rules' words."""
        data = np.frombuffer(fold_strings(pa.array([word]))[0][0].as_py().encode(), np.uint8)
        words = (np.empty(64, np.int64), np.empty(64, np.uint64))
        seen = np.empty((64, 3), np.int64)
        n_seen, _, _ = _look_up(data, 0, len(data), self._table, self._is_anchor, seen, words)
        return n_seen != 0

    def _run(self, folded: pa.Array | pa.ChunkedArray, chosen: np.ndarray | None, found: np.ndarray) -> np.ndarray:
        offsets, data = utf8_buffers(folded)
        out = np.zeros(len(offsets) - 1, np.bool_)
        rows = np.ones(len(out), np.bool_) if chosen is None else chosen
        words = (self._table, self._is_anchor, self._classes, self._terms)
        if self.n_terms:
            _screen_rows(offsets, data, rows, *words, chosen is not None, out, found)
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


def _terms(frame: Frame, rule: int, pack: Pack, extents: _Extents) -> list[_Term]:
    """Return the terms of a frame."""
    slots = [slot for slot in frame.slots if not slot.optional]
    anchor = slots[0]
    languages = sorted(frame.languages) if len(frame.languages) < 3 else [""]
    out = []
    for paths in itertools.product(*(_paths(slot, pack, languages if slot is anchor else [""]) for slot in slots)):
        first, cues = paths[0]
        parts = {_cue_part(cue, is_before, 0) for cue, is_before in cues}
        for slot, (need, more) in zip(slots[1:], paths[1:], strict=True):
            before, after = (0 if one else frame.within for one in _sides(frame, anchor, slot))
            parts.add(_Part(need, before, after))
            # Cues hang on a word that is itself up to so far off.
            off = frame.within + extents.of(slot.mask)
            parts |= {_cue_part(cue, is_before, off) for cue, is_before in more}
        out.append(_Term(first, frozenset(parts), rule, len(slots) == 1))
    return out


def _sides(frame: Frame, anchor: Slot, slot: Slot) -> tuple[bool, bool]:
    """Return whether the slot cannot stand before, and cannot stand after the anchor."""
    order = frame.order
    if anchor.name not in order or slot.name not in order:
        return False, False
    comes_first = order.index(slot.name) < order.index(anchor.name)
    return not comes_first, comes_first


def _cue_part(cue: Cue, is_before: bool, off: int) -> _Part:
    need = _Need(cue.mask, "", frozenset())
    return _Part(need, (cue.within if is_before else 0) + off, (0 if is_before else cue.within) + off)


_Path = tuple[_Need, tuple[tuple[Cue, bool], ...]]
"""The word of a slot, and the cues of its mood with whether each stands before it."""


def _paths(slot: Slot, pack: Pack, languages: list[str]) -> list[_Path]:
    """Return the ways in which a slot can be filled."""
    if not slot.moods:
        return [(_Need(slot.mask, language, slot.features), ()) for language in languages]
    paths = set()
    for language, moods in pack.moods.items():
        if languages != [""] and language not in languages:
            continue
        paths |= {_mood_path(slot, language, mood) for mood in moods if mood.mood in slot.moods}
    return sorted((path for path in paths if path[0].mask), key=repr)


def _mood_path(slot: Slot, language: str, mood: Mood) -> _Path:
    cues = (*((cue, True) for cue in mood.before), *((cue, False) for cue in mood.after))
    # A slot's own features are left out: a form may have the one feature for the mood and another for the slot.
    # `of` is left out too where it names wider concepts than the slot: any bit of both will do.
    return _Need(slot.mask, language, mood.features), cues


def _pack_terms(terms: list[_Term], bit_of: dict[_Need, int]):  # type: ignore[no-untyped-def]
    starts = np.cumsum([0, *(len(term.parts) for term in terms)])
    parts = [(bit_of[part.need], part.before, part.after) for term in terms for part in term.parts]
    anchors = np.array([bit_of[term.anchor] for term in terms], np.int64)
    by_anchor: list[list[int]] = [[] for _ in bit_of]
    for number, anchor in enumerate(anchors.tolist()):
        by_anchor[anchor].append(number)
    by_starts = np.cumsum([0, *(len(numbers) for numbers in by_anchor)])
    flat = np.array([number for numbers in by_anchor for number in numbers], np.int64)
    alone = np.array([term.is_alone for term in terms], np.bool_)
    rule_of = np.array([term.rule for term in terms], np.int64)
    return len(bit_of), anchors, alone, rule_of, starts, np.array(parts, np.int64).reshape(-1, 3), by_starts, flat


_Row = tuple[int, int, int, int, int, int, int]
"""Class; letters that may follow a beginning; words within which another must follow (negative: precede; 0: none), its
hash, its bytes (0: the whole word); words of the phrase before and after this one at most."""


class _Words:
    """Collects the hash of every word and beginning, with the classes that it fills."""

    def __init__(self, pack: Pack, needs: list[_Need]) -> None:
        self.lexicon, self.needs = pack.lexicon, needs
        self.sets: dict[frozenset[_Row], int] = {}
        self.spelled: list[tuple[str, bool, int]] = []
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

    def value(self, rows: frozenset[_Row]) -> int:
        """Return the number of a set of rows."""
        return self.sets.setdefault(rows, len(self.sets))

    def add(self, sequence: Sequence, mask: int) -> None:
        """Add a word or phrase."""
        if not self.classes(mask, sequence.language):
            return
        units = [self.lexicon.units[number] for number in sequence.units]
        unit, beside = _key_of(units, sequence.gaps)
        if unit.kind == "verb" and len(units) == 1:
            for stem, kind in self.lexicon.stem_spellings(unit.spelled, "verb"):
                self._add_forms(stem, kind, mask, sequence)
            return
        features = sequence.features | (DATIVE if any(u.kind == "start1" for u in units) else frozenset())
        takes_endings = any(u.kind in ("verb", "noun") for u in units)  # which may give any feature
        room = MAX_ENDING if unit.kind == "start1" else 60
        numbers = self._fillable(mask, sequence.language, features, takes_endings)
        rows = frozenset([(number, room, *beside) for number in numbers])
        if not rows:
            return
        if unit.kind in ("verb", "noun"):
            for stem, _ in self.lexicon.stem_spellings(unit.spelled, unit.kind):
                self.spelled.append((stem, True, self.value(rows)))
        else:
            self.spelled.append((unit.spelled, unit.kind != "exact", self.value(rows)))

    def _add_forms(self, stem: str, kind: str, mask: int, sequence: Sequence) -> None:
        """Add the forms of a Kazakh verb that have a feature somebody asks for."""
        key = (mask, sequence.language, sequence.features, kind)
        if key not in self._endings:
            chosen = []
            for ending, features in self.lexicon.endings[kind].items():
                both = features | sequence.features
                rows = frozenset(
                    (number, 60, 0, 0, 0, 0, 0)
                    for number, wanted in self.classes(mask, sequence.language)
                    if not wanted or wanted & both
                )
                if rows:
                    chosen.append((ending, self.value(rows)))
            offsets, data = utf8_buffers(pa.array([ending for ending, _ in chosen], pa.string()))
            self._endings[key] = offsets, data, np.array([value for _, value in chosen], np.int64)
        offsets, data, values = self._endings[key]
        if len(values):
            out = np.empty(len(values), np.uint64)
            _hash_endings(np.uint64(_hash(stem)), offsets, data, out)
            self.hashes.append(out)
            self.values.append(values)

    def table(self) -> Any:
        """Return (classes, hash table, number of keys)."""
        words = pa.array([word for word, _, _ in self.spelled], pa.string())
        hashes = np.empty(len(words), np.uint64)
        _hash_words(*utf8_buffers(words), hashes)
        is_start = np.array([prefix for _, prefix, _ in self.spelled], np.bool_)
        hashes[is_start] ^= _PREFIX
        values = np.array([value for _, _, value in self.spelled], np.int64)
        all_hashes = np.concatenate([hashes, *self.hashes])
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
        starts = np.cumsum([0, *(len(rows) for rows in self.sets)])
        flat = [one for rows in self.sets for one in rows]
        bits, rooms, reaches, n_bytes, before, after = (
            np.array([one[k] for one in flat], np.int64) for k in (0, 1, 2, 4, 5, 6)
        )
        beside = np.array([one[3] for one in flat], np.uint64)
        return (
            (starts, bits, rooms, reaches, beside, n_bytes, before, after, _class_words(starts, bits, len(self.needs))),
            _open_table(keys, numbers, hashes[is_start]),
            len(keys),
        )


def _compile_words(pack: Pack, needs: list[_Need]):  # type: ignore[no-untyped-def]
    """Return (classes, hash table, number of keys) of every word that fills some class."""
    words = _Words(pack, needs)
    for sequence in pack.lexicon.sequences:
        # an ambiguous name may turn out to be one
        named = pack.organisation_mask if sequence.mask & pack.ambiguous_bit else 0
        words.add(sequence, sequence.mask | named)
    return words.table()


def _key_of(units: list[Unit], gaps: tuple[bool, ...]) -> tuple[Unit, tuple[int, int, int, int, int]]:
    """Return the word by which a phrase is looked for, and what else a row says of it (see _Row)."""
    if len(units) == 1:
        return units[0], (0, 0, 0, 0, 0)
    first = max(range(len(units) - 1), key=lambda i: len(units[i].spelled) + len(units[i + 1].spelled))
    at, beside, reach = first, first + 1, 1 + MAX_GAP * gaps[first + 1]
    if len(units[beside].spelled) > len(units[at].spelled):
        at, beside, reach = beside, at, -reach
    before = at + MAX_GAP * sum(gaps[: at + 1])
    after = len(units) - 1 - at + MAX_GAP * sum(gaps[at + 1 :])
    other = units[beside]
    spelled = other.spelled
    if other.kind in ("verb", "noun"):  # the last letter of a stem may change before an ending
        spelled = spelled[:-1]
    if not spelled:
        return units[at], (0, 0, 0, before, after)
    n_bytes = 0 if other.kind == "exact" else len(spelled.encode())
    return units[at], (reach, _hash(spelled), n_bytes, before, after)


def _hash(word: str) -> int:
    return int(_hash_bytes(np.frombuffer(word.encode(), np.uint8)))


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
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int64)
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
