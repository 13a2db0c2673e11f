"""A text as words with their place: sentence, clause, quotation. Words are folded, places are of the original."""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bastau.read.fold import fold_with_offsets

_PAIRS = {"«": "»", "“": "”", "„": "“", "‹": "›", "‘": "’", "‟": "”", "「": "」"}
MAX_CHARS = 100_000
"""Characters of a field that are read: a post longer than a book chapter says what it has to say before."""
MAX_QUOTATION = 5_000
"""Characters within which a quotation is closed; bounds the search on text that is all quotation marks."""
MAX_SINGLE = 500
_SENTENCE = re.compile(r"[!?…\n\r]|\.(?=\s|$|[\"»”)])|[؟。]")
CLAUSE_SIGNS = frozenset(',;:—–(){}«»“”„"‹›|/•')
_DASH_CLAUSE = re.compile(r"\s-+\s")
_LEADING = frozenset(':«“„"')
CLOSERS = frozenset("\"'”’»›“")
_VERSE = re.compile(r"^\s*:\s*$")


@dataclass(slots=True)
class Document:
    """The words of one post, title first. Every list has one value a word.

    ``starts`` and ``ends`` are characters of the field; ``fields`` 0 is the title, 1 the text. ``quotes`` is 0
    outside quotations, else the number of the quotation.
    """

    words: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    fields: list[int] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)
    clauses: list[int] = field(default_factory=list)
    quotes: list[int] = field(default_factory=list)
    gaps: dict[int, str] = field(default_factory=dict)
    """What stands before a word, where it is more than a space."""
    questions: set[int] = field(default_factory=set)
    """Sentences that end in a question mark."""
    colons: set[int] = field(default_factory=set)
    """Clauses that are followed by a colon or an opening quotation mark."""
    joined: set[int] = field(default_factory=set)
    """Words that a hyphen joins to the next: no verb of a clause (`bomb-sniffing`)."""
    verses: set[int] = field(default_factory=set)
    """Words that are the second number of chapter:verse."""


Form = Callable[[str], tuple[str, np.ndarray]]
"""Text in; the form in which it is matched, and the index in the text of each of its characters, out."""


def read_text(title: str | None, text: str | None, form: Form = fold_with_offsets) -> Document:
    """Return title and text as one document."""
    document = Document()
    for number, part in enumerate((title, text)):
        if part:
            _read_field(document, part, number, form)
    return document


def _read_field(document: Document, text: str, number: int, form: Form) -> None:
    folded, origins = form(text)
    folded = folded[:MAX_CHARS]
    if not folded:
        return
    origin = origins.tolist()
    words = folded.split(" ")
    starts, ends = [], []
    at = 0
    for word in words:
        starts.append(origin[at])
        at += len(word)
        ends.append(origin[at - 1] + 1)
        at += 1
    first = len(document.words)
    quotes = _quotes_of(starts, _quotations(text), max(document.quotes, default=0))
    document.words += words
    document.starts += starts
    document.ends += ends
    document.quotes += quotes
    document.fields += [number] * len(words)
    _part(document, text, first, starts, ends, quotes)


def _quotes_of(starts: list[int], spans: list[tuple[int, int]], n_before: int) -> list[int]:
    """Return for each word the number of the quotation it is in, or 0."""
    quotes = [0] * len(starts)
    for number, (low, high) in enumerate(spans, n_before + 1):
        for i in range(bisect_left(starts, low), bisect_left(starts, high)):
            quotes[i] = number
    return quotes


def _part(document: Document, text: str, first: int, starts: list[int], ends: list[int], quotes: list[int]) -> None:
    """Part the words of one field into sentences and clauses by what stands between them."""
    words = document.words
    sentence = document.sentences[-1] + 1 if document.sentences else 0
    clause = document.clauses[-1] + 1 if document.clauses else 0
    sentence_at = clause_at = 0
    previous = 0
    for i, start in enumerate(starts):
        end = previous
        previous = ends[i]
        if start == end + 1 and text[end] == " " and i:
            continue
        gap = text[end:start]
        if gap == "-":
            if i:  # before the first word it joins nothing
                document.joined.add(first + i - 1)
            continue
        if not gap.strip() and "\n" not in gap and "\r" not in gap:
            continue
        document.gaps[first + i] = gap.strip()
        if end and _SENTENCE.search(gap):
            if "?" in gap or "؟" in gap:
                document.questions.add(sentence)
            document.sentences += [sentence] * (i - sentence_at)
            document.clauses += [clause] * (i - clause_at)
            sentence, clause = sentence + 1, clause + 1
            sentence_at = clause_at = i
        elif i and quotes[i - 1] and not quotes[i] and gap.strip() in CLOSERS:
            pass  # the sentence runs on: "rebels" attack a school
        elif not CLAUSE_SIGNS.isdisjoint(gap) or _DASH_CLAUSE.search(gap):
            here = first + i
            if (
                ":" in gap
                and i
                and words[here][0].isdecimal()
                and words[here - 1][-1].isdecimal()
                and _VERSE.match(gap)
            ):
                document.verses.add(here)
                continue
            if end and not _LEADING.isdisjoint(gap):
                document.colons.add(clause)
            document.clauses += [clause] * (i - clause_at)
            clause, clause_at = clause + 1, i
    document.sentences += [sentence] * (len(starts) - sentence_at)
    document.clauses += [clause] * (len(starts) - clause_at)
    if "?" in text[previous:]:
        document.questions.add(sentence)


def _quotations(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each quotation, in order and without overlap."""
    spans: list[tuple[int, int]] = []
    i, n = 0, len(text)
    for i in _candidates(text):
        if spans and i < spans[-1][1]:
            continue
        c = text[i]
        if c == ">" or c in "—–":
            end = text.find("\n", i)
            spans.append((i, n if end < 0 else end))
        elif c in "'’‘":
            closing = _single_close(text, i + 1)
            if closing > 0:
                spans.append((i, closing))
        else:
            closers = '"' if c == '"' else _PAIRS[c] + ("”" if c == "„" else "")
            ends = (text.find(x, i + 1, i + MAX_QUOTATION) for x in closers)
            end = min((e for e in ends if e >= 0), default=-1)
            if end < 0:  # never closed: it reaches to the end of its paragraph
                end = text.find("\n", i)
                end = n if end < 0 else end
            spans.append((i, end + 1))
    return spans


_OPENERS = re.compile(r"(?m)[«“„‹‘‟「\"]|(?<![^\W_])['’](?=\w)|^[ \t]{0,8}>|^[ \t]{0,8}[—–](?=\s)")
_SINGLE_CLOSE = re.compile(r"['’](?!\w)")


def _candidates(text: str) -> list[int]:
    return [match.end() - 1 for match in _OPENERS.finditer(text)]


def _single_close(text: str, start: int) -> int:
    """Return the index after the apostrophe that closes a single-quoted passage, or -1."""
    match = _SINGLE_CLOSE.search(text, start, start + MAX_SINGLE)
    return match.end() if match else -1
