"""A text as words with their place: sentence, clause, quotation. Words are folded, places are of the original."""

import re
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
_CLAUSE = frozenset(',;:—–(){}«»“”„"‹›|/•')
_DASH_CLAUSE = re.compile(r"\s-+\s")
_CLOSERS = frozenset("\"'”’»›“")
_VERSE = re.compile(r"^\s*:\s*$")


@dataclass(slots=True)
class Document:
    """The words of one post, title first. Every list has one value a word.

    ``starts`` and ``ends`` are characters of the field; ``fields`` 0 is the title, 1 the text. ``quotes`` is 0
    outside quotations, else the number of the quotation. ``gaps`` holds what stands before the word.
    """

    words: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    fields: list[int] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)
    clauses: list[int] = field(default_factory=list)
    quotes: list[int] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
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
    words, starts, ends, gaps = document.words, document.starts, document.ends, document.gaps
    sentences, clauses, quotes = document.sentences, document.clauses, document.quotes
    sentence = sentences[-1] + 1 if sentences else 0
    clause = clauses[-1] + 1 if clauses else 0
    spans = _quotations(text)
    quote, n_quotes = 0, max(quotes, default=0)
    span = 0
    at = previous_end = 0
    for word in folded.split(" "):
        start = origin[at]
        at += len(word)
        end = origin[at - 1] + 1
        at += 1
        gap = text[previous_end:start]
        while span < len(spans) and spans[span][1] <= start:
            span += 1
        left = quote
        quote = n_quotes + span + 1 if span < len(spans) and spans[span][0] <= start else 0
        if gap == "-":
            document.joined.add(len(words) - 1)
        elif gap != " " and (previous_end or gap):
            if previous_end and _SENTENCE.search(gap):
                if "?" in gap or "؟" in gap:
                    document.questions.add(sentence)
                sentence += 1
                clause += 1
            elif left and not quote and gap.strip() in _CLOSERS:
                pass  # the sentence runs on: "rebels" attack a school
            elif not _CLAUSE.isdisjoint(gap) or _DASH_CLAUSE.search(gap):
                if ":" in gap and word[0].isdecimal() and words and words[-1][-1].isdecimal() and _VERSE.match(gap):
                    document.verses.add(len(words))
                else:
                    if previous_end and not {":", "«", "“", "„", '"'}.isdisjoint(gap):
                        document.colons.add(clause)
                    clause += 1
        words.append(word)
        starts.append(start)
        ends.append(end)
        gaps.append(gap)
        sentences.append(sentence)
        clauses.append(clause)
        quotes.append(quote)
        document.fields.append(number)
        previous_end = end
    if "?" in text[previous_end:]:
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
