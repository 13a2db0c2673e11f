"""The kernels against the same sums written plainly."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.read.fold import fold_strings
from bastau.read.language import MAX_LETTERS, detect
from bastau.read.language_model import HIGH, LOW, MAX_WORD, LanguageModel, language_model, sum_weights
from bastau.read.language_scripts import SCRIPTS, script_table

_MASK = (1 << 64) - 1
_BASE, _FINISH, _WORD = 0x9E3779B185EBCA87, 0xD6E8FEB86659FD93, 0x27D4EB2F165667C5


def column(letters: str, seed: int, shift: int) -> int:
    h = seed
    for letter in letters:
        h = (h * _BASE + ord(letter)) & _MASK
    return (((h ^ (h >> 32)) * _FINISH) & _MASK) >> shift


def words(text: str, script: int) -> list[str]:
    table = script_table()
    spaced = "".join(c if ord(c) < 1 << 16 and table[ord(c)] == script else " " for c in text)
    return [word[: MAX_WORD - 1] for word in spaced.split()]


def obvious_posterior(text: str, script: int, model: LanguageModel) -> dict[str, float]:
    """The chances of each class of the script, word by word and n-gram by n-gram."""
    shift, width = int(model.shifts[script]), int(model.widths[script])
    rows = model.weights[model.starts[script] :].reshape(-1, 8)
    stride = (width + 7) // 8
    columns = []
    for word in words(text, script):
        padded = f" {word} "
        grams = [padded[a : a + n] for n in range(LOW, HIGH + 1) for a in range(len(padded) - n + 1)]
        columns += [column(gram, 0, shift) for gram in grams if gram != " "]
        columns.append(column(word, _WORD, shift))
    total = sum(rows[c * stride : (c + 1) * stride].astype(int).ravel()[:width] for c in columns)
    n = len(columns)
    sharp = math.exp(model.sharpness[script, 0] + model.sharpness[script, 1] * math.log(n))
    score = (model.biases[script, :width] + model.scales[script] * total / math.sqrt(n)) * sharp
    chances = np.exp(score - score.max())
    return dict(zip(model.languages[script], (chances / chances.sum()).tolist(), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "бүгін қалада жаңа мектеп ашылды деп хабарлайды",
        "the library is closed until friday 2024",
        "بۇگىن قالادا جاڭا مەكتەپ اشىلدى",
        "यह एक नया स्कूल है",
        "ок бар instagram желісінде",
    ],
)
def test_posteriors_are_those_of_the_plain_sums(text: str) -> None:
    model = language_model()
    labels, chances, scripts, _ = detect(pa.array([text]), model)
    script = int(scripts[0, 0])
    named = {k: v for k, v in obvious_posterior(text, script, model).items() if k != "und"}
    first, second = sorted(named, key=lambda tag: -named[tag])[:2]
    assert [model.languages[script][label] for label in labels[0]] == [first, second]
    assert chances[0] == pytest.approx([named[first], named[second]], rel=1e-3, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 257), st.sampled_from(["Latn", "Cyrl", "Arab", "Deva"]), st.integers(0, 2**32 - 1))
def test_sums_in_lanes_are_the_sums(n: int, script: str, seed: int) -> None:
    model = language_model()
    s = SCRIPTS.index(script)
    width, stride = int(model.widths[s]), (int(model.widths[s]) + 7) // 8
    columns = np.random.default_rng(seed).integers(0, 1 << (64 - int(model.shifts[s])), n).astype(np.uint32)
    total = np.zeros(8 * stride, np.int32)
    sum_weights(columns, n, model.starts[s], width, model.packed, total)
    rows = model.weights[model.starts[s] :].astype(int)
    expected = sum(rows[c * stride : (c + 1) * stride].ravel() for c in columns.tolist())
    assert total.tolist() == np.asarray(expected).tolist()


def test_the_n_grams_of_the_longest_word_fit_the_lanes() -> None:
    padded = MAX_WORD - 1 + 2
    assert sum(padded - n + 1 for n in range(LOW, HIGH + 1)) + 1 <= 257


def test_a_long_post_is_read_at_its_beginning_and_further_on() -> None:
    model = language_model()
    kazakh, russian = "бүгін жаңа мектеп ашылды ", "сегодня в городе открыли школу "
    long = (kazakh * 9)[: MAX_LETTERS + 80] + russian * 12
    labels, _, scripts, may_mix = detect(fold_strings(pa.array([long]))[0], model)
    assert model.languages[int(scripts[0, 0])][int(labels[0, 0])] in ("kk", "ru")
    assert may_mix[0]


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_without_harm(text: str) -> None:
    folded = fold_strings(pa.array([text], pa.string()))[0]
    _, chances, _, _ = detect(folded, language_model())
    assert np.isfinite(chances).all()
    assert ((chances >= 0) & (chances <= 1 + 1e-6)).all()
