"""The protected-speech suite run over a model: how much of what must be left alone would it flag?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bastau.models.metrics import Share

MIN_PASS = 0.97
"""Share of each category in each language that must stay below the threshold."""
MIN_LOWER_BOUND = 0.90
"""Wilson lower bound of that share, for each category over all languages."""
ROLE_RANKS = "may only rank"
ROLE_SUGGESTS = "may suggest"


def check_protected(
    scores: np.ndarray, threshold: float, categories: Sequence[str], languages: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the share left alone of each category (``language`` "all") and cell, worst first, and what fails.

    Args:
        scores: float (n,) of the protected texts that have one.
        threshold: flagged from here on.
        categories: of each text.
        languages: of each text.
    """
    if not len(scores):
        return [], ["no text of the protected-speech suite is in a language that it scores"]
    passes = scores < threshold
    groups: dict[tuple[str, str], list[int]] = {}
    for i, (category, language) in enumerate(zip(categories, languages, strict=True)):
        groups.setdefault((category, "all"), []).append(i)
        groups.setdefault((category, language or "und"), []).append(i)
    n_languages = {category: len({other for c, other in groups if c == category}) - 1 for category, _ in groups}
    rows, failures = [], []
    for (category, language), members in groups.items():
        share = Share(int(passes[members].sum()), len(members))
        value, low = share.value or 0.0, share.bounds[0]
        rows.append({"category": category, "language": language} | share.as_dict())
        if language != "all" and n_languages[category] == 1:
            continue  # said already
        if value < MIN_PASS:
            failures.append(
                (
                    value,
                    f"flags {1 - value:.0%} of {len(members)} protected texts: {category} ({language}); at most "
                    f"{1 - MIN_PASS:.0%} is allowed",
                )
            )
        elif language == "all" and low < MIN_LOWER_BOUND:
            failures.append(
                (
                    value,
                    f"{category}: {len(members)} texts are too few to say that {MIN_LOWER_BOUND:.0%} are left alone "
                    f"(lower bound {low:.2f})",
                )
            )
    rows.sort(key=lambda row: (row["value"], row["low"], row["category"], row["language"]))
    return rows, [why for _, why in sorted(failures)]
