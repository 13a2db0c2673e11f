"""Groups of texts in the order of time: each joins the story that it fits best, or begins one.

A text fits a story as well as its mean cosine with the story's latest texts, raised by how near in time they are.
The mean keeps stories from chaining: one bridge text does not join two of them. One word in common is chance, however rare,
and a source writes alike of different things: it takes two words, and more likeness where one source tells it all. A text that has most of the pairs of
words of a text in the story, or the other way round, is a rewording of it, and goes on with that text's wording.

The order is that of publishing, ties broken by key, never that of arrival.

Reference: Miranda et al. 2018, "Multilingual clustering of streaming news", EMNLP, section 3 (online clusters with
time); Saravanakumar et al. 2021, "Event-driven news stream clustering", EACL, section 3 (Gaussian time, learned join).
"""

from dataclasses import dataclass

import numba as nb
import numpy as np

from bastau.narratives.likeness import Vectors, compare, contained
from bastau.narratives.terms import Terms

_MOST_GROUPS = 64


@dataclass(frozen=True)
class Fit:
    """When a text joins: the logistic of ``slope * (likeness - needed + eased * exp(-(hours / hours_sd)^2 / 2))`` >= 1/2.

    So a text of the same hour needs a likeness of ``needed - eased``, one of days later ``needed``.

    Args:
        slope, needed, eased, hours_sd: see above; chosen by reading pairs of telegram-ru-news that are not in the
            sample that docs/figures/narratives.md judges.
        across: added to the cosine of meanings, of which fewer are shared than of words, when the languages differ.
        shared: words that it must have in common with one of the story's latest texts; a link or a picture counts as two.
        alone: likeness that it needs more when all these texts are of its own source.
        reworded: share of the pairs of words of the shorter text from which one is a rewording of the other.
        recent: latest texts of a story that count for the mean.
    """

    slope: float = 20.0
    needed: float = 0.42
    eased: float = 0.14
    hours_sd: float = 12.0
    across: float = 0.12
    shared: int = 2
    alone: float = 0.12
    reworded: float = 0.35
    recent: int = 8


@dataclass(frozen=True)
class Texts:
    """Texts in order of time: their words and meanings as vectors, pairs of words, times, languages (0: unknown), sources (int64)."""

    words: Vectors
    meanings: Vectors
    pairs: Terms
    at: np.ndarray
    language: np.ndarray
    source: np.ndarray


@nb.njit(nogil=True, cache=True)
def _likeness(row, group, words, meanings, at, language, source, window, recent, across, before, last):  # type: ignore[no-untyped-def]
    """Return how like the group's latest texts it is: the larger of the means over those in the same and in other languages.

    Also: most words that are shared with one of them, and whether all are of the same source.
    """
    own = other = 0.0
    n_own = n_other = 0
    most = 0
    alone = True
    member = last[group]
    while member >= 0 and n_own + n_other < recent and at[member] >= at[row] - window:
        value, shared = compare(words[0], words[1], words[2], row, member)
        if language[row] != language[member] and language[row] != 0 and language[member] != 0:
            meant, shared_meanings = compare(meanings[0], meanings[1], meanings[2], row, member)
            other += max(value, meant + across)
            shared = max(shared, shared_meanings)
            n_other += 1
        else:
            own += value
            n_own += 1
        most = max(most, shared)
        alone &= source[member] == source[row]
        member = before[member]
    return max(own / max(n_own, 1), other / max(n_other, 1)), most, alone


@nb.njit(nogil=True, cache=True)
def _join(  # type: ignore[no-untyped-def]
    first, words, meanings, pair_indptr, pair_hashes, at, language, source, later, earlier,
    window, hour, slope, needed, eased, hours_sd, across, least_shared, more_alone, reworded, recent,
    story, wording, before, last, score,
):  # fmt: skip
    edge = 0
    while edge < len(later) and later[edge] < first:
        edge += 1
    groups = np.empty(_MOST_GROUPS, np.int64)
    for row in range(first, len(at)):
        start = edge
        while edge < len(later) and later[edge] == row:
            edge += 1
        best, best_z = -1, 0.0
        n_groups = 0
        for k in range(start, edge):
            group = story[earlier[k]]
            seen = n_groups == _MOST_GROUPS
            for m in range(n_groups):
                seen |= groups[m] == group
            if seen:
                continue
            groups[n_groups] = group
            n_groups += 1
            value, shared, alone = _likeness(
                row, group, words, meanings, at, language, source, window, recent, across, before, last
            )
            if shared < least_shared:
                continue
            gap = (at[row] - at[last[group]]) / hour / hours_sd
            z = slope * (value - needed - (more_alone if alone else 0.0) + eased * np.exp(-0.5 * gap * gap))
            if z >= 0.0 and (best < 0 or z > best_z or (z == best_z and group < best)):
                best, best_z = group, z
        if best < 0:
            story[row] = wording[row] = last[row] = row
            score[row] = 1.0
            continue
        like, like_value = -1, reworded
        for k in range(start, edge):
            other = earlier[k]
            if story[other] == best:
                value = contained(pair_indptr, pair_hashes, row, other)
                if value > like_value or (value == like_value and (like < 0 or other < like)):
                    like, like_value = other, value
        story[row] = best
        wording[row] = wording[like] if like >= 0 else row
        before[row] = last[best]
        last[best] = row
        score[row] = 1.0 / (1.0 + np.exp(-best_z))


def join(
    texts: Texts,
    later: np.ndarray,
    earlier: np.ndarray,
    *,
    window: int,
    hour: int,
    fit: Fit,
    story: np.ndarray | None = None,
    wording: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the story and the wording of each text, as the row of their first text (int64), and how well it fits.

    Args:
        texts: in order of time.
        later, earlier: rows of texts that may belong together, by later row.
        window, hour: in the unit of the times.
        fit: when a text joins.
        story, wording: of the first rows, which stay as they are; the others are set.

    The fit, float32 in [0.5, 1], is 1 for a text that begins a story.
    """
    n = len(texts.at)
    first = 0 if story is None else len(story)
    stories, wordings, before, last = (np.full(n, -1, np.int64) for _ in range(4))
    if story is not None and wording is not None:
        stories[:first], wordings[:first] = story, wording
        for row in range(first):
            before[row], last[story[row]] = last[story[row]], row
    score = np.ones(n, np.float32)
    words, meanings = ((v.indptr, v.hashes, v.weights) for v in (texts.words, texts.meanings))
    _join(
        first, words, meanings, texts.pairs.indptr, texts.pairs.hashes, texts.at, texts.language, texts.source, later, earlier,
        window, float(hour), fit.slope, fit.needed, fit.eased, fit.hours_sd, fit.across, fit.shared, fit.alone,
        fit.reworded, fit.recent,
        stories, wordings, before, last, score,
    )  # fmt: skip
    return stories, wordings, score
