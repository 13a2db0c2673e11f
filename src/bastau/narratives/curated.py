"""Narratives that an analyst names beforehand: propositions in any language, and the posts that say the same.

How well a text fits a proposition is the cosine of the rare stems of their words, of which they must share two. How much
that means depends on the proposition: "prices rise" is met by chance everywhere. So the fit is compared with a sample of all
that was told: ``expected`` is how many unrelated tellings are expected to fit as well, and the score is
``1 / (1 + expected)``. Nothing is learned from labelled data. A proposition finds texts in its own language: write one for
each language.

Reference: Karlin and Altschul 1990, PNAS 87(6) (expected number of chance hits as good); Pickands 1975, Annals of
Statistics 3(1) (the tail of any fit as an exponential).
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numba as nb
import numpy as np
import pyarrow as pa
import yaml

from bastau.errors import ConfigError
from bastau.narratives.terms import Terms, find_terms
from bastau.schemas import CURATED

FoldAll = Callable[[pa.Array], pa.ChunkedArray]
"""Strings to folded strings, as posts are folded."""
FILES = ("narratives.yaml", "narratives.yml", "narratives.csv")
SAMPLE = 20_000
"""Tellings that stand for all when chance is measured."""
LEAST_SCORE = 0.5
"""Weaker matches are not kept."""
_BITS = 20
_TAIL = 0.1
"""Largest share of the sample that is the tail."""
_LEAST_TAIL = 10
"""Texts that make a tail; where fewer fit at all, nothing is known of chance and half of the words must be shared."""
_OUTLIERS = 0.05
"""Share of the tail, the best of it, that may be true matches and does not count."""
_LEAST_SPREAD = 0.02
_LEAST_WORDS = 3
_LEAST_SHARED = 2
_LEAST_FIT = 0.2
"""Weaker fits are none, however rare: in a store of many languages the grammar of a small one is rare too."""


@dataclass(frozen=True)
class Curated:
    """A narrative as its analyst wrote it."""

    curated_id: str
    title: str
    propositions: tuple[str, ...]


def find_file(folder: Path) -> Path | None:
    """Return the file of curated narratives in a home folder, or None."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def read_curated(path: Path) -> tuple[Curated, ...]:
    """Return the narratives of a YAML list (id, title, propositions) or a CSV (id, title, proposition; a row each).

    Raises:
        ConfigError: every problem of the file, with its place.
    """
    problems: list[str] = []
    try:
        text = path.read_text("utf-8-sig")
        rows = _csv_rows(text, problems) if path.suffix == ".csv" else _yaml_rows(text, problems)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    seen: set[str] = set()
    for place, row in rows:
        if row.curated_id in seen:
            problems.append(f"{place}: the id {row.curated_id!r} is there twice")
        seen.add(row.curated_id)
        problems += [f"{place}: {problem}" for problem in _problems(row)]
    if not rows and not problems:
        problems.append("holds no narratives")
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return tuple(row for _, row in rows)


def _problems(row: Curated) -> list[str]:
    if not row.curated_id:
        return ["needs an id"]
    if not row.propositions:
        return [f"{row.curated_id}: needs at least one proposition"]
    return [
        f"{row.curated_id}: the proposition {text!r} is too short; it needs {_LEAST_WORDS} words"
        for text in row.propositions
        if len(text.split()) < _LEAST_WORDS
    ]


def _yaml_rows(text: str, problems: list[str]) -> list[tuple[str, Curated]]:
    given = yaml.safe_load(text)
    if not isinstance(given, list):
        problems.append("must be a list of narratives, each with id, title and propositions")
        return []
    rows = []
    for number, entry in enumerate(given, 1):
        place = f"narrative {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("propositions"), list):
            problems.append(f"{place}: needs id, title and a list of propositions")
            continue
        if unknown := set(entry) - {"id", "title", "propositions"}:
            problems.append(f"{place}: unknown {', '.join(sorted(map(str, unknown)))}; known: id, title, propositions")
            continue
        ident = str(entry.get("id") or "").strip()
        said = tuple(str(text).strip() for text in entry["propositions"])
        rows.append((place, Curated(ident, str(entry.get("title") or ident).strip(), said)))
    return rows


def _csv_rows(text: str, problems: list[str]) -> list[tuple[str, Curated]]:
    reader = csv.DictReader(text.splitlines())
    if not {"id", "proposition"} <= set(reader.fieldnames or ()):
        problems.append("needs the columns id and proposition (and title, if wanted)")
        return []
    found: dict[str, tuple[str, str, list[str]]] = {}
    for row in reader:
        ident = (row["id"] or "").strip()
        _, _, said = found.setdefault(ident, (f"line {reader.line_num}", (row.get("title") or "").strip(), []))
        if (row["proposition"] or "").strip():
            said.append(row["proposition"].strip())
    return [(place, Curated(ident, title or ident, tuple(said))) for ident, (place, title, said) in found.items()]


def fingerprint(path: Path | None) -> str:
    """Return a hash of the file's bytes, empty for none."""
    return "" if path is None else hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()


# ---- how well a text fits ------------------------------------------------------------------------------


@nb.njit(nogil=True, cache=True)
def _count_texts(hashes, counts):  # type: ignore[no-untyped-def]
    for h in hashes:
        counts[h >> np.uint32(32 - _BITS)] += 1


@nb.njit(nogil=True, cache=True)
def _length(indptr, hashes, row, rarity):  # type: ignore[no-untyped-def]
    square = 0.0
    for k in range(indptr[row], indptr[row + 1]):
        square += rarity[hashes[k] >> np.uint32(32 - _BITS)] ** 2
    return np.sqrt(square)


@nb.njit(nogil=True, cache=True)
def _cosines(indptr, hashes, said_indptr, said_hashes, rarity, out):  # type: ignore[no-untyped-def]
    n_said = len(said_indptr) - 1
    lengths = np.empty(n_said)
    for j in range(n_said):
        lengths[j] = _length(said_indptr, said_hashes, j, rarity)
    for i in range(len(indptr) - 1):
        length = _length(indptr, hashes, i, rarity)
        for j in range(n_said):
            a, a_end = indptr[i], indptr[i + 1]
            b, b_end = said_indptr[j], said_indptr[j + 1]
            shared = 0.0
            n_shared = 0
            while a < a_end and b < b_end:
                x, y = hashes[a], said_hashes[b]
                if x == y:
                    shared += rarity[x >> np.uint32(32 - _BITS)] ** 2
                    n_shared += 1
                a += x <= y
                b += y <= x
            if n_shared >= _LEAST_SHARED and shared > 0.0:
                out[i, j] = shared / (length * lengths[j])


@dataclass(frozen=True)
class Matcher:
    """Propositions with what chance makes of each.

    ``of`` int64 (propositions,): the narrative of each. ``said``: their stems. ``rarity`` float32 (2^20,): weight of a
    stem. ``share``, ``base`` and ``spread`` float64 (propositions,): by chance a fit of at least f has probability
    ``share * exp(-(f - base) / spread)`` above ``base``. ``n_tellings``: how many there were when chance was measured.
    """

    of: np.ndarray
    said: Terms
    rarity: np.ndarray
    share: np.ndarray
    base: np.ndarray
    spread: np.ndarray
    n_tellings: int

    @classmethod
    def fit(cls, curated: Sequence[Curated], fold: FoldAll, sample: pa.ChunkedArray, n_tellings: int) -> "Matcher":
        """Measure rarity and chance.

        Args:
            curated: the narratives.
            fold: folds strings as posts are folded.
            sample: folded texts of tellings that stand for all.
            n_tellings: how many tellings there are.
        """
        told, _ = find_terms(sample)
        counts = np.zeros(1 << _BITS, np.int64)
        _count_texts(told.hashes, counts)
        rarity = np.maximum(np.log((1.0 + len(sample)) / (0.5 + counts)), 0.0).astype(np.float32)
        blank = np.ones(sum(len(one.propositions) for one in curated))
        tails = _tails(cls.of_known(curated, fold, rarity, (blank, blank, blank), n_tellings).fits(told))
        return cls.of_known(curated, fold, rarity, tails, n_tellings)

    @classmethod
    def of_known(
        cls,
        curated: Sequence[Curated],
        fold: FoldAll,
        rarity: np.ndarray,
        tails: tuple[np.ndarray, np.ndarray, np.ndarray],
        n_tellings: int,
    ) -> "Matcher":
        """Return the matcher of narratives for which chance was measured before."""
        of = np.array([k for k, one in enumerate(curated) for _ in one.propositions], np.int64)
        said, _ = find_terms(fold(pa.array([text for one in curated for text in one.propositions], pa.string())))
        return cls(of, said, rarity, *tails, n_tellings)

    def fits(self, told: Terms) -> np.ndarray:
        """Return how well each text fits each proposition, float64 (texts, propositions) in [0, 1]."""
        out = np.zeros((len(told.indptr) - 1, len(self.of)))
        _cosines(told.indptr, told.hashes, self.said.indptr, self.said.hashes, self.rarity, out)
        return out

    def expected(self, told: Terms) -> tuple[np.ndarray, np.ndarray]:
        """Return for each text and narrative how many unrelated tellings are expected to fit as well, and the proposition.

        Shapes (texts, narratives); propositions are rows of ``of``. Without a fit it is infinite.
        """
        fits = self.fits(told)
        chance = np.where(
            fits >= _LEAST_FIT, self.n_tellings * self.share * np.exp(-(fits - self.base) / self.spread), np.inf
        )
        n = int(self.of.max()) + 1
        best = np.stack([np.flatnonzero(self.of == k)[chance[:, self.of == k].argmin(1)] for k in range(n)], axis=1)
        return np.take_along_axis(chance, best, axis=1), best


def _tails(fits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each column the share that is its tail, where the tail begins, and its mean excess.

    The tail is the best tenth, or what fits at all where that is less. The best of it may be true matches and does not
    count; an exponential without the share q of its mass that is highest has a mean lower by ``q ln q / (1 - q)``.
    """
    n, n_said = fits.shape
    share, base, spread = np.full(n_said, 1.0 / max(n, 1)), np.full(n_said, 0.5), np.full(n_said, _LEAST_SPREAD)
    for k in range(n_said):
        fit = np.sort(fits[:, k])
        tail = fit[max(np.searchsorted(fit, 0.0, side="right"), int(n * (1 - _TAIL))) :]
        if len(tail) < _LEAST_TAIL:
            continue
        kept = tail[: int(np.ceil(len(tail) * (1 - _OUTLIERS)))]
        share[k], base[k] = len(tail) / n, tail[0]
        short = 1 + _OUTLIERS * np.log(_OUTLIERS) / (1 - _OUTLIERS)
        spread[k] = max(float(kept.mean() - tail[0]) / short, _LEAST_SPREAD)
    return share, base, spread


def match(
    matcher: Matcher, curated: Sequence[Curated], parts: Iterable[tuple[np.ndarray, pa.ChunkedArray]]
) -> pa.Table:
    """Return CURATED: the tellings that fit a narrative with a score of at least 1/2, by narrative and telling.

    ``parts`` yields telling keys and folded texts.
    """
    rows: list[tuple[str, str, int, str, float, float]] = []
    for keys, folded in parts:
        expected, said = matcher.expected(find_terms(folded)[0])
        for i, k in zip(*np.nonzero(1.0 / (1.0 + expected) >= LEAST_SCORE), strict=True):
            one = curated[k]
            text = one.propositions[int(said[i, k]) - int(np.flatnonzero(matcher.of == k)[0])]
            value = float(expected[i, k])
            rows.append((one.curated_id, one.title, int(keys[i]), text, value, 1.0 / (1.0 + value)))
    rows.sort(key=lambda row: (row[0], row[2]))
    return pa.Table.from_pylist([dict(zip(CURATED.names, row, strict=True)) for row in rows], schema=CURATED)
