"""How well posts are grouped, on users' own labelled texts: beside average linkage over TF-IDF of bastau's terms, told the best cut.

A file has one text a row: id, text, label (several labels of a text are separated by ``;`` or are a JSON list), and, where
they are known, published_at and language. It is grouped as a run groups posts, without a home folder.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from bastau.errors import InputError
from bastau.evaluate.figures import figure_lines
from bastau.evaluate.labelled import read_labelled
from bastau.hashing import hash_strings
from bastau.narratives.joining import Fit
from bastau.narratives.labels import LabelMatcher, kernel, samples_f1
from bastau.narratives.stories import WINDOW_DAYS, find_tellings, tell
from bastau.narratives.themes import WINDOW_DAYS as THEME_WINDOW_DAYS
from bastau.narratives.themes import Likeness, find_stories, gather_themes
from bastau.narratives.update import update
from bastau.read.stages import default_stages
from bastau.schemas import POSTS
from bastau.settings import Settings
from bastau.stage import run_stages

MOST_COMPARED = 4_000
"""Texts up to which the baseline and the labels, which compare all with all, are measured."""
FOLDS = 5
CUTS = (
    *(float(cut) for cut in np.round(np.arange(0.1, 0.95, 0.05), 2)),
    *(float(c) for c in np.round(np.arange(0.91, 1.0, 0.01), 2)),
)
"""Cosine distances at which the baseline is cut; the one that suits the labels best is reported."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_CENTURY = 36_525.0


@dataclass(frozen=True)
class GroupingFigures:
    """Agreement of groups with labels over all texts, and (``dropped_*``) over those that share a label with another.

    With several labels a text, B-cubed is the extended one, and there is no adjusted Rand index.

    Reference: Amigo, Gonzalo, Artiles, Verdejo 2009, Information Retrieval 12, section 5.
    """

    n_groups: int
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    ari: float | None
    dropped_b_cubed_precision: float
    dropped_b_cubed_recall: float
    dropped_b_cubed_f1: float
    dropped_ari: float | None


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels, in the order of the file."""

    posts: pa.Table
    labels: list[frozenset[str]]
    has_times: bool

    @property
    def matrix(self) -> np.ndarray:
        """Labels as bool (texts, labels), labels sorted."""
        return label_matrix(self.labels)


def label_matrix(labels: Sequence[frozenset[str]]) -> np.ndarray:
    """Return the labels of each text as bool (texts, labels), labels sorted."""
    names = sorted(set().union(*labels))
    at = {name: k for k, name in enumerate(names)}
    out = np.zeros((len(labels), len(names)), np.bool_)
    for row, own in enumerate(labels):
        out[row, [at[name] for name in own]] = True
    return out


def evaluate_grouping(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Group the labelled texts of ``path`` and compare.

    Raises:
        InputError: the file cannot be read, or an id is there twice, or a time is none.
    """
    texts = read_texts(path)
    answer: dict[str, Any] = {"task": "narratives", "n_texts": len(texts.labels), "n_labels": texts.matrix.shape[1]}
    read = read_posts(texts.posts)
    for name, groups in group_texts(texts, read).items():
        answer[name] = asdict(compare(texts.labels, groups))
    if len(texts.labels) <= MOST_COMPARED:
        likeness = kernel(read.column("folded"))
        answer["TF-IDF, average linkage, best cut"] = best_cut(texts.labels, likeness)
        if max(map(len, texts.labels)) > 1:
            answer["samples-F1"] = label_figures(texts.matrix, likeness, texts.posts.column("post_id"))
    return answer, figure_lines(answer)


# ---- reading -------------------------------------------------------------------------------------------


def read_texts(path: Path) -> LabelledTexts:
    """Read the file.

    Raises:
        InputError: see :func:`evaluate_grouping`.
    """
    rows = read_labelled(path, ("id", "text", "label"), ("published_at", "language"))
    ids = [row["id"] for row in rows]
    if len(set(ids)) < len(ids):
        twice = next(ident for k, ident in enumerate(ids) if ident in ids[:k])
        raise InputError(f"{path}: the id {twice!r} is there twice")
    times = [_time(path, row["published_at"]) for row in rows]
    has_times = all(row["published_at"] for row in rows)
    blank = dict.fromkeys(POSTS.names)
    posts = [
        blank
        | {
            "post_id": row["id"],
            "platform": "other",
            "source": row["id"],
            "is_publisher": True,
            "text": row["text"],
            "language": row["language"] or None,
            "published_at": at if has_times else _EPOCH,
            "collected_at": _EPOCH,
            "content_key": 0,
        }
        for row, at in zip(rows, times, strict=True)
    ]
    keys = hash_strings(pa.array(ids))
    table = pa.Table.from_pylist(
        [post | {"post_key": int(key)} for post, key in zip(posts, keys, strict=True)], schema=POSTS
    )
    return LabelledTexts(table, [_labels(row["label"]) for row in rows], has_times)


def _time(path: Path, given: str) -> datetime:
    if not given:
        return _EPOCH
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise InputError(f"{path}: published_at {given!r} is no RFC 3339 time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _labels(given: str) -> frozenset[str]:
    if given.startswith("["):
        try:
            return frozenset(str(label) for label in orjson.loads(given))
        except orjson.JSONDecodeError:
            pass
    return frozenset(part.strip() for part in given.split(";") if part.strip())


def read_posts(posts: pa.Table) -> pa.Table:
    """Return ``posts`` as the read stages leave them."""
    return run_stages(default_stages(Settings()), posts)


# ---- grouping ------------------------------------------------------------------------------------------


def group_texts(
    texts: LabelledTexts, read: pa.Table | None = None, fit: Fit | None = None, themes: Likeness | None = None
) -> dict[str, np.ndarray]:
    """Return the narrative, wording, story and theme of each text as int64 (n,), a text without one by itself.

    Without times nothing is near in time: stories are held together by words alone, however old.

    Args:
        texts: to group.
        read: what :func:`read_posts` makes of them; None: it is made here.
        fit, themes: when stories and themes are joined; None: as in a run.
    """
    read = read_posts(texts.posts) if read is None else read
    language = pc.coalesce(read.column("language"), read.column("detected_language"))
    state = update(None, read, lambda _: read.slice(0, 0), similarity=Settings().narratives.similarity)
    tellings = find_tellings(state.members, state.posts)
    said = pa.table(
        {
            "post_key": read.column("post_key"),
            "folded": read.column("folded"),
            "detected_language": language,
            "source": read.column("source"),
            "url_keys": read.column("url_keys"),
            "media": pa.nulls(read.num_rows, pa.list_(pa.string())),
        }
    )

    def fetch(keys: np.ndarray) -> list[pa.Table]:
        return [said.filter(pc.is_in(said.column("post_key"), pa.array(keys)))]

    fit = fit or (Fit() if texts.has_times else Fit(eased=0.0))
    told = tell(None, tellings, fetch, fit=fit, window_days=WINDOW_DAYS if texts.has_times else _CENTURY)
    own = dict(zip(state.members.column("post_key").to_pylist(), _telling_of(state.members), strict=True))
    keys = texts.posts.column("post_key").to_pylist()
    found = {"narratives": np.array([own[key] for key in keys], np.int64)}
    for name, column in (("wordings", "wording_key"), ("stories", "story_key")):
        of = dict(zip(told.column("telling_key").to_pylist(), told.column(column).to_pylist(), strict=True))
        found[name] = np.array([of.get(own[key], own[key]) for key in keys], np.int64)
    stories = find_stories(told)
    days = THEME_WINDOW_DAYS if texts.has_times else _CENTURY
    gathered = gather_themes(stories, fetch, window_days=days, likeness=themes)
    theme_of = dict(zip(stories.key.tolist(), gathered.theme.tolist(), strict=True))
    found["themes"] = np.array([theme_of.get(key, key) for key in found["stories"].tolist()], np.int64)
    return found


def _telling_of(members: pa.Table) -> list[int]:
    return pc.coalesce(members.column("narrative_key"), members.column("post_key")).to_pylist()


# ---- comparing -----------------------------------------------------------------------------------------


def compare(labels: Sequence[frozenset[str]], groups: np.ndarray) -> GroupingFigures:
    """Compare groups (any numbers, one a text) with labels."""
    shared: dict[str, int] = {}
    for own in labels:
        for label in own:
            shared[label] = shared.get(label, 0) + 1
    kept = np.array([any(shared[label] > 1 for label in own) for own in labels], np.bool_)
    parts = []
    for rows in (np.arange(len(labels)), np.flatnonzero(kept)):
        some = [labels[row] for row in rows.tolist()]
        precision, recall = b_cubed(some, groups[rows])
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        single = all(len(own) == 1 for own in some)
        parts.append(
            (precision, recall, f1, adjusted_rand([min(own) for own in some], groups[rows]) if single else None)
        )
    return GroupingFigures(len(np.unique(groups)), *parts[0], *parts[1])


def b_cubed(labels: Sequence[frozenset[str]], groups: np.ndarray) -> tuple[float, float]:
    """Return the extended B-cubed precision and recall; with one label a text it is the plain one."""
    if not len(labels):
        return 1.0, 1.0
    matrix = label_matrix(labels).astype(np.int32)
    precision, recall = [], []
    for row in range(len(labels)):
        shared = matrix @ matrix[row]
        together = groups == groups[row]
        precision.append(np.mean(np.minimum(shared[together], 1)))
        alike = shared > 0
        recall.append(np.mean(np.minimum(shared[alike], together[alike]) / shared[alike]))
    return float(np.mean(precision)), float(np.mean(recall))


def adjusted_rand(labels: Sequence[str], groups: np.ndarray) -> float:
    """Return the adjusted Rand index of two partitions (Hubert and Arabie 1985)."""
    _, a = np.unique(np.array(labels), return_inverse=True)
    _, b = np.unique(groups, return_inverse=True)
    n = len(a)

    def pairs(codes: np.ndarray) -> float:
        counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
        return float((counts * (counts - 1) / 2).sum())

    both, of_a, of_b, whole = pairs(a * (b.max(initial=0) + 1) + b), pairs(a), pairs(b), n * (n - 1) / 2
    expected = of_a * of_b / whole if whole else 0.0
    most = (of_a + of_b) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


# ---- the baseline --------------------------------------------------------------------------------------


def best_cut(labels: Sequence[frozenset[str]], likeness: np.ndarray) -> dict[str, Any]:
    """Return the figures of average linkage at the cut that suits these labels best: more than a user could know."""
    distance = 1.0 - np.clip((likeness + likeness.T) / 2, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    found = [(cut, compare(labels, fcluster(tree, cut, "distance").astype(np.int64))) for cut in CUTS]
    cut, figures = max(found, key=lambda one: one[1].b_cubed_f1)
    return {"cut": cut} | asdict(figures)


def label_figures(matrix: np.ndarray, likeness: np.ndarray, ids: pa.ChunkedArray) -> dict[str, float]:
    """Return samples-F1 by cross-validation: learned, nearest text, and always the most frequent labels."""
    fold = hash_strings(ids).view(np.uint64) % np.uint64(FOLDS)
    learned, nearest, frequent = (np.zeros_like(matrix) for _ in range(3))
    for k in range(FOLDS):
        test, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if not len(test) or not len(train):
            continue
        between, inside = likeness[np.ix_(test, train)], likeness[np.ix_(train, train)]
        learned[test] = LabelMatcher.fit(inside, matrix[train]).predict(between)
        nearest[test] = matrix[train][between.argmax(axis=1)]
        frequent[test, matrix[train].sum(axis=0).argmax()] = True
    return {
        "learned": samples_f1(matrix, learned),
        "nearest text": samples_f1(matrix, nearest),
        "most frequent label": samples_f1(matrix, frequent),
    }
