"""The obvious way to look for frames: each predicate looks through all that may concern it, however often others did."""

from bastau.read.rules.frames import Reading
from bastau.read.rules.lexicon import Tag
from bastau.read.rules.pack import Gate, Slot


class Tags:
    """Tags with a concept, looked for anew each time."""

    def __init__(self, tags: list[Tag], mask: int):
        self._tags, self._mask = tags, mask

    @property
    def tags(self) -> list[Tag]:
        return [tag for tag in self._tags if tag.mask & self._mask]

    def between(self, low: int, high: int) -> list[Tag]:
        return [tag for tag in self.tags if low <= tag.start < high]


class PlainReading(Reading):
    """A reading that keeps nothing between predicates."""

    def _tags_of(self, mask: int) -> Tags:
        return Tags(self.tags, mask)

    def _has(self, mask: int, low: int, high: int) -> bool:
        return any(self.masks[i] & mask for i in range(low, high))

    def _around(self, same: str, anchor: Tag) -> tuple[int, int]:
        low, high = self.clause(anchor.start) if same == "clause" else self.sentence(anchor.start)
        if same == "neighbours":
            sentences = self.document.sentences
            number = sentences[anchor.start]
            while low and sentences[low - 1] >= number - 1:
                low -= 1
            while high < len(sentences) and sentences[high] <= number + 1:
                high += 1
        return low, high

    def _before_colon(self, first: int, last: int) -> int | None:
        at = last
        while at > first:
            before, _ = self.clause(at - 1)
            if self.document.clauses[at - 1] in self.document.colons:
                return before
            at = before
        return None

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
