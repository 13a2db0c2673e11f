"""The PDQ hash of a picture, from its pixels.

Pictures larger than 512 by 512 are first sampled at every (n * size / 512)-th pixel, as the reference programme does;
without that, hashes differ in up to 8 bits from those that are exchanged.

Reference: "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019, sections on PDQ:
luminance, two-pass Jarosz filter, 64 x 64 decimation, 16 x 16 DCT, bits above the median; quality from gradients.
"""

import math

import numba as nb
import numpy as np

SIDE = 512
"""Pictures are sampled down to this many pixels a side."""
_SMALL, _DCT = 64, 16


def _cosines() -> np.ndarray:
    """Return the rows 1 to 16 of the 64-point DCT-II matrix, float32 (16, 64)."""
    scale = math.sqrt(2.0 / _SMALL)
    angle = math.pi / 2 / _SMALL
    rows = [[scale * math.cos(angle * i * (2 * j + 1)) for j in range(_SMALL)] for i in range(1, _DCT + 1)]
    return np.array(rows, np.float32)


_COSINES = _cosines()


@nb.njit(nogil=True, cache=True)
def _sampled_luma(pixels, out):  # type: ignore[no-untyped-def]
    """Write the luminance of ``pixels`` (uint8 (h, w, 1 or 3)) at each sampled place into ``out`` (float32)."""
    height, width, depth = pixels.shape
    n_rows, n_cols = out.shape
    for i in range(n_rows):
        y = i * height // n_rows
        for j in range(n_cols):
            x = j * width // n_cols
            if depth == 1:
                out[i, j] = np.float32(pixels[y, x, 0])
            else:
                out[i, j] = np.float32(0.299 * pixels[y, x, 0] + 0.587 * pixels[y, x, 1] + 0.114 * pixels[y, x, 2])


@nb.njit(nogil=True, cache=True)
def _blur_rows(given, out, window):  # type: ignore[no-untyped-def]
    """Write the running mean over ``window`` pixels along each row; shorter at both ends."""
    n_rows, n = given.shape
    half = (window + 2) // 2
    for i in range(n_rows):
        total = np.float32(0)
        count = 0
        left = right = at = 0
        for _ in range(half - 1):
            total += given[i, right]
            count += 1
            right += 1
        for _ in range(window - half + 1):
            total += given[i, right]
            count += 1
            out[i, at] = total / np.float32(count)
            right += 1
            at += 1
        for _ in range(n - window):
            total += given[i, right]
            total -= given[i, left]
            out[i, at] = total / np.float32(count)
            left += 1
            right += 1
            at += 1
        for _ in range(half - 1):
            total -= given[i, left]
            count -= 1
            out[i, at] = total / np.float32(count)
            left += 1
            at += 1


@nb.njit(nogil=True, cache=True)
def _blur_cols(given, out, window):  # type: ignore[no-untyped-def]
    """Write the running mean down each column, all columns side by side."""
    n, n_cols = given.shape
    half = (window + 2) // 2
    total = np.zeros(n_cols, np.float32)
    count = 0
    left = right = at = 0
    for _ in range(half - 1):
        total += given[right]
        count += 1
        right += 1
    for _ in range(window - half + 1):
        total += given[right]
        count += 1
        out[at] = total / np.float32(count)
        right += 1
        at += 1
    for _ in range(n - window):
        for j in range(n_cols):
            t = total[j] + given[right, j]
            t -= given[left, j]
            total[j] = t
            out[at, j] = t / np.float32(count)
        left += 1
        right += 1
        at += 1
    for _ in range(half - 1):
        total -= given[left]
        count -= 1
        out[at] = total / np.float32(count)
        left += 1
        at += 1


@nb.njit(nogil=True, cache=True)
def _small_picture(pixels):  # type: ignore[no-untyped-def]
    """Return the filtered and decimated luminance, float32 (64, 64)."""
    height, width, _ = pixels.shape
    n_rows, n_cols = height, width
    if height > SIDE or width > SIDE:
        n_rows = n_cols = SIDE
    luma = np.empty((n_rows, n_cols), np.float32)
    other = np.empty((n_rows, n_cols), np.float32)
    _sampled_luma(pixels, luma)
    along_rows = (n_cols + 2 * _SMALL - 1) // (2 * _SMALL)
    along_cols = (n_rows + 2 * _SMALL - 1) // (2 * _SMALL)
    for _ in range(2):
        _blur_rows(luma, other, along_rows)
        _blur_cols(other, luma, along_cols)
    small = np.empty((_SMALL, _SMALL), np.float32)
    for i in range(_SMALL):
        y = np.int64((i + 0.5) * n_rows / _SMALL)
        for j in range(_SMALL):
            small[i, j] = luma[y, np.int64((j + 0.5) * n_cols / _SMALL)]
    return small


@nb.njit(nogil=True, cache=True)
def _quality(small):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for i in range(_SMALL):
        for j in range(_SMALL):
            if i + 1 < _SMALL:
                total += abs(np.int64((small[i, j] - small[i + 1, j]) * np.float32(100) / np.float32(255)))
            if j + 1 < _SMALL:
                total += abs(np.int64((small[i, j] - small[i, j + 1]) * np.float32(100) / np.float32(255)))
    return min(np.int64(100), total // 90)


@nb.njit(nogil=True, cache=True)
def _frequencies(small, cosines):  # type: ignore[no-untyped-def]
    half = np.empty((_DCT, _SMALL), np.float32)
    for i in range(_DCT):
        for j in range(_SMALL):
            total = np.float32(0)
            for k in range(_SMALL):
                total += cosines[i, k] * small[k, j]
            half[i, j] = total
    out = np.empty((_DCT, _DCT), np.float32)
    for i in range(_DCT):
        for j in range(_DCT):
            total = np.float32(0)
            for k in range(_SMALL):
                total += half[i, k] * cosines[j, k]
            out[i, j] = total
    return out


def _packed(frequencies: np.ndarray) -> bytes:
    values = frequencies.reshape(-1)
    median = np.sort(values)[len(values) // 2 - 1]
    return np.packbits((values > median)[::-1]).tobytes()


def pdq_hash(pixels: np.ndarray) -> tuple[bytes, int]:
    """Return (hash, 32 bytes, quality in [0, 100]) of uint8 (height, width, 1 or 3), grey or RGB.

    The bytes are those of the usual hexadecimal form. Below quality 50 the hash says nothing.
    """
    small = _small_picture(pixels)
    return _packed(_frequencies(small, _COSINES)), int(_quality(small))


def pdq_turned(pixels: np.ndarray) -> tuple[list[bytes], int]:
    """Return (hashes of the eight turned and mirrored forms, as it is first; quality).

    In the order as it is, rotated by 90, 180 and 270 degrees counter-clockwise, mirrored upside down, mirrored left to
    right, transposed, transposed along the other diagonal. The picture is filtered once: turning it changes only
    the signs and the order of its frequencies.
    """
    small = _small_picture(pixels)
    as_is = _frequencies(small, _COSINES)
    # Mirroring negates the odd frequencies of its direction; row 0 here is frequency 1, so the even rows.
    signs = np.where(np.arange(_DCT) % 2 == 0, np.float32(-1), np.float32(1))
    upside_down, left_right = as_is * signs[:, None], as_is * signs[None, :]
    half_turn = upside_down * signs[None, :]
    transposed = as_is.T
    forms = [
        as_is,
        transposed * signs[:, None],
        half_turn,
        transposed * signs[None, :],
        upside_down,
        left_right,
        transposed,
        half_turn.T,
    ]
    return [_packed(np.ascontiguousarray(form)) for form in forms], int(_quality(small))
