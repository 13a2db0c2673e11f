"""A fast look over posts: which rules have the words of at least one whole frame in the places where it wants them.

It may let a post through in vain, never the other way round: the slow path decides. What it must find of a rule is a
*term*: a class of words for the anchor, one for each other slot, and one for each cue of a mood. A post is looked at in
three steps, and nearly every post is done after the first:

1. Its words are looked up by their hashes. A term is asked for only where the post has its *pivot*, the rarest of its
   classes; then all its other classes must be there.
2. Each part must stand within so many words of the anchor.
3. The text as posted is parted into sentences and clauses, and each part must stand in those that the frame allows.
"""

import itertools
from typing import NamedTuple, TypeAlias

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.fold import fold_strings, kernel_tables
from bastau.read.rules.lexicon import MAX_GAP
from bastau.read.rules.pack import Cue, Frame, Mood, Pack, Slot
from bastau.read.rules.places import MAX_BYTES, find_places, marks
from bastau.read.rules.screen_words import Need, compile_words, look_up, stands_in, starts_of
from bastau.tables import utf8_buffers

Texts: TypeAlias = pa.Array | pa.ChunkedArray
_HITS = 8192
_WORDS = 20_000
_SEEN = 8192
"""Words and beginnings of one post that are kept; a post with more goes on unseen."""
_TAKEN = 16_384
_OPENERS = 30
"""Words that may open a clause before a verb (frames._MAX_OPENERS)."""
ANYWHERE, NEIGHBOURS, SENTENCE, CLAUSE = range(4)
_SCOPES = {"neighbours": NEIGHBOURS, "sentence": SENTENCE, "clause": CLAUSE}


@nb.njit(nogil=True, cache=True)
def _take(data, end, groups, seen, n_seen, words, n_words, taken, present):  # type: ignore[no-untyped-def]
    """Write (group, word number) of each word that stands there with its phrase to ``taken``, and the classes to ``present``.

    Returns how many, or -1 when they do not fit.
    """
    group_starts, list_of, room_of, phrase_of, _, _, phrases, list_words = groups
    present[:] = 0
    n = 0
    for k in range(n_seen):
        value, word = seen[k, 0], seen[k, 1]
        for g in range(group_starts[value], group_starts[value + 1]):
            if seen[k, 2] > room_of[g]:
                continue
            if phrase_of[g] >= 0 and not stands_in(data, end, words, n_words, word, phrase_of[g], phrases):
                continue
            if n == len(taken):
                return -1
            taken[n, 0], taken[n, 1] = g, word
            n += 1
            of = list_of[g]
            for w in range(len(present)):
                present[w] |= list_words[of, w]
    return n


@nb.njit(nogil=True, cache=True, inline="always")
def _has(bits, bit):  # type: ignore[no-untyped-def]
    return bits[bit >> 6] >> np.uint64(bit & 63) & np.uint64(1) != 0


@nb.njit(nogil=True, cache=True, inline="always")
def _set(bits, bit):  # type: ignore[no-untyped-def]
    bits[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)


@nb.njit(nogil=True, cache=True)
def _likely(present, terms, likely):  # type: ignore[no-untyped-def]
    """Write the terms all of whose classes are ``present`` to ``likely``; return how many."""
    pivot_words, pivot_starts, pivot_terms, check_starts, checks = terms[7:12]
    n = 0
    for w in range(len(present)):
        left = present[w] & pivot_words[w]
        bit = 64 * w
        while left:
            if left & np.uint64(1):
                for k in range(pivot_starts[bit], pivot_starts[bit + 1]):
                    term = pivot_terms[k]
                    is_whole = True
                    for c in range(check_starts[term], check_starts[term + 1]):
                        if not _has(present, checks[c]):
                            is_whole = False
                            break
                    if is_whole:
                        likely[n] = term
                        n += 1
            left >>= np.uint64(1)
            bit += 1
    return n


@nb.njit(nogil=True, cache=True)
def _fill(groups, wanted, taken, n_taken, hits, head):  # type: ignore[no-untyped-def]
    """Write (class, word number, earlier hit, words of its phrase before and after) of each hit of the ``wanted`` classes.

    The last hit of each class goes to ``head``. Returns the number of hits, or -1 when they do not fit.
    """
    _, list_of, _, phrase_of, list_starts, list_bits, phrases, list_words = groups
    before_of, after_of = phrases[2], phrases[3]
    n = 0
    for k in range(n_taken):
        g, word = taken[k, 0], taken[k, 1]
        of = list_of[g]
        common = np.uint64(0)
        for w in range(len(wanted)):
            common |= wanted[w] & list_words[of, w]
        if common == 0:
            continue
        before = after = 0
        if phrase_of[g] >= 0:
            before, after = before_of[phrase_of[g]], after_of[phrase_of[g]]
        for c in range(list_starts[of], list_starts[of + 1]):
            bit = list_bits[c]
            if not _has(wanted, bit):
                continue
            last = head[bit]
            if last >= 0 and hits[last, 1] == word and hits[last, 3] >= before and hits[last, 4] >= after:
                continue
            if n == len(hits):
                _forget(hits, n, head)
                return -1
            hits[n, 0], hits[n, 1], hits[n, 2], hits[n, 3], hits[n, 4] = bit, word, last, before, after
            head[bit] = n
            n += 1
    return n


@nb.njit(nogil=True, cache=True)
def _forget(hits, n_hits, head):  # type: ignore[no-untyped-def]
    for hit in range(n_hits):
        head[hits[hit, 0]] = -1


@nb.njit(nogil=True, cache=True)
def _want(likely, n_likely, terms, wanted):  # type: ignore[no-untyped-def]
    """Set ``wanted`` to the classes of the likely terms."""
    anchors, start_of, term_starts, parts = terms[0], terms[3], terms[5], terms[6]
    wanted[:] = 0
    for k in range(n_likely):
        term = likely[k]
        _set(wanted, anchors[term])
        if start_of[term] >= 0:
            _set(wanted, start_of[term])
        for part in range(term_starts[term], term_starts[term + 1]):
            _set(wanted, parts[part, 0])
            if parts[part, 4] >= 0:
                _set(wanted, parts[part, 4])


@nb.njit(nogil=True, cache=True, inline="always")
def _is_near(hits, hit, anchor, before, after):  # type: ignore[no-untyped-def]
    # Each was seen by one word of what may be a phrase: its ends lie that many words off.
    later = hits[hit, 1] - hits[anchor, 1]
    return later <= after + hits[hit, 3] + hits[anchor, 4] and -later <= before + hits[hit, 4] + hits[anchor, 3]


@nb.njit(nogil=True, cache=True)
def _stands_near(term, anchor, hits, head, terms):  # type: ignore[no-untyped-def]
    """Tell whether every part of the term stands within its words of the hit ``anchor``."""
    term_starts, parts = terms[5], terms[6]
    for k in range(term_starts[term], term_starts[term + 1]):
        hit = head[parts[k, 0]]
        while hit >= 0 and not _is_near(hits, hit, anchor, parts[k, 1], parts[k, 2]):
            hit = hits[hit, 2]
        if hit < 0:
            return False
    return True


@nb.njit(nogil=True, cache=True)
def _is_covered(word, bit, hits, head):  # type: ignore[no-untyped-def]
    hit = head[bit]
    while hit >= 0:
        if hits[hit, 1] - hits[hit, 3] <= word <= hits[hit, 1] + hits[hit, 4]:
            return True
        hit = hits[hit, 2]
    return False


@nb.njit(nogil=True, cache=True)
def _may_begin(hit, bit, opens, hits, head):  # type: ignore[no-untyped-def]
    """Tell whether nothing but words of the class ``bit`` may stand between the beginning of the clause and ``hit``."""
    for at in range(max(0, hits[hit, 1] - hits[hit, 3]), hits[hit, 1] + 1):
        i = at
        while not opens[i] and at - i < _OPENERS and _is_covered(i - 1, bit, hits, head):
            i -= 1
        if opens[i] or at - i >= _OPENERS:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _stands_in_place(term, anchor, hits, head, terms, places):  # type: ignore[no-untyped-def]
    """Tell whether every part of the term also stands in the sentence or clause where it must."""
    start_of, is_english = terms[3], terms[4]
    term_starts, parts = terms[5], terms[6]
    sentences, clauses, opens, joined, n_words = places
    at, before, after = hits[anchor, 1], hits[anchor, 3], hits[anchor, 4]
    if is_english[term] and after == 0 and joined[at]:
        return False
    if start_of[term] >= 0 and not _may_begin(anchor, start_of[term], opens, hits, head):
        return False
    first = max(0, at - before)  # its phrase begins between here and its word
    for k in range(term_starts[term], term_starts[term + 1]):
        scope, begins, is_cue = parts[k, 3], parts[k, 4], parts[k, 5]
        hit = head[parts[k, 0]]
        while hit >= 0:
            here = hits[hit, 1]
            low, high = max(0, here - hits[hit, 3]), min(n_words - 1, here + hits[hit, 4])
            # two slots share no word; a cue stands outside the predicate
            fits = here != at or (is_cue and (low != here or high != here))
            if scope == CLAUSE:
                fits &= clauses[high] >= clauses[first] and clauses[low] <= clauses[at]
            elif scope == SENTENCE:
                fits &= sentences[high] >= sentences[first] and sentences[low] <= sentences[at]
            elif scope == NEIGHBOURS:
                fits &= sentences[high] >= sentences[first] - 1 and sentences[low] <= sentences[at] + 1
            if (
                fits
                and _is_near(hits, hit, anchor, parts[k, 1], parts[k, 2])
                and (begins < 0 or _may_begin(hit, begins, opens, hits, head))
            ):
                break
            hit = hits[hit, 2]
        if hit < 0:
            return False
    return True


@nb.njit(nogil=True, cache=True)
def _look(folded, titles, texts, table, groups, terms, folding, has_places, found):  # type: ignore[no-untyped-def]
    """Write to ``found``, bool (rows, rules), which rules may match which rows.

    Without ``has_places``, only by the folded words.
    """
    offsets, data = folded
    title_offsets, title_data = titles
    text_offsets, text_data = texts
    characters, markup, growth, marks = folding
    anchors, rule_of, pivot_words = terms[0], terms[1], terms[7]
    head = np.full(64 * len(pivot_words), -1, np.int32)
    present, wanted = np.zeros(len(pivot_words), np.uint64), np.zeros(len(pivot_words), np.uint64)
    likely = np.empty(len(anchors), np.int32)
    hits = np.empty((_HITS, 5), np.int32)
    seen = np.empty((_SEEN, 3), np.int32)
    taken = np.empty((_TAKEN, 2), np.int32)
    words = (np.empty(_WORDS, np.int64), np.empty(_WORDS, np.uint64))
    sentences, clauses = np.empty(_WORDS, np.int32), np.empty(_WORDS, np.int32)
    opens, joined = np.empty(_WORDS, np.bool_), np.empty(_WORDS, np.bool_)
    out, origins = np.empty(8192, np.uint8), np.empty(8192, np.int64)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        n_seen, n_words = look_up(data, start, end, table, seen, words)
        if n_seen == 0:
            continue
        n_taken = -1 if n_seen < 0 else _take(data, end, groups, seen, n_seen, words, n_words, taken, present)
        if n_taken < 0:
            found[row] = True
            continue
        n_likely = _likely(present, terms, likely)
        if n_likely == 0:
            continue
        _want(likely, n_likely, terms, wanted)
        n_hits = _fill(groups, wanted, taken, n_taken, hits, head)
        if n_hits < 0:
            found[row] = True
            continue
        n = 0
        for k in range(n_likely):
            term = likely[k]
            anchor = -1 if found[row, rule_of[term]] else head[anchors[term]]
            while anchor >= 0 and not _stands_near(term, anchor, hits, head, terms):
                anchor = hits[anchor, 2]
            if anchor >= 0:
                likely[n] = term
                n += 1
                found[row, rule_of[term]] = not has_places
        if n and has_places:
            sizes = (title_offsets[row + 1] - title_offsets[row], text_offsets[row + 1] - text_offsets[row])
            n_placed = -1
            if max(sizes[0], sizes[1]) < MAX_BYTES:
                size = growth * (sizes[0] + sizes[1]) + 16
                if size > len(out):
                    out, origins = np.empty(2 * size, np.uint8), np.empty(2 * size, np.int64)
                title = (title_data, title_offsets[row], title_offsets[row + 1])
                text = (text_data, text_offsets[row], text_offsets[row + 1])
                tables = (characters, markup, marks)
                n_placed = find_places(title, text, tables, out, origins, sentences, clauses, opens, joined)
            places = (sentences, clauses, opens, joined, n_words)
            for k in range(n):
                term = likely[k]
                if found[row, rule_of[term]]:
                    continue
                if n_placed != n_words:  # too long, or the folded form is another text's
                    found[row, rule_of[term]] = True
                    continue
                anchor = head[anchors[term]]
                while anchor >= 0 and not (
                    _stands_near(term, anchor, hits, head, terms)
                    and _stands_in_place(term, anchor, hits, head, terms, places)
                ):
                    anchor = hits[anchor, 2]
                found[row, rule_of[term]] = anchor >= 0
        _forget(hits, n_hits, head)


@nb.njit(nogil=True, cache=True)
def _nearly(folded, chosen, table, groups, terms, out):  # type: ignore[no-untyped-def]
    """Write to ``out`` which of the chosen rows have all parts but one of some term anywhere."""
    offsets, data = folded
    anchors, is_alone, term_starts, parts, pivot_words = terms[0], terms[2], terms[5], terms[6], terms[7]
    present = np.zeros(len(pivot_words), np.uint64)
    seen, taken = np.empty((_SEEN, 3), np.int32), np.empty((_TAKEN, 2), np.int32)
    words = (np.empty(_WORDS, np.int64), np.empty(_WORDS, np.uint64))
    for row in range(len(offsets) - 1):
        if not chosen[row]:
            continue
        n_seen, n_words = look_up(data, offsets[row], offsets[row + 1], table, seen, words)
        if n_seen == 0:
            continue
        if n_seen < 0 or _take(data, offsets[row + 1], groups, seen, n_seen, words, n_words, taken, present) < 0:
            out[row] = True
            continue
        for term in range(len(anchors)):
            if is_alone[term]:  # nothing but cues would be left
                continue
            missing = 0 if _has(present, anchors[term]) else 1
            for k in range(term_starts[term], term_starts[term + 1]):
                missing += parts[k, 6] != 0 and not _has(present, parts[k, 0])
                if missing > 1:
                    break
            if missing <= 1:
                out[row] = True
                break


@nb.njit(nogil=True, cache=True)
def _count(folded, table, groups, n_words_of, counts):  # type: ignore[no-untyped-def]
    """Add to ``counts`` how many texts have each class."""
    offsets, data = folded
    present = np.zeros(n_words_of, np.uint64)
    seen, taken = np.empty((_SEEN, 3), np.int32), np.empty((_TAKEN, 2), np.int32)
    words = (np.empty(_WORDS, np.int64), np.empty(_WORDS, np.uint64))
    for row in range(len(offsets) - 1):
        n_seen, n_words = look_up(data, offsets[row], offsets[row + 1], table, seen, words)
        if n_seen > 0 and _take(data, offsets[row + 1], groups, seen, n_seen, words, n_words, taken, present) > 0:
            for bit in range(len(counts)):
                counts[bit] += _has(present, bit)


class _Part(NamedTuple):
    """A class that must stand at most so many words before or after the anchor, and in its sentence or clause."""

    need: Need
    before: int
    after: int
    scope: int
    begins: Need | None
    """It begins its clause, after nothing but words of this class."""
    is_cue: bool


class _Term(NamedTuple):
    anchor: Need
    parts: tuple[_Part, ...]
    rule: int
    """Number of the rule in the pack."""
    is_alone: bool
    """The parts are cues of the anchor's mood only."""
    start: Need | None
    """The anchor begins its clause, after nothing but words of this class."""
    is_english: bool
    """The anchor has a mood, and is English: no part of a word with hyphens."""


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
        needs = {need for term in terms for need in _needs(term)}
        ordered = sorted(needs, key=lambda n: (n.mask, n.language, sorted(n.features)))
        number_of = {need: i for i, need in enumerate(ordered)}
        self.n_classes, self.n_terms, self.n_rules = len(ordered), len(terms), len(pack.rules)
        self._groups, self._table, self.n_keys = compile_words(pack, ordered)
        self._terms = _pack_terms(terms, number_of, self._common(pack))

    def _common(self, pack: Pack) -> np.ndarray:
        """Return how many of the rules' own examples have each class, int64 (classes,): which are rare."""
        counts = np.zeros(self.n_classes, np.int64)
        examples = [text for rule in pack.rules for _, text, _ in (*rule.must_hit, *rule.must_not_hit)]
        if self.n_terms:
            folded = utf8_buffers(fold_strings(pa.array(examples, pa.string()))[0])
            _count(folded, self._table, self._groups, self._groups[-1].shape[1], counts)
        return counts

    def look(self, folded: Texts, titles: Texts, texts: Texts) -> np.ndarray:
        """Return bool (n, rules of the pack): which rules may match each post.

        Args:
            folded: the folded form of title and text together.
            titles: as posted.
            texts: as posted.
        """
        return self._look(folded, titles, texts, True)

    def rules_of(self, folded: Texts) -> np.ndarray:
        """Return bool (n, rules of the pack): which rules may match each folded text, wherever its sentences end."""
        none = pa.nulls(len(folded), pa.string())
        return self._look(folded, none, none, False)

    def run(self, folded: Texts) -> np.ndarray:
        """Return bool (n,): whether each folded text may hold a match, wherever its sentences end."""
        return np.asarray(self.rules_of(folded).any(axis=1))

    def run_disguised(self, folded: Texts, chosen: np.ndarray) -> np.ndarray:
        """Return bool (n,): whether each text of the ``chosen`` may hold a match, were one part of it disguised."""
        out = np.zeros(len(folded), np.bool_)
        if self.n_terms:
            _nearly(utf8_buffers(folded), chosen, self._table, self._groups, self._terms, out)
        return out

    def touches(self, word: str) -> bool:
        """Tell whether a word is, or begins like, one of the rules' words."""
        data = np.frombuffer(fold_strings(pa.array([word]))[0][0].as_py().encode(), np.uint8)
        words = (np.empty(64, np.int64), np.empty(64, np.uint64))
        return bool(look_up(data, 0, len(data), self._table, np.empty((64, 3), np.int32), words)[0])

    def _look(self, folded: Texts, titles: Texts, texts: Texts, has_places: bool) -> np.ndarray:
        found = np.zeros((len(folded), self.n_rules), np.bool_)
        if self.n_terms:
            columns = [utf8_buffers(column) for column in (folded, titles, texts)]
            _look(*columns, self._table, self._groups, self._terms, (*kernel_tables(), marks()), has_places, found)
        return found


class _Extents:
    """The most words that a word or phrase of some concepts takes, gaps included."""

    def __init__(self, pack: Pack) -> None:
        self._by_mask: dict[int, int] = {}
        named = pack.organisation_mask
        for one in pack.lexicon.sequences:
            mask = one.mask | (named if one.mask & pack.ambiguous_bit else 0)
            extent = len(one.units) + MAX_GAP * sum(one.gaps)
            self._by_mask[mask] = max(extent, self._by_mask.get(mask, 1))
        self._known: dict[int, int] = {}

    def of(self, mask: int) -> int:
        """Return the extent of the longest entry with one of the concepts of ``mask``."""
        if mask not in self._known:
            self._known[mask] = max((extent for known, extent in self._by_mask.items() if known & mask), default=1)
        return self._known[mask]


def _order(one: "_Part | _Path") -> str:
    """Return what parts and paths are sorted by: the same in every process, as the order within a set is not."""
    return repr((sorted(one.need.features), one._replace(need=one.need._replace(features=frozenset()))))


class _Path(NamedTuple):
    """One way to fill a slot: the word, and the cues of its mood with whether each stands before it."""

    need: Need
    cues: tuple[tuple[Cue, bool], ...]
    start: int | None
    is_english: bool


def _terms(frame: Frame, rule: int, pack: Pack, extents: _Extents) -> list[_Term]:
    """Return the terms of a frame."""
    anchor = frame.slots[0]
    slots = [anchor, *(slot for slot in frame.slots[1:] if not slot.optional)]
    languages = sorted(frame.languages) if len(frame.languages) < 3 else [""]
    scope = _SCOPES.get(frame.same, ANYWHERE)
    out = []
    for paths in itertools.product(*(_paths(slot, pack, languages if slot is anchor else [""]) for slot in slots)):
        first = paths[0]
        parts = {_cue_part(cue, is_before, 0, CLAUSE) for cue, is_before in first.cues}
        for slot, path in zip(slots[1:], paths[1:], strict=True):
            before, after = (0 if one else frame.within for one in _sides(frame, anchor, slot))
            parts.add(_Part(path.need, before, after, scope, None, False))
            # Cues hang on a word that is itself up to so far off.
            off = frame.within + extents.of(slot.mask)
            parts |= {_cue_part(cue, is_before, off, scope) for cue, is_before in path.cues}
        start = Need(first.start, "", frozenset()) if first.start is not None else None
        ordered = tuple(sorted(parts, key=_order))
        out.append(_Term(first.need, ordered, rule, len(slots) == 1, start, first.is_english))
    return out


def _sides(frame: Frame, anchor: Slot, slot: Slot) -> tuple[bool, bool]:
    """Return whether the slot cannot stand before, and cannot stand after the anchor."""
    order = frame.order
    if anchor.name not in order or slot.name not in order:
        return False, False
    comes_first = order.index(slot.name) < order.index(anchor.name)
    return not comes_first, comes_first


def _cue_part(cue: Cue, is_before: bool, off: int, scope: int) -> _Part:
    need = Need(cue.mask, "", frozenset())
    scope = min(scope, SENTENCE) if cue.in_sentence else scope
    begins = Need(cue.starts | cue.mask, "", frozenset()) if cue.starts is not None else None
    return _Part(
        need, (cue.within if is_before else 0) + off, (0 if is_before else cue.within) + off, scope, begins, True
    )


def _paths(slot: Slot, pack: Pack, languages: list[str]) -> list[_Path]:
    """Return the ways in which a slot can be filled."""
    if not slot.moods:
        return [_Path(Need(slot.mask, language, slot.features), (), None, False) for language in languages]
    paths = set()
    for language, moods in pack.moods.items():
        if languages != [""] and language not in languages:
            continue
        paths |= {_mood_path(slot, language, mood) for mood in moods if mood.mood in slot.moods}
    return sorted((path for path in paths if path.need.mask), key=_order)


def _mood_path(slot: Slot, language: str, mood: Mood) -> _Path:
    cues = (*((cue, True) for cue in mood.before), *((cue, False) for cue in mood.after))
    # A slot's own features are left out: a form may have the one feature for the mood and another for the slot.
    # `of` is left out too where it names wider concepts than the slot: any bit of both will do.
    return _Path(Need(slot.mask, language, mood.features), cues, mood.start, language == "en")


def _needs(term: _Term) -> list[Need]:
    """Return the classes that a term speaks of."""
    needs = [term.anchor, *(part.need for part in term.parts), *(part.begins for part in term.parts), term.start]
    return [need for need in needs if need is not None]


def _pack_terms(terms: list[_Term], number_of: dict[Need, int], common: np.ndarray):  # type: ignore[no-untyped-def]
    """Return the terms as arrays, in the order in which the kernels take them apart."""

    def number(need: Need | None) -> int:
        return -1 if need is None else number_of[need]

    parts = []
    checks: list[list[int]] = []
    by_pivot: list[list[int]] = [[] for _ in number_of]
    for k, term in enumerate(terms):
        seen: set[tuple[Need, int, int]] = set()
        for part in term.parts:
            where = part.need, part.before, part.after
            parts.append(
                (
                    number(part.need),
                    part.before,
                    part.after,
                    part.scope,
                    number(part.begins),
                    part.is_cue,
                    where not in seen,
                )
            )
            seen.add(where)
        asked = sorted({number_of[need] for need in (term.anchor, *(part.need for part in term.parts))})
        pivot, *others = sorted(asked, key=lambda n: (common[n], n != number_of[term.anchor]))
        by_pivot[pivot].append(k)
        checks.append(others)
    n_words = max(1, (len(number_of) + 63) // 64)
    pivots = np.zeros(64 * n_words, np.bool_)
    pivots[[n for n, of in enumerate(by_pivot) if of]] = True
    return (
        np.array([number_of[term.anchor] for term in terms], np.int32),
        np.array([term.rule for term in terms], np.int32),
        np.array([term.is_alone for term in terms], np.bool_),
        np.array([number(term.start) for term in terms], np.int32),
        np.array([term.is_english for term in terms], np.bool_),
        starts_of(term.parts for term in terms),
        np.array(parts, np.int32).reshape(-1, 7),
        np.packbits(pivots, bitorder="little").view("<u8").astype(np.uint64),
        starts_of(by_pivot),
        np.array([k for of in by_pivot for k in of], np.int32),
        starts_of(checks),
        np.array([n for of in checks for n in of], np.int32),
    )
