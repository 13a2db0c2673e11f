"""Groups of texts in the order of time: each joins the story that it fits best, or begins one.

A text fits a story as well as its mean cosine with the story's latest texts, raised by how near in time they are.
The mean keeps stories from chaining: one bridge text does not join two of them. A text that has most of the pairs of
words of a text in the story, or the other way round, is a rewording of it, and goes on with that text's wording.

The order is that of publishing, ties broken by key, never that of arrival.

Reference: Miranda et al. 2018, "Multilingual clustering of streaming news", EMNLP, section 3 (online clusters with
time); Saravanakumar et al. 2021, "Event-driven news stream clustering", EACL, section 3 (Gaussian time, learned join).
"""

from dataclasses import dataclass

import numba as nb
import numpy as np

from bastau.narratives.likeness import Vectors, contained, cosine
from bastau.narratives.terms import Terms

_MOST_GROUPS = 64


@dataclass(frozen=True)
class Fit:
    """When a text joins: the logistic of ``slope * (likeness - needed + eased * exp(-(hours / hours_sd)^2 / 2))`` >= 1/2.

    So a text of the same hour needs a likeness of ``needed - eased``, one of days later ``needed``.

    Args:
        slope, needed, eased, hours_sd: see above; chosen by reading pairs of telegram-ru-news that are not in the
            sample that docs/figures/narratives.md judges.
        across: added to the cosine of soundings, which are fewer than words, when the languages differ.
        reworded: share of the pairs of words of the shorter text from which one is a rewording of the other.
        recent: latest texts of a story that count for the mean.
    """

    slope: float = 20.0
    needed: float = 0.42
    eased: float = 0.14
    hours_sd: float = 12.0
    across: float = 0.12
    reworded: float = 0.35
    recent: int = 8


@dataclass(frozen=True)
class Texts:
    """Texts in order of time: their words and soundings as vectors, pairs of words, times, and languages (0: unknown)."""

    words: Vectors
    sounds: Vectors
    pairs: Terms
    at: np.ndarray
    language: np.ndarray


@nb.njit(nogil=True, cache=True)
def _likeness(row, group, words, sounds, at, language, window, recent, across, before, last):  # type: ignore[no-untyped-def]
    """Return the larger of the mean likenesses to the group's latest texts in the same and in other languages."""
    own = other = 0.0
    n_own = n_other = 0
    member = last[group]
    while member >= 0 and n_own + n_other < recent and at[member] >= at[row] - window:
        value = cosine(words[0], words[1], words[2], row, member)
        if language[row] != language[member] and language[row] != 0 and language[member] != 0:
            other += max(value, cosine(sounds[0], sounds[1], sounds[2], row, member) + across)
            n_other += 1
        else:
            own += value
            n_own += 1
        member = before[member]
    return max(own / max(n_own, 1), other / max(n_other, 1))


@nb.njit(nogil=True, cache=True)
def _join(  # type: ignore[no-untyped-def]
    first, words, sounds, pair_indptr, pair_hashes, at, language, later, earlier,
    window, hour, slope, needed, eased, hours_sd, across, reworded, recent,
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
            value = _likeness(row, group, words, sounds, at, language, window, recent, across, before, last)
            gap = (at[row] - at[last[group]]) / hour / hours_sd
            z = slope * (value - needed + eased * np.exp(-0.5 * gap * gap))
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
    words, sounds = ((v.indptr, v.hashes, v.weights) for v in (texts.words, texts.sounds))
    _join(
        first, words, sounds, texts.pairs.indptr, texts.pairs.hashes, texts.at, texts.language, later, earlier,
        window, float(hour), fit.slope, fit.needed, fit.eased, fit.hours_sd, fit.across, fit.reworded, fit.recent,
        stories, wordings, before, last, score,
    )  # fmt: skip
    return stories, wordings, score
