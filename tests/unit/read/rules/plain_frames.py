"""The obvious way to look for frames: each predicate looks through all that may concern it, however often others did."""

from bastau.read.rules.frames import _MAX_FOUND, Reading
from bastau.read.rules.lexicon import Tag
from bastau.read.rules.pack import Frame, Gate, Rule, Slot


class PlainReading(Reading):
    """A reading that keeps nothing between predicates."""

    def _of_frame(self, rule: Rule, frame: Frame):  # type: ignore[no-untyped-def]
        document = self.document
        anchor_slot = frame.slots[0]
        n_found = 0
        for anchor in self.tags:
            if n_found == _MAX_FOUND:
                return
            if not anchor.mask & anchor_slot.mask or anchor.language not in frame.languages:
                continue
            if not self._fits(anchor_slot, anchor):
                continue
            low, high = self.clause(anchor.start) if frame.same == "clause" else self.sentence(anchor.start)
            if frame.same == "neighbours":
                number = document.sentences[anchor.start]
                while low and document.sentences[low - 1] >= number - 1:
                    low -= 1
                while high < len(document.words) and document.sentences[high] <= number + 1:
                    high += 1
            if frame.without:
                first, last = self.sentence(anchor.start)
                if any(self.masks[i] & frame.without for i in range(first, last)):
                    continue
            filled = self._fill(frame, anchor, low, high)
            if filled is None:
                continue
            n_found += 1
            yield self._judge(rule, frame, anchor, filled)

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
        if gate.unless_within:
            first, last = self.place(gate.unless_within, anchor)
            if any(self.masks[i] & gate.unless for i in range(first, last)):
                return False
        if gate.least:
            return self._counted(gate, before, after, anchor) >= gate.least
        if gate.mark == "verse":
            hit = any(before <= i < after for i in document.verses)
        taken = {i for _, tag in filled for i in tag.words or range(tag.start, tag.end)}
        own_quote = document.quotes[anchor.start] if quoted else 0
        for tag in self._tags_between(before, after):
            if tag.end > after or gate.language not in (None, tag.language):
                continue
            if tag.mask & gate.unless:
                return False
            if hit or not tag.mask & gate.cue or tag.start in taken:
                continue
            if own_quote and gate.within not in ("quote", "clause") and document.quotes[tag.start] == own_quote:
                continue  # what the quoted voice says is no stance of the author
            hit = not (gate.unless_negated and self._negated(tag))
        return hit

    def _counted(self, gate: Gate, low: int, high: int, anchor: Tag | None = None) -> int:
        """Count the different cue words in [low, high): all, or those in the same quotation as the anchor, or outside."""
        document = self.document
        quote = None if anchor is None else document.quotes[anchor.start]
        seen: set[str] = set()
        end = low
        for tag in self._tags_between(low, high):
            if (
                not tag.mask & gate.cue
                or gate.language not in (None, tag.language)
                or not end <= tag.start < tag.end <= high
                or (anchor is not None and (anchor.start <= tag.start < tag.end <= anchor.end))
                or (quote is not None and document.quotes[tag.start] != quote)
            ):
                continue
            seen.add(" ".join(document.words[tag.start : tag.end]))
            end = tag.end
        return len(seen)

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
            at = previous
            while at > first:  # what follows a colon is led to the end of the sentence: he said: a, b
                before, _ = self.clause(at - 1)
                if document.clauses[at - 1] in document.colons:
                    return before, high
                at = before
            return max(previous, low - 2), high
        return low, high
