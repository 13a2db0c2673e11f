import random

import numpy as np
import pyarrow as pa
import pytest

from bastau.read.known_pdq import MAX_DISTANCE, PdqIndex, format_vpdq, parse_pdq, parse_vpdq, shared_frames


def random_hashes(n, seed):
    return np.random.default_rng(seed).integers(0, 256, (n, 32), dtype=np.uint8)


def flipped(digest, n_bits, seed):
    out = digest.copy()
    for bit in random.Random(seed).sample(range(256), n_bits):
        out[bit >> 3] ^= 1 << (bit & 7)
    return out


def all_compared(queries, listed, distance):
    """Return the same pairs as the index, by comparing all."""
    apart = np.bitwise_count(queries[:, None] ^ listed[None]).sum(-1)
    return {(int(q), int(i), int(apart[q, i])) for q, i in zip(*np.nonzero(apart <= distance), strict=True)}


@pytest.mark.parametrize("n", [1, 100, 5000])  # the last has an index
def test_the_search_finds_what_comparing_all_finds(n):
    listed = random_hashes(n, 1)
    queries = np.stack([flipped(listed[(k * 7) % n], k % 40, k) for k in range(200)])
    got = {tuple(row) for row in PdqIndex.build(listed).search(queries).tolist()}
    assert got == all_compared(queries, listed, MAX_DISTANCE)


def test_the_last_bit_of_distance_counts():
    listed = random_hashes(6000, 2)
    index = PdqIndex.build(listed)
    # Two bits in each chunk but one: the arrangement that leaves the index least to find it by.
    spread = listed[10].copy()
    for chunk in range(16):
        for bit in (0, 9) if chunk else (3,):
            spread[chunk * 2 + (bit >> 3)] ^= 1 << (bit & 7)
    assert index.search(spread[None]).tolist() == [[0, 10, 31]]
    assert not len(index.search(spread[None], distance=30))
    spread[0] ^= 1 << 5
    assert not len(index.search(spread[None]))


def test_nothing_listed_and_nothing_asked_give_nothing():
    assert PdqIndex.build(random_hashes(0, 1)).search(random_hashes(3, 1)).shape == (0, 3)
    assert PdqIndex.build(random_hashes(5, 1)).search(random_hashes(0, 1)).shape == (0, 3)


def test_hashes_are_read_from_hexadecimal_and_junk_is_told():
    hashes, valid = parse_pdq(pa.array(["0F" * 32, "a" * 64, None, "", "g" * 64, "a" * 63, "ә" * 32]))
    assert valid.tolist() == [True, True, False, False, False, False, False]
    assert hashes[0].tobytes() == bytes.fromhex("0f" * 32)


def video(digests, start=0):
    return parse_vpdq(
        format_vpdq([(start + k, 90, digest.tobytes(), float(start + k)) for k, digest in enumerate(digests)])
    )


def test_a_clip_is_found_in_a_longer_film_and_the_film_by_the_clip():
    film = random_hashes(50, 3)
    clip = np.stack([flipped(digest, 20, k) for k, digest in enumerate(film[10:20])])
    assert shared_frames(video(clip), video(film)) == (1.0, 0.2)
    assert shared_frames(video(random_hashes(10, 4)), video(film)) == (0.0, 0.0)


def test_frames_of_low_quality_are_left_out():
    digest = "ab" * 32
    assert len(parse_vpdq(f"0,49,{digest},0.0\n1,50,{digest},1.0\n\n").hashes) == 1
    assert shared_frames(parse_vpdq(f"0,10,{digest},0.0"), parse_vpdq(f"0,90,{digest},0.0")) == (0.0, 0.0)


@pytest.mark.parametrize(
    "line", ["", "0,90", "x,y,z,t", "0,90,abc,0.0", f"0,high,{'a' * 64},0.0", f"0,90,{'g' * 64},0"]
)
def test_a_broken_line_is_named(line):
    text = f"0,90,{'a' * 64},0.0\n{line}\n"
    if not line:
        assert len(parse_vpdq(text).hashes) == 1
    else:
        with pytest.raises(ValueError, match="line 2"):
            parse_vpdq(text)
