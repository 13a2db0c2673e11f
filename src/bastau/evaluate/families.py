"""How well website families are found in pages whose owners are known (:mod:`bastau.simulate.sites`)."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from bastau.errors import ConfigError, InputError
from bastau.evaluate.figures import figure_lines


@dataclass(frozen=True)
class FamilyFigures:
    """Pairs of websites: found against true; shares are 1 where there is nothing to share out.

    ``trap_links``: for each trap, the found pairs inside it that are of no true family. ``n_unjudged`` pairs hold a site of
    which nobody says whose it is.
    """

    n_true_pairs: int
    n_predicted_pairs: int
    n_unjudged: int
    pair_precision: float
    pair_recall: float
    pair_f1: float
    trap_links: dict[str, int]


def score_families(
    predicted: Iterable[Mapping[str, Any]],
    families: Mapping[str, Collection[str]],
    traps: Mapping[str, Collection[str]],
    unjudged: Collection[str] = (),
) -> FamilyFigures:
    """Compare rows of ``families.ndjson`` (``sources``) with true families and traps, name -> sites."""
    true = {pair for sites in families.values() for pair in _pairs(sites)}
    found = {pair for row in predicted for pair in _pairs(row["sources"])}
    left_out = {pair for pair in found if pair not in true and set(pair) & set(unjudged)}
    guess = found - left_out
    precision = len(guess & true) / len(guess) if guess else 1.0
    recall = len(guess & true) / len(true) if true else 1.0
    both = precision + recall
    return FamilyFigures(
        n_true_pairs=len(true),
        n_predicted_pairs=len(guess),
        n_unjudged=len(left_out),
        pair_precision=precision,
        pair_recall=recall,
        pair_f1=2 * precision * recall / both if both else 0.0,
        trap_links={name: len((guess - true) & set(_pairs(sites))) for name, sites in traps.items()},
    )


def evaluate_families(rows: Iterable[Mapping[str, Any]], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Compare ``rows`` (``sources``) with the ``truth.json`` of ``folder``.

    Raises:
        ConfigError: no truth.json there.
        InputError: it says nothing of families.
    """
    path = folder / "truth.json"
    if not path.exists():
        raise ConfigError(f"{path}: no such file; `bastau simulate -o DIR` writes one")
    try:
        truth = json.loads(path.read_text("utf-8"))
        figures = score_families(rows, truth["families"], truth["traps"], truth.get("unjudged", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: says nothing of families; write it again with `bastau simulate`") from error
    answer = {"task": "families", **asdict(figures)}
    return answer, figure_lines(answer)


def _pairs(sites: Iterable[str]) -> Iterable[tuple[str, str]]:
    return combinations(sorted(set(sites)), 2)
