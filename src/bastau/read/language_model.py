"""The linear model that tells the languages of a script apart, its file, and the kernels that score with it."""

import json
import zipfile
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import IO

import numba as nb
import numpy as np

from bastau.errors import InputError
from bastau.ngrams import letter_ngrams, word_column, word_hash
from bastau.read.language_scripts import SCRIPTS
from bastau.utf8 import char_at

FORMAT = 2
LOW, HIGH = 1, 5
"""Letters of an n-gram, the space at a word's ends counted."""
MAX_WORD = 48
"""Letters read of one word."""
MODEL_FILE = "language_model.npz"
UNDETERMINED = "und"
"""The class of languages that have no name here and of what is no language."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A softmax over the languages of each script.

    A text's score for a class is ``bias + scale * sum(weights) / sqrt(n)`` over its ``n`` n-grams and words; its
    posterior is the softmax of the scores times ``exp(sharpness[0] + sharpness[1] * log(n))``, fitted on held-out texts.

    Attributes:
        languages: by number in SCRIPTS, the classes told apart in that script, the last of them `und`; or none.
        starts: int64 (scripts,), where the rows of a script begin, in rows of eight weights.
        widths: int64 (scripts,), classes of a script; its rows are padded to a multiple of eight.
        shifts: uint64 (scripts,), 64 minus the bits of its columns.
        weights: int8 (rows of eight, 8); a column of a script has ``(width + 7) // 8`` rows in a row.
        scales: float32 (scripts,).
        biases: float32 (scripts, most classes).
        sharpness: float32 (scripts, 2).
    """

    languages: tuple[tuple[str, ...], ...]
    starts: np.ndarray
    widths: np.ndarray
    shifts: np.ndarray
    weights: np.ndarray
    scales: np.ndarray
    biases: np.ndarray
    sharpness: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return what the kernels take; the weights as eight unsigned bytes in a word, each 128 too high."""
        return self.starts, self.widths, self.shifts, self.packed, self.scales, self.biases, self.sharpness

    @cached_property
    def packed(self) -> np.ndarray:
        """Return the weights for :func:`sum_weights`: uint64 (rows of eight,)."""
        return np.ascontiguousarray(self.weights.view(np.uint8) ^ np.uint8(_OFFSET)).view("<u8").ravel()


@nb.njit(nogil=True, cache=True)
def read_word(data, i, end, script, script_of, codes):  # type: ignore[no-untyped-def]
    """Read the next word of ``script`` at or after ``data[i]`` into ``codes`` with a space at each end.

    Returns (characters in ``codes``, where the word starts, where to go on); no characters when none is left.
    """
    codes[0] = np.uint64(32)
    used = 1
    start = i
    while i < end:
        cp, after = char_at(data, i, end)
        if cp < 0x10000 and script_of[cp] == script:
            if used == 1:
                start = i
            if used < MAX_WORD:
                codes[used] = np.uint64(cp)
                used += 1
        elif used > 1:
            break
        i = after
    if used == 1:
        return 0, i, i
    codes[used] = np.uint64(32)
    return used + 1, start, i


@nb.njit(nogil=True, cache=True)
def word_columns(codes, used, shift, columns):  # type: ignore[no-untyped-def]
    """Write the columns (uint32) of one word read by :func:`read_word`; return how many."""
    n = letter_ngrams(codes, 0, used, LOW, HIGH, shift, columns, 0)
    columns[n] = word_column(word_hash(codes, 1, used - 1), shift)
    return n + 1


_EVEN = np.uint64(0x00FF00FF00FF00FF)
_BYTE = np.uint64(8)
_OFFSET = 128


@nb.njit(nogil=True, cache=True, inline="always")
def _unpack(even, odd, n, at, total):  # type: ignore[no-untyped-def]
    for lane in range(4):
        shift = np.uint64(16 * lane)
        total[at + 2 * lane] = np.int32((even >> shift) & np.uint64(0xFFFF)) - _OFFSET * n
        total[at + 2 * lane + 1] = np.int32((odd >> shift) & np.uint64(0xFFFF)) - _OFFSET * n


@nb.njit(nogil=True, cache=True)
def sum_weights(columns, n, start, width, packed, total):  # type: ignore[no-untyped-def]
    """Write to ``total`` (int32, a multiple of 8 long) the sums of the weights of ``columns[:n]``, at most 257.

    Eight classes are added at a time as four 16-bit lanes of two words: numba makes no vector code of narrow integers.
    """
    stride = (width + 7) // 8
    first = 0
    while first < stride:
        e0 = o0 = e1 = o1 = np.uint64(0)
        if first + 1 < stride:
            for k in range(n):
                row = start + np.int64(columns[k]) * stride + first
                x = packed[row]
                y = packed[row + 1]
                e0 += x & _EVEN
                o0 += (x >> _BYTE) & _EVEN
                e1 += y & _EVEN
                o1 += (y >> _BYTE) & _EVEN
            _unpack(e1, o1, n, 8 * first + 8, total)
        else:
            for k in range(n):
                x = packed[start + np.int64(columns[k]) * stride + first]
                e0 += x & _EVEN
                o0 += (x >> _BYTE) & _EVEN
        _unpack(e0, o0, n, 8 * first, total)
        first += 2


@nb.njit(nogil=True, cache=True)
def posteriors(total, n, script, arrays, out):  # type: ignore[no-untyped-def]
    """Write the posteriors (float32) of the classes of ``script``, from sums of weights over ``n`` columns."""
    _, widths, _, _, scales, biases, sharpness = arrays
    width = widths[script]
    sharp = np.exp(sharpness[script, 0] + sharpness[script, 1] * np.log(np.float32(n)))
    factor = scales[script] / np.sqrt(np.float32(n))
    top = np.float32(-1e30)
    for c in range(width):
        out[c] = (biases[script, c] + factor * total[c]) * sharp
        top = max(top, out[c])
    mass = np.float32(0)
    for c in range(width):
        out[c] = np.exp(out[c] - top)
        mass += out[c]
    for c in range(width):
        out[c] /= mass


def save_model(model: LanguageModel, out: Path | IO[bytes]) -> None:
    """Write a model file; the same model always gives the same bytes."""
    header = {"format": FORMAT, "low": LOW, "high": HIGH, "scripts": SCRIPTS, "languages": model.languages}
    arrays = {"header": np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8)}
    arrays |= {name: getattr(model, name) for name in ("starts", "widths", "shifts", "weights", "scales")}
    arrays |= {"biases": model.biases, "sharpness": model.sharpness}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def load_model(path: Path) -> LanguageModel:
    """Read a model file.

    Raises:
        InputError: it is no model file, or one of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        header = json.loads(arrays.pop("header").tobytes())
        languages = tuple(tuple(of) for of in header["languages"])
        stated = (header["format"], header["low"], header["high"], tuple(header["scripts"]))
        model = LanguageModel(languages, **arrays)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no language model; make one with `bastau train language`") from error
    if stated != (FORMAT, LOW, HIGH, SCRIPTS):
        raise InputError(f"{path}: a language model of another version; train it again with `bastau train language`")
    _check(path, model)
    return model


def _check(path: Path, model: LanguageModel) -> None:
    """Refuse arrays that the kernels, which check nothing, would read beyond."""
    n = len(SCRIPTS)
    sizes = (model.widths + 7) // 8 * (1 << (64 - np.minimum(model.shifts, np.uint64(64)).astype(np.int64)))
    is_whole = (
        len(model.languages) == n
        and all(a.shape == (n,) for a in (model.starts, model.widths, model.shifts, model.scales))
        and model.weights.dtype == np.int8
        and model.weights.shape[1:] == (8,)
        and model.sharpness.shape == (n, 2)
        and model.biases.shape[0] == n
        and all(
            len(of) == width <= model.biases.shape[1] for of, width in zip(model.languages, model.widths, strict=True)
        )
        and bool((model.starts >= 0).all() and (model.shifts >= 32).all())
        and bool((model.starts + np.where(model.widths > 0, sizes, 0) <= len(model.weights)).all())
    )
    if not is_whole:
        raise InputError(f"{path}: a damaged language model; train it again with `bastau train language`")


@cache
def language_model() -> LanguageModel:
    """Return the model that is shipped."""
    with files("bastau.read").joinpath(MODEL_FILE).open("rb") as file:
        return load_model(file)  # type: ignore[arg-type]
