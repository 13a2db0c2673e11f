"""The ranker: trees that order the candidates of a post, and trees that say how likely the first one is right.

Trained with LightGBM (``training``), used without it: nodes are plain arrays in one ``.npz`` file, summed by a kernel. The file holds
numbers only (``allow_pickle`` is off) and is checked before use.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from bastau.errors import ConfigError
from bastau.factchecks.features import DATED, DENSE, FEATURES, Candidates
from bastau.factchecks.kernels import sum_trees

FORMAT = "bastau-claim-ranker"
VERSION = 1
SURENESS = (
    "margin", "both_of_possible", "letters", "pairs", "text_found", "post_found", "title_found", "window_found", "names_found",
    "numbers_missing", "run_weight", "shared_weight", "neutral_text_found", "neutral_post_found", "letters_gap", "pairs_gap",
    "same_language",
)  # fmt: skip
"""What the second set of trees reads of the first candidate: its lead in score over the next, and features of the same name. Neither the
score itself nor lengths: they differ most between kinds of posts."""
N_TEXT = len(FEATURES) - len(DATED)
DENSE_LEAD = 2.0
"""Weight of the cosine, as a share of the post's best, beside the other retrieval scores."""
_MAX_BYTES = 64 << 20
_MAX_NODES = 1 << 21


@dataclass(frozen=True)
class Trees:
    """A sum of regression trees, one node a row; see :func:`bastau.factchecks.kernels.sum_trees`."""

    starts: np.ndarray
    features: np.ndarray
    limits: np.ndarray
    lefts: np.ndarray
    rights: np.ndarray
    missing_left: np.ndarray
    values: np.ndarray

    def score(self, x: np.ndarray) -> np.ndarray:
        """Return float64 (rows,) for ``x`` float32 (rows, features)."""
        out = np.zeros(len(x))
        if len(x):
            sum_trees(
                np.ascontiguousarray(x, np.float32), self.starts, self.features, self.limits, self.lefts, self.rights,
                self.missing_left, self.values, out,
            )  # fmt: skip
        return out

    def check(self, n_features: int) -> str | None:
        """Return what is wrong with the arrays, or None."""
        n = len(self.features)
        columns = (self.limits, self.lefts, self.rights, self.missing_left, self.values)
        if n > _MAX_NODES or any(len(column) != n for column in columns) or len(self.starts) < 1:
            return "its trees are of different lengths"
        if self.starts[0] != 0 or self.starts[-1] != n or (np.diff(self.starts) < 1).any():
            return "its trees overlap"
        if n and (self.features.max() >= n_features or self.features.min() < -1 or not np.isfinite(self.values).all()):
            return "its trees read what no post has"
        sizes = np.repeat(np.diff(self.starts), np.diff(self.starts))
        own = np.arange(n) - np.repeat(self.starts[:-1], np.diff(self.starts))
        inner = self.features >= 0
        for side in (self.lefts, self.rights):
            # Children come after their parent, so no walk can go round for ever.
            if (side[inner] <= own[inner]).any() or (side[inner] >= sizes[inner]).any():
                return "its trees lead nowhere"
        return None


@dataclass(frozen=True)
class Side:
    """One way to rank: without dates, or with them.

    Attributes:
        order: trees over features, added to ``lead`` times :func:`lead_of`; higher fits better.
        lead: weight of the retrieval score that the trees correct.
        sureness: trees over SURENESS, summing to log-odds that the first candidate is right.
        slope, shift: of the log-odds, from data left out in training.
        threshold: probability from which a match may be shown.
    """

    order: Trees
    sureness: Trees
    lead: float
    slope: float
    shift: float
    threshold: float

    @property
    def numbers(self) -> list[float]:
        """Lead, slope, shift and threshold."""
        return [self.lead, self.slope, self.shift, self.threshold]

    def scores(self, found: Candidates) -> np.ndarray:
        """Return float64 (candidates,): higher fits better."""
        return self.order.score(found.x) + self.lead * lead_of(found.x)

    def probability(self, found: Candidates, scores: np.ndarray) -> float:
        """Return how likely the candidate with the highest score is right, in [0, 1]."""
        if not len(scores):
            return 0.0
        logit = float(self.sureness.score(sureness_row(found, scores))[0]) * self.slope + self.shift
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, logit))))


@dataclass(frozen=True)
class Ranker:
    """Everything that ranking needs: a side that reads no dates, one that does, what they were trained on, and with which encoder."""

    text: Side
    dated: Side
    card: dict[str, Any]
    encoder_id: str = ""

    @property
    def ranker_id(self) -> str:
        """16 hex digits of all numbers."""
        digest = hashlib.blake2b(digest_size=8)
        for side in (self.text, self.dated):
            for trees in (side.order, side.sureness):
                for array in vars(trees).values():
                    digest.update(np.ascontiguousarray(array).tobytes())
            digest.update(json.dumps(side.numbers).encode())
        digest.update(self.encoder_id.encode())
        return digest.hexdigest()

    def side(self, found: Candidates, *, dates: bool = True) -> Side:
        """Return the side for these candidates: with dates when wanted and when more than half of them, and the post, have one.

        Scores of the two sides are on different scales, so one post is ranked by one of them.
        """
        known = ~np.isnan(found.x[:, N_TEXT])
        return self.dated if dates and len(known) and known.mean() > 0.5 else self.text


def lead_of(x: np.ndarray) -> np.ndarray:
    """Return float64 (rows,): the retrieval scores as shares of the post's best, BM25 only where languages are the same.

    A quarter of the neutral forms beside BM25 costs nothing in one language (MAP@5 on the training split of CheckThat! 2020 .860 with and
    without, no trees) and brings synonyms; between languages BM25 knows nothing. Where there is an encoder, its cosine is added.
    """
    same, both, neutral, letters = (
        x[:, FEATURES.index(name)].astype(np.float64)
        for name in ("same_language", "both_of_best", "neutral_of_best", "letters_of_best")
    )
    lead = np.where(same > 0, both + 0.25 * neutral, neutral + 0.3 * letters)
    if x.shape[1] == len(FEATURES):
        return lead
    return lead + DENSE_LEAD * x[:, len(FEATURES) + DENSE.index("dense_of_best")]


def sureness_row(found: Candidates, scores: np.ndarray) -> np.ndarray:
    """Return float32 (1, len(SURENESS)) of the candidate with the highest score."""
    top = int(np.argmax(scores))
    second = np.partition(scores, -2)[-2] if len(scores) > 1 else scores[top] - 5
    row = [float(scores[top] - second)]
    row += [float(found.x[top, FEATURES.index(name)]) for name in SURENESS[1:]]
    return np.array([row], np.float32)


def trees_of(boosters: Sequence[Any]) -> Trees:
    """Return the mean of LightGBM boosters as one sum of trees."""
    parts: dict[str, list[Any]] = {name: [] for name in Trees.__dataclass_fields__}
    starts = [0]
    for booster in boosters:
        for tree in booster.dump_model()["tree_info"]:
            nodes: list[tuple[int, float, int, int, int, float]] = []
            _flatten(tree["tree_structure"], nodes, len(boosters))
            for name, column in zip(list(parts)[1:], zip(*nodes, strict=True), strict=True):
                parts[name] += column
            starts.append(len(parts["features"]))
    return Trees(
        np.array(starts, np.int64),
        np.array(parts["features"], np.int16),
        np.array(parts["limits"], np.float64),
        np.array(parts["lefts"], np.int16),
        np.array(parts["rights"], np.int16),
        np.array(parts["missing_left"], np.uint8),
        np.array(parts["values"], np.float64),
    )


def _flatten(node: dict[str, Any], nodes: list[tuple[int, float, int, int, int, float]], n: int) -> int:
    at = len(nodes)
    if "split_feature" not in node:
        nodes.append((-1, 0.0, 0, 0, 0, node["leaf_value"] / n))
        return at
    nodes.append((0, 0.0, 0, 0, 0, 0.0))
    limit = float(node["threshold"])
    left = _flatten(node["left_child"], nodes, n)
    right = _flatten(node["right_child"], nodes, n)
    # Where training saw no gap in a feature, LightGBM reads one as 0.
    missing_left = bool(node["default_left"]) if node["missing_type"] == "NaN" else limit >= 0
    nodes[at] = (int(node["split_feature"]), limit, left, right, int(missing_left), 0.0)
    return at


def save_ranker(ranker: Ranker, path: Path) -> None:
    """Write ``ranker`` to ``path`` and its card beside it as ``.json``."""
    sides = {"text": ranker.text, "dated": ranker.dated}
    arrays = {
        f"{name}.{kind}.{part}": array
        for name, side in sides.items()
        for kind in ("order", "sureness")
        for part, array in vars(getattr(side, kind)).items()
    }
    numbers = np.array([side.numbers for side in sides.values()])
    about = {
        "format": FORMAT,
        "version": VERSION,
        "features": list(_columns(ranker.encoder_id)),
        "sureness": list(SURENESS),
        "card": ranker.card,
    } | ({"encoder": ranker.encoder_id} if ranker.encoder_id else {})
    raw = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            np.savez_compressed(file, about=raw, numbers=numbers, **arrays)
        beside.replace(path)
        card = json.dumps(ranker.card | {"id": ranker.ranker_id}, ensure_ascii=False, indent=2)
        path.with_suffix(".json").write_text(card + "\n", "utf-8")
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def load_ranker(path: Path) -> Ranker:
    """Read a ranker.

    Raises:
        ConfigError: no such file, no ranker, one for other features, or one that is broken or hostile.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: is larger than any ranker")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            about = json.loads(held["about"].tobytes().decode())
            numbers = np.asarray(held["numbers"], np.float64)
            made = {
                (name, kind): Trees(**{part: held[f"{name}.{kind}.{part}"] for part in Trees.__dataclass_fields__})
                for name in ("text", "dated")
                for kind in ("order", "sureness")
            }
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or 'not a ranker of bastau'}") from None
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise ConfigError(f"{path}: is no ranker of bastau; make one with `bastau train claims`") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT or about.get("version") != VERSION:
        raise ConfigError(f"{path}: is no ranker of this version of bastau; make one with `bastau train claims`")
    encoder_id = str(about.get("encoder", ""))
    if about.get("features") != list(_columns(encoder_id)) or about.get("sureness") != list(SURENESS):
        raise ConfigError(f"{path}: was trained on other features than this bastau has; train it again")
    width = len(_columns(encoder_id))
    widths = {("text", "order"): width if encoder_id else N_TEXT, ("dated", "order"): width}
    for which, trees in made.items():
        if wrong := trees.check(widths.get(which, len(SURENESS))):
            raise ConfigError(f"{path}: is broken or was tampered with ({wrong}); copy it again or train it again")
    if numbers.shape != (2, 4) or not np.isfinite(numbers).all():
        raise ConfigError(f"{path}: is broken or was tampered with (its calibration is no number); train it again")
    text, dated = (
        Side(made[name, "order"], made[name, "sureness"], *(float(v) for v in row))
        for name, row in zip(("text", "dated"), numbers, strict=True)
    )
    return Ranker(text, dated, about["card"], encoder_id)


def _columns(encoder_id: str) -> tuple[str, ...]:
    return FEATURES + DENSE if encoder_id else FEATURES


@cache
def shipped_ranker() -> Ranker:
    """Return the ranker that comes with bastau."""
    return load_ranker(Path(str(files("bastau.factchecks").joinpath("ranker.npz"))))
