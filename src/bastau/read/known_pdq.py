"""PDQ hashes: exact search for all listed ones within a Hamming distance, and video as sequences of them.

256 bits are cut into 16 chunks of 16. Two hashes at distance 31 or less differ by at most one bit in some chunk,
so a look-up reads the 17 buckets of each chunk that are equal or one bit away, and compares only what lies there:
about 1 in 250 of a million hashes, and none is missed.

Reference: Norouzi, Punjani, Fleet 2012, "Fast search in Hamming space with multi-index hashing", section 3;
"The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019 (threshold 31, quality 50).
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import utf8_buffers

MAX_DISTANCE = 31
MIN_QUALITY = 50
"""PDQ of images of lower quality (too little detail) means nothing and is neither listed nor looked up."""
_CHUNKS = 16
_BUCKETS = 1 << 16
_SMALL = 4096
"""Below this many hashes comparing all is as fast, and needs no index."""


@nb.njit(nogil=True, cache=True, inline="always")
def _ones(x):  # type: ignore[no-untyped-def]
    """Return the number of set bits of a uint64; LLVM makes one instruction of it."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@nb.njit(nogil=True, cache=True)
def _fill_buckets(chunks, starts, order):  # type: ignore[no-untyped-def]
    n = len(chunks)
    for c in range(_CHUNKS):
        for i in range(n):
            starts[c, np.int64(chunks[i, c]) + 1] += 1
        for b in range(_BUCKETS):
            starts[c, b + 1] += starts[c, b]
        free = starts[c, :_BUCKETS].copy()
        for i in range(n):
            bucket = np.int64(chunks[i, c])
            order[c, free[bucket]] = i
            free[bucket] += 1


@nb.njit(nogil=True, cache=True)
def _search(queries, query_chunks, words, starts, order, distance):  # type: ignore[no-untyped-def]
    room = 64
    out = np.empty((room, 3), np.int64)
    n = 0
    seen = np.full(len(words), -1, np.int32)
    for q in range(len(queries)):
        a, b, c, d = queries[q, 0], queries[q, 1], queries[q, 2], queries[q, 3]
        for chunk in range(_CHUNKS if len(order) else 1):
            value = np.int64(query_chunks[q, chunk])
            for flip in range(17 if len(order) else 1):
                if len(order):
                    bucket = value if flip == 16 else value ^ (1 << flip)
                    first, last = np.int64(starts[chunk, bucket]), np.int64(starts[chunk, bucket + 1])
                else:
                    first, last = np.int64(0), np.int64(len(words))
                for k in range(first, last):
                    i = np.int64(order[chunk, k]) if len(order) else k
                    apart = _ones(a ^ words[i, 0]) + _ones(b ^ words[i, 1])
                    if apart > distance:
                        continue
                    apart += _ones(c ^ words[i, 2]) + _ones(d ^ words[i, 3])
                    if apart > distance or seen[i] == q:
                        continue
                    seen[i] = q
                    if n == room:
                        wider = np.empty((2 * room, 3), np.int64)
                        wider[:room] = out
                        out = wider
                        room *= 2
                    out[n, 0], out[n, 1], out[n, 2] = q, i, apart
                    n += 1
    return out[:n].copy()


@dataclass(frozen=True)
class PdqIndex:
    """Listed hashes, ready for search.

    Args:
        words: uint64 (n, 4): the hashes.
        starts: uint32 (16, 65537): where in ``order`` each bucket of each chunk begins; empty for short lists.
        order: uint32 (16, n): hashes by bucket; empty for short lists.
    """

    words: np.ndarray
    starts: np.ndarray
    order: np.ndarray

    @classmethod
    def build(cls, hashes: np.ndarray) -> "PdqIndex":
        """Index ``hashes``, uint8 (n, 32) as :func:`parse_pdq` gives them: 68 bytes a hash."""
        hashes = np.ascontiguousarray(hashes)
        n = len(hashes)
        words = hashes.view(np.uint64).reshape(n, 4)
        if n < _SMALL:
            return cls(words, np.zeros((0, 0), np.uint32), np.zeros((0, 0), np.uint32))
        starts, order = np.zeros((_CHUNKS, _BUCKETS + 1), np.uint32), np.empty((_CHUNKS, n), np.uint32)
        _fill_buckets(hashes.view(np.uint16).reshape(n, _CHUNKS), starts, order)
        return cls(words, starts, order)

    def search(self, hashes: np.ndarray, distance: int = MAX_DISTANCE) -> np.ndarray:
        """Return (query, listed hash, Hamming distance) of every pair within ``distance``, int64 (m, 3).

        Args:
            hashes: uint8 (q, 32).
            distance: at most :data:`MAX_DISTANCE`.
        """
        if not len(self.words) or not len(hashes):
            return np.empty((0, 3), np.int64)
        hashes = np.ascontiguousarray(hashes)
        n = len(hashes)
        found = _search(
            hashes.view(np.uint64).reshape(n, 4),
            hashes.view(np.uint16).reshape(n, _CHUNKS),
            self.words,
            self.starts,
            self.order,
            min(distance, MAX_DISTANCE),
        )
        return found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]


@nb.njit(nogil=True, cache=True)
def _parse_hex(offsets, data, out, valid):  # type: ignore[no-untyped-def]
    for row in range(len(offsets) - 1):
        start = offsets[row]
        valid[row] = offsets[row + 1] - start == 64
        if not valid[row]:
            continue
        for k in range(64):
            b = data[start + k]
            if 48 <= b <= 57:
                digit = b - 48
            elif 97 <= b <= 102:
                digit = b - 87
            elif 65 <= b <= 70:
                digit = b - 55
            else:
                valid[row] = False
                break
            if k & 1:
                out[row, k >> 1] |= digit
            else:
                out[row, k >> 1] = digit << 4


def parse_pdq(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (hashes uint8 (n, 32), which of them are one, bool (n,)) of hexadecimal strings."""
    offsets, data = utf8_buffers(column)
    out, valid = np.zeros((len(offsets) - 1, 32), np.uint8), np.zeros(len(offsets) - 1, np.bool_)
    _parse_hex(offsets, data, out, valid)
    return out, valid


# ---- video ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Video:
    """The frame hashes of one video, those of sufficient quality.

    Args:
        hashes: uint8 (n, 32).
        seconds: float64 (n,): when in the video.
    """

    hashes: np.ndarray
    seconds: np.ndarray


def parse_vpdq(text: str) -> Video:
    """Read a vPDQ hash file: a line a frame, ``number,quality,hash,second``; frames below MIN_QUALITY are left out.

    Raises:
        ValueError: a line is none; names it.
    """
    seconds, digests = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = line.strip().split(",")
        try:
            _, quality, digest, second = parts
            if len(digest) != 64:
                raise ValueError
            raw = bytes.fromhex(digest)
            if int(quality) >= MIN_QUALITY:
                seconds.append(float(second))
                digests.append(raw)
        except ValueError as error:
            raise ValueError(f"line {number} is no frame: number,quality,hash,second") from error
    return Video(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), np.array(seconds, np.float64))


def format_vpdq(frames: list[tuple[int, int, bytes, float]]) -> str:
    """Return the vPDQ hash file of (number, quality, hash, second) of each frame."""
    return "".join(f"{number},{quality},{digest.hex()},{second:.3f}\n" for number, quality, digest, second in frames)


def shared_frames(a: Video, b: Video, distance: int = MAX_DISTANCE) -> tuple[float, float]:
    """Return the share of the frames of ``a`` found in ``b``, and of those of ``b`` found in ``a``; 0 without frames."""
    if not len(a.hashes) or not len(b.hashes):
        return 0.0, 0.0
    pairs = PdqIndex.build(b.hashes).search(a.hashes, distance)
    return len(np.unique(pairs[:, 0])) / len(a.hashes), len(np.unique(pairs[:, 1])) / len(b.hashes)
