"""Frames over tagged words, and the gates that leave a frame alone."""

import functools
import operator
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from bastau.read.fold import fold_with_offsets
from bastau.read.rules.languages import Sentences
from bastau.read.rules.lexicon import Tag
from bastau.read.rules.pack import Cue, Frame, Gate, Mood, Pack, Rule, Slot
from bastau.read.rules.tokens import Form, read_text

_MAX_PHRASE = 40
"""Words that a phrase with its gaps may take."""
_MAX_OPENERS = 30
_MAX_FOUND = 300
"""Times that one frame is judged in one post; bounds the work on a post made of nothing else."""
_LISTS = frozenset((",", "/", "&", ",&", "|"))
WHOLE_TEXT = frozenset(
    ("reporting", "denunciation", "scripture", "testimony", "help", "academic", "fiction", "satire", "game")
)
"""Gates that can say of a whole post what it is; the others hang on one predicate."""
_NO_MOOD: frozenset[str] = frozenset()
_OPEN_WORDS = 2
"""Words outside a quotation that make it one: a post that is nothing but a quotation speaks for itself."""


@dataclass(frozen=True)
class Span:
    """Characters of a field that a reviewer sees highlighted."""

    field: str
    start: int
    end: int
    slot: str


@dataclass(frozen=True)
class Match:
    """A frame found in a post. ``gates`` empty: nothing holds it back."""

    rule: Rule
    spans: tuple[Span, ...]
    gates: tuple[str, ...]
    voice: str
    mood: str | None
    score: float


class _Placed:
    """Tags by place."""

    def __init__(self, tags: list[Tag]) -> None:
        self.tags = tags
        self._starts = [tag.start for tag in tags]

    def between(self, low: int, high: int) -> list[Tag]:
        """Return the tags that begin in words [low, high)."""
        return self.tags[bisect_left(self._starts, low) : bisect_left(self._starts, high)]


class Reading:
    """One post, tagged: what rules look at.

    A post may be made of nothing but words of the rules, so whatever is asked again for each of its predicates is found once
    a post, and no predicate has all other words looked through.
    """

    def __init__(self, pack: Pack, title: str | None, text: str | None, form: Form = fold_with_offsets) -> None:
        """Read title and text with the words of ``pack``."""
        self.pack = pack
        self.document = document = read_text(title, text, form)
        fits = Sentences(document).fits
        named = pack.organisation_mask | pack.ambiguous_bit  # names are written in any letters anywhere
        tags = [tag for tag in pack.lexicon.tag(document) if tag.language == "ru" or tag.mask & named or fits(tag)]
        if any(tag.mask & pack.ambiguous_bit for tag in tags):
            tags = self._settle_names(tags)
        self.tags = tags
        n = len(document.words)
        self.masks = masks = [0] * n
        self.present = 0
        for tag in tags:
            self.present |= tag.mask
            for i in tag.words or range(tag.start, tag.end):
                masks[i] |= tag.mask
        self._placed = _Placed(tags)
        self._of_concepts: dict[int, _Placed] = {}
        self._cues_of: dict[int, _Placed] = {}
        self._present_in: dict[tuple[int, int], int] = {}
        self._colons = sorted(document.colons)
        self._verses = sorted(document.verses)
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        self._moods: dict[int, frozenset[str]] = {}
        self.outside = sum(1 for quote in document.quotes if quote == 0)

    def _settle_names(self, tags: list[Tag]) -> list[Tag]:
        """Make ambiguous names names where the text speaks of armed groups."""
        pack = self.pack
        if not any(tag.mask & pack.context_bit and not tag.mask & pack.ambiguous_bit for tag in tags):
            return tags
        return [
            tag._replace(mask=tag.mask | pack.organisation_mask) if tag.mask & pack.ambiguous_bit else tag
            for tag in tags
        ]

    def clause(self, i: int) -> tuple[int, int]:
        """Return the range of words of the clause that word ``i`` is in."""
        return self._range(self.document.clauses, i)

    def sentence(self, i: int) -> tuple[int, int]:
        """Return the range of words of the sentence that word ``i`` is in."""
        return self._range(self.document.sentences, i)

    def _range(self, numbers: list[int], i: int) -> tuple[int, int]:
        """Return the range of the run of equal ``numbers`` around ``i``; every run is found once a post."""
        ranges = self._ranges.get(id(numbers))
        if ranges is None:
            ranges = self._ranges[id(numbers)] = []
            low = 0
            for high in range(1, len(numbers) + 1):
                if high == len(numbers) or numbers[high] != numbers[low]:
                    ranges += [(low, high)] * (high - low)
                    low = high
        return ranges[i]

    def _tags_between(self, low: int, high: int) -> list[Tag]:
        """Return the tags that begin in words [low, high)."""
        return self._placed.between(low, high)

    def _tags_of(self, mask: int) -> _Placed:
        """Return the tags with one of the concepts of ``mask``."""
        known = self._of_concepts.get(mask)
        if known is None:
            known = self._of_concepts[mask] = _Placed([tag for tag in self.tags if tag.mask & mask])
        return known

    def _has(self, mask: int, low: int, high: int) -> bool:
        """Tell whether one of the words [low, high), a sentence or another place, is of a concept of ``mask``."""
        known = self._present_in.get((low, high))
        if known is None:
            known = self._present_in[low, high] = functools.reduce(operator.or_, self.masks[low:high], 0)
        return bool(known & mask)

    # ---- moods ----

    def moods(self, tag: Tag) -> frozenset[str]:
        """Return how the predicate is meant."""
        known = self._moods.get(id(tag))
        if known is None:
            rules = self.pack.moods_of(tag.language, tag.features)
            known = frozenset([rule.mood for rule in rules if self._is_meant(rule, tag)]) if rules else _NO_MOOD
            self._moods[id(tag)] = known
        return known

    def _is_meant(self, rule: Mood, tag: Tag) -> bool:
        if tag.language == "en" and tag.end - 1 in self.document.joined:
            return False
        if rule.of and not rule.of & tag.mask:
            return False
        low, high = self.clause(tag.start)
        if rule.start is not None and not (self._begins(tag.start, low, rule.start) and self._heads(rule, tag, low)):
            return False
        return (
            all(self._stands(cue, tag, low, tag.start) for cue in rule.before)
            and all(self._stands(cue, tag, tag.end, high) for cue in rule.after)
            and not any(self._stands(cue, tag, low, tag.start) for cue in rule.not_before)
            and not any(self._stands(cue, tag, tag.end, high) for cue in rule.not_after)
        )

    def _stands(self, cue: Cue, tag: Tag, low: int, high: int) -> bool:
        """Tell whether the cue stands in [low, high), on that side of the predicate and near it."""
        is_before = high == tag.start
        if cue.in_sentence:
            first, last = self.sentence(tag.start)
            low, high = (first, high) if is_before else (low, last)
        low, high = (max(low, high - cue.within), high) if is_before else (low, min(high, low + cue.within))
        masks = self.masks
        return any(
            masks[i] & cue.mask and (cue.starts is None or self._begins(i, self.clause(i)[0], cue.starts | cue.mask))
            for i in range(low, high)
        )

    def _begins(self, i: int, low: int, skipped: int) -> bool:
        """Tell whether nothing but words of ``skipped`` stands between the beginning of the clause and word ``i``."""
        masks = self.masks
        low = max(low, i - _MAX_OPENERS)
        while i > low and masks[i - 1] & skipped:
            i -= 1
        return i == low

    def _heads(self, rule: Mood, tag: Tag, low: int) -> bool:
        """A clause that goes on a list of verbs begins no command: `guards shoot, kill a man`."""
        document = self.document
        if (
            not low
            or document.sentences[low - 1] != document.sentences[low]
            or document.gaps.get(low, "") not in _LISTS
        ):
            return True
        return all(
            rule.mood in self.moods(other)
            for other in self._tags_between(low - _MAX_PHRASE, low)
            if other.end == low and other.features & rule.features and other.language == tag.language
        )

    # ---- frames ----

    def matches(self, rules: list[Rule]) -> list[Match]:
        """Return at most one match a rule: an open one if there is any, else the one held back first."""
        found = []
        present = self.present
        for rule in rules:
            best: Match | None = None
            for frame in rule.frames:
                lacking = False
                for mask in frame.needed:
                    if not mask & present:
                        lacking = True
                        break
                if lacking:
                    continue
                for match in self._of_frame(rule, frame):
                    if best is None or (best.gates and not match.gates):
                        best = match
                    if not match.gates:
                        break
                if best is not None and not best.gates:
                    break
            if best is not None:
                found.append(best)
        return found

    def _fits(self, slot: Slot, tag: Tag) -> bool:
        return bool(
            tag.mask & slot.mask
            and (not slot.features or slot.features & tag.features)
            and (not slot.moods or slot.moods & self.moods(tag))
        )

    def _around(self, same: str, anchor: Tag) -> tuple[int, int]:
        """Return the range of words in which the slots of a frame may stand."""
        if same == "clause":
            return self.clause(anchor.start)
        if same == "sentence":
            return self.sentence(anchor.start)
        number = self.document.sentences[anchor.start]
        return bisect_left(self.document.sentences, number - 1), bisect_right(self.document.sentences, number + 1)

    def _of_frame(self, rule: Rule, frame: Frame):  # type: ignore[no-untyped-def]
        anchor_slot = frame.slots[0]
        n_found = 0
        for anchor in self._tags_of(anchor_slot.mask).tags:
            if n_found == _MAX_FOUND:
                return
            if anchor.language not in frame.languages or not self._fits(anchor_slot, anchor):
                continue
            if frame.without and self._has(frame.without, *self.sentence(anchor.start)):
                continue
            low, high = self._around(frame.same, anchor)
            filled = self._fill(frame, anchor, low, high)
            if filled is None:
                continue
            n_found += 1
            yield self._judge(rule, frame, anchor, filled)

    def _fill(self, frame: Frame, anchor: Tag, low: int, high: int) -> list[tuple[Slot, Tag]] | None:
        """Return a tag for each slot, nearest first, or None."""
        filled = [(frame.slots[0], anchor)]
        for slot in frame.slots[1:]:
            best: Tag | None = None
            best_distance = frame.within + 1
            first = max(low, anchor.start - frame.within - _MAX_PHRASE)
            for tag in self._tags_between(first, min(high, anchor.end + frame.within)):
                if not tag.mask & slot.mask or tag.end > high:
                    continue
                distance = tag.start - anchor.end + 1 if tag.start >= anchor.end else anchor.start - tag.end + 1
                if distance >= best_distance or any(tag.meets(other) for _, other in filled):
                    continue
                if frame.order and not self._in_order(frame, slot, tag, filled):
                    continue
                if frame.not_between and self._parted(frame.not_between, anchor, tag):
                    continue
                if self._fits(slot, tag):
                    best, best_distance = tag, distance
            if best is not None:
                filled.append((slot, best))
            elif not slot.optional:
                return None
        return filled

    def _parted(self, mask: int, anchor: Tag, tag: Tag) -> bool:
        """Tell whether a word of ``mask`` stands between the two."""
        low, high = (anchor.end, tag.start) if tag.start >= anchor.end else (tag.end, anchor.start)
        return any(self.masks[i] & mask for i in range(low, high))

    @staticmethod
    def _in_order(frame: Frame, slot: Slot, tag: Tag, filled: list[tuple[Slot, Tag]]) -> bool:
        if slot.name not in frame.order:
            return True
        mine = frame.order.index(slot.name)
        return all(
            other.name not in frame.order or (frame.order.index(other.name) < mine) == (there.start < tag.start)
            for other, there in filled
        )

    # ---- gates ----

    def stances(self) -> tuple[str, ...]:
        """Return the gates whose cues the post has anywhere, of those that tell what the post as a whole is."""
        found = []
        for gate in self.pack.gates:
            if gate.lifts or gate.id not in WHOLE_TEXT or gate.id in found:
                continue
            if gate.mark == "verse":
                hit = bool(self.document.verses)
            elif gate.least:
                hit = not gate.unless & self.present and self._counted(gate, 0, len(self.masks)) >= gate.least
            else:
                hit = any(
                    tag.mask & gate.cue
                    and gate.language in (None, tag.language)
                    and not (gate.unless_negated and self._negated(tag))
                    for tag in self.tags
                )
            if hit:
                found.append(gate.id)
        return tuple(sorted(found))

    def _judge(self, rule: Rule, frame: Frame, anchor: Tag, filled: list[tuple[Slot, Tag]]) -> Match:
        document = self.document
        moods = self.moods(anchor) & frame.slots[0].moods if frame.slots[0].moods else frozenset()
        quote = document.quotes[anchor.start]
        quoted = quote != 0 and self.outside >= _OPEN_WORDS
        voice = "quoted" if quoted else "direct" if moods else "plain"
        closed = []
        lifted: set[str] = set()
        for gate in self.pack.gates:
            if (rule.gates is not None and gate.id not in rule.gates) or gate.id in rule.without_gates:
                continue
            if (gate.voices and voice not in gate.voices) or (gate.moods and not gate.moods & moods):
                continue
            if self._is_closed(gate, anchor, filled, quoted):
                if gate.lifts:
                    lifted |= gate.lifts
                else:
                    closed.append(gate.id)
        spans = tuple(
            Span(
                ("title", "text")[document.fields[tag.start]],
                document.starts[tag.start],
                document.ends[tag.end - 1],
                slot.name,
            )
            for slot, tag in sorted(filled, key=lambda pair: pair[1].start)
        )
        gates = tuple(dict.fromkeys(gate for gate in closed if gate not in lifted))
        score = rule.score * (0.3 if gates else 1.0)
        return Match(rule, spans, gates, voice, min(moods, default=None), score)

    def _is_closed(self, gate: Gate, anchor: Tag, filled: list[tuple[Slot, Tag]], quoted: bool) -> bool:
        document = self.document
        if gate.mark == "quotation":
            hit = quoted
        elif gate.mark == "question":
            hit = document.sentences[anchor.start] in document.questions
        elif gate.feature is not None:
            hit = gate.feature in anchor.features and gate.language in (None, anchor.language)
        else:
            hit = False
        if not gate.cue and not gate.unless and gate.mark != "verse":
            return hit
        low, high = self.place(gate.within, anchor)
        before = max(low, anchor.start - gate.before)
        after = min(high, anchor.end + gate.after)
        if gate.unless_within and self._has(gate.unless, *self.place(gate.unless_within, anchor)):
            return False
        if gate.least:
            return self._counted(gate, before, after, anchor) >= gate.least
        if any(
            tag.end <= after and gate.language in (None, tag.language)
            for tag in self._tags_of(gate.unless).between(before, after)
        ):
            return False
        if gate.mark == "verse":
            hit = bisect_left(self._verses, before) < bisect_left(self._verses, after)
        if hit:
            return True
        taken = {i for _, tag in filled for i in tag.words or range(tag.start, tag.end)}
        parts = [(before, after)]
        if quoted and gate.within not in ("quote", "clause"):  # what the quoted voice says is no stance of the author
            first, last = self._range(document.quotes, anchor.start)
            parts = [(before, min(first, after)), (max(last, before), after)]
        cues = self._cues(gate)
        return any(
            tag.end <= after and tag.start not in taken for low, high in parts for tag in cues.between(low, high)
        )

    def _cues(self, gate: Gate) -> _Placed:
        """Return the cues of ``gate``, wherever they stand."""
        known = self._cues_of.get(id(gate))
        if known is None:
            known = self._cues_of[id(gate)] = _Placed(
                [
                    tag
                    for tag in self._tags_of(gate.cue).tags
                    if gate.language in (None, tag.language) and not (gate.unless_negated and self._negated(tag))
                ]
            )
        return known

    def _counted(self, gate: Gate, low: int, high: int, anchor: Tag | None = None) -> int:
        """Count the different cue words in [low, high): all, or those in the same quotation as the anchor, or outside."""
        document = self.document
        quote = None if anchor is None else document.quotes[anchor.start]
        seen: set[str] = set()
        end = low
        for tag in self._tags_of(gate.cue).between(low, high):
            if (
                gate.language not in (None, tag.language)
                or not end <= tag.start < tag.end <= high
                or (anchor is not None and (anchor.start <= tag.start < tag.end <= anchor.end))
                or (quote is not None and document.quotes[tag.start] != quote)
            ):
                continue
            seen.add(" ".join(document.words[tag.start : tag.end]))
            end = tag.end
        return len(seen)

    def _negated(self, tag: Tag) -> bool:
        bit = self.pack.not_bit
        low, high = self.clause(tag.start)
        if "negative" in tag.features:
            return True
        return any(self.masks[i] & bit for i in range(max(low, tag.start - 2), tag.start)) or (
            tag.language == "kk" and any(self.masks[i] & bit for i in range(tag.end, min(high, tag.end + 1)))
        )

    def place(self, within: str, anchor: Tag) -> tuple[int, int]:
        """Return the range of words in which a cue may stand."""
        document = self.document
        n = len(document.words)
        if within == "text":
            return 0, n
        if within == "clause":
            return self.clause(anchor.start)
        if within == "sentence":
            return self.sentence(anchor.start)
        if within == "quote":
            return self._range(document.quotes, anchor.start)
        if within == "lead":
            return self._lead(anchor)
        low, high = self.sentence(anchor.start)
        if low:
            low = self.sentence(low - 1)[0]
        if high < n:
            high = self.sentence(high)[1]
        return low, high

    def _lead(self, anchor: Tag) -> tuple[int, int]:
        """Return the clause of the predicate with the clause that leads into it: `He said: ...`, `he says that ...`.

        A clause leads in when a colon or quotation mark ends it, or when the predicate's own clause begins
        with a word of the concept `that`, or by its last two words.
        """
        document = self.document
        low, high = self.clause(anchor.start)
        first = self.sentence(anchor.start)[0]
        if document.quotes[anchor.start]:
            first_quoted = self._range(document.quotes, anchor.start)[0]
            low = min(low, first_quoted)
            first = min(first, self.sentence(first_quoted)[0])
            if low == first and low:  # the quotation begins a sentence of its own
                first = self.sentence(low - 1)[0]
        if low > first:
            previous, _ = self.clause(low - 1)
            if document.clauses[low - 1] in document.colons or self.masks[low] & self.pack.bits.get("that", 0):
                return previous, high
            # What follows a colon is led to the end of the sentence: he said: a, b
            before_colon = self._before_colon(first, previous)
            return max(previous, low - 2) if before_colon is None else before_colon, high
        return low, high

    def _before_colon(self, first: int, last: int) -> int | None:
        """Return where the last clause begins that ends with a colon, of those that begin in words [first, last)."""
        clauses = self.document.clauses
        n_before = bisect_left(self._colons, clauses[last])
        if n_before and self._colons[n_before - 1] >= clauses[first]:
            return bisect_left(clauses, self._colons[n_before - 1])
        return None
