import json
from importlib.resources import files

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bastau.sources.beginnings import CANDIDATE_SIGNS, OUTSIDE_SIGNS, Features, _weights, probabilities

N_X, N_Z = len(CANDIDATE_SIGNS), len(OUTSIDE_SIGNS)


def made(seed: int, counts: list[int]) -> Features:
    """Random features of narratives with these numbers of candidates."""
    random = np.random.default_rng(seed)
    head_of = np.repeat(np.arange(len(counts)), counts)
    n = len(head_of)
    return Features(
        x=random.uniform(0, 3, (n, N_X)),
        z=random.uniform(0, 3, (len(counts), N_Z)),
        head_of=head_of,
        rows=np.arange(n),
        at=np.zeros(n, np.int64),
        corrected=np.zeros(n, bool),
    )


cases = st.tuples(st.integers(0, 10_000), st.lists(st.integers(0, 6), min_size=1, max_size=5))


@given(cases)
def test_confidences_of_a_narrative_lie_in_zero_to_one_and_leave_room_for_somebody_else(
    case: tuple[int, list[int]],
) -> None:
    features = made(*case)
    p = probabilities(features, *_weights())
    total = np.bincount(features.head_of, p, len(features.z))
    assert ((p >= 0) & (p <= 1)).all()
    assert (total <= 1 + 1e-12).all()


@given(cases, st.integers(0, N_X - 1), st.floats(0, 3))
def test_more_of_what_speaks_for_a_candidate_never_lowers_it(
    case: tuple[int, list[int]], which: int, more: float
) -> None:
    features = made(*case)
    before = probabilities(features, *_weights())
    if not len(before):
        return
    sign = list(CANDIDATE_SIGNS.values())[which]
    features.x[0, which] += more
    after = probabilities(features, *_weights())
    assert sign * (after[0] - before[0]) >= -1e-12


@given(cases, st.integers(0, N_Z - 1), st.floats(0, 3))
def test_more_signs_of_an_unobserved_beginning_never_raise_anybody(
    case: tuple[int, list[int]], which: int, more: float
) -> None:
    features = made(*case)
    before = probabilities(features, *_weights())
    sign = list(OUTSIDE_SIGNS.values())[which]
    features.z[:, which] += more
    after = probabilities(features, *_weights())
    assert (sign * (after - before) <= 1e-12).all()


def test_the_shipped_weights_have_the_signs_that_they_must_have() -> None:
    raw = json.loads(files("bastau.sources").joinpath("firstseen_model.json").read_text("utf-8"))
    for part, signs in (("candidate", CANDIDATE_SIGNS), ("outside", OUTSIDE_SIGNS)):
        assert list(raw[part]) == list(signs)
        assert all(sign * raw[part][name] >= 0 for name, sign in signs.items())
    assert not set(raw["seeds"]) & {9101, 9102, 9103, 9201, 9202, 9203}
