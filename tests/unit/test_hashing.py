import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.hashing import format_id, format_ids, hash_string, hash_strings, parse_id

P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
MASK = 2**64 - 1
KEYS = st.integers(-(2**63), 2**63 - 1)


def rotate(x: int, r: int) -> int:
    return (x << r | x >> (64 - r)) & MASK


def mix(acc: int, lane: int) -> int:
    return rotate((acc + lane * P2) & MASK, 31) * P1 & MASK


def obvious_xxh64(data: bytes, seed: int) -> int:
    """The specification in plain Python."""
    n = len(data)
    if n >= 32:
        acc = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while len(data) >= 32:
            acc = [mix(a, int.from_bytes(data[8 * i : 8 * i + 8], "little")) for i, a in enumerate(acc)]
            data = data[32:]
        h = sum(rotate(a, r) for a, r in zip(acc, (1, 7, 12, 18), strict=True)) & MASK
        for a in acc:
            h = ((h ^ mix(0, a)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + n) & MASK
    while len(data) >= 8:
        h = (rotate(h ^ mix(0, int.from_bytes(data[:8], "little")), 27) * P1 + P4) & MASK
        data = data[8:]
    if len(data) >= 4:
        h = (rotate(h ^ int.from_bytes(data[:4], "little") * P1 & MASK, 23) * P2 + P3) & MASK
        data = data[4:]
    for byte in data:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


@pytest.mark.parametrize(
    ("text", "seed", "digest"),
    [
        ("", 0, "ef46db3751d8e999"),
        ("a", 0, "d24ec4f1a98c6e5b"),
        ("abc", 0, "44bc2cf5ad770999"),
        ("xxhash", 20141025, "b559b98d844e0635"),
        ("I want an unsigned 64-bit seed!", 1, "ce5087f12470d961"),
        ("Nobody inspects the spammish repetition", 0, "fbcea83c8a378bf1"),
    ],
)
def test_published_vectors_hold(text: str, seed: int, digest: str) -> None:
    assert f"{hash_string(text, seed) & MASK:016x}" == digest
    assert f"{obvious_xxh64(text.encode(), seed):016x}" == digest


@given(st.lists(st.one_of(st.none(), st.text(max_size=100)), max_size=8), st.integers(0, 2**32))
def test_the_kernel_agrees_with_the_specification(texts: list[str | None], seed: int) -> None:
    expected = [obvious_xxh64((text or "").encode(), seed) for text in texts]
    assert hash_strings(pa.array(texts, pa.string()), seed).view(np.uint64).tolist() == expected


def test_the_same_string_has_one_key_in_any_layout() -> None:
    texts = ["қазақ", None, "x" * 40, "қазақ"]
    plain = pa.array(texts)
    layouts = [
        plain.cast(pa.large_string()),
        pa.array(["lead", *texts]).slice(1),
        pa.chunked_array([plain[:2], plain[2:]]),
        plain.dictionary_encode(),
    ]
    keys = hash_strings(plain)
    assert keys.dtype == np.int64
    assert keys[0] == keys[3] != keys[2]
    assert keys[1] == hash_string("")
    for layout in layouts:
        np.testing.assert_array_equal(hash_strings(layout), keys)


def test_the_seed_changes_the_key() -> None:
    assert hash_string("a", 0) != hash_string("a", 1)


@given(KEYS)
def test_an_id_comes_back_as_its_key(key: int) -> None:
    text = format_id("n", key)
    assert len(text) == 14
    assert parse_id("n", text) == key


@given(KEYS, KEYS)
def test_ids_differ_when_keys_do(a: int, b: int) -> None:
    assert (format_id("g", a) == format_id("g", b)) == (a == b)


@given(st.text(max_size=16))
def test_what_is_no_id_is_none_and_what_is_one_is_canonical(text: str) -> None:
    key = parse_id("n", text)
    assert key is None or format_id("n", key) == text


@pytest.mark.parametrize("text", ["", "n", "n000000000000", "g0000000000000", "n000000000000u", "nzzzzzzzzzzzzz"])
def test_near_ids_are_refused(text: str) -> None:
    assert parse_id("n", text) is None


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_ids_made_in_columns_equal_ids_made_one_by_one(keys: list[int]) -> None:
    expected = [format_id("n", key) for key in keys]
    assert format_ids("n", np.array(keys, np.int64)).to_pylist() == expected
