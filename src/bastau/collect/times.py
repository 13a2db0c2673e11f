"""Times as files write them -> microseconds since 1970 UTC, by a kernel over the Arrow buffer."""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import utf8_buffers

BAD = np.iinfo(np.int64).min
"""What :func:`parse_times` gives for a value that is no time."""

_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@nb.njit(nogil=True, cache=True)
def _digits(data, start, end):  # type: ignore[no-untyped-def]
    value = np.int64(0)
    if start >= end:
        return np.int64(-1)
    for i in range(start, end):
        if data[i] < 48 or data[i] > 57:
            return np.int64(-1)
        value = value * 10 + np.int64(data[i] - 48)
    return value


@nb.njit(nogil=True, cache=True)
def _epoch_day(year, month, day):  # type: ignore[no-untyped-def]
    # Days from civil (Hinnant, chrono-compatible low-level date algorithms, section days_from_civil).
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


@nb.njit(nogil=True, cache=True)
def _number(data, start, end):  # type: ignore[no-untyped-def]
    dot = end
    for i in range(start, end):
        if data[i] == 46:
            dot = i
            break
    whole = _digits(data, start, dot)
    if whole < 0 or dot - start < 9 or dot - start > 16:
        return BAD
    scale = 1_000_000 if dot - start <= 11 else 1000 if dot - start <= 14 else 1
    value = whole * scale
    if dot < end:
        step = scale // 10
        for i in range(dot + 1, end):
            if data[i] < 48 or data[i] > 57:
                return BAD
            value += np.int64(data[i] - 48) * step
            step //= 10
    return value


@nb.njit(nogil=True, cache=True)
def _time(data, start, end, dates):  # type: ignore[no-untyped-def]
    while start < end and data[start] <= 32:
        start += 1
    while end > start and data[end - 1] <= 32:
        end -= 1
    n = end - start
    if n < 9:
        return BAD
    if data[start + 4] != 45:
        return _number(data, start, end)
    if n < 10 or data[start + 7] != 45:
        return BAD
    year = _digits(data, start, start + 4)
    month = _digits(data, start + 5, start + 7)
    day = _digits(data, start + 8, start + 10)
    if year < 1 or month < 1 or month > 12 or day < 1:
        return BAD
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS[month - 1] + (1 if leap and month == 2 else 0):
        return BAD
    midnight = _epoch_day(year, month, day) * 86_400_000_000
    if n == 10:
        return midnight if dates else BAD
    mark = data[start + 10]
    if n < 16 or mark not in (84, 116, 32) or data[start + 13] != 58:
        return BAD
    hour = _digits(data, start + 11, start + 13)
    minute = _digits(data, start + 14, start + 16)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return BAD
    micros = np.int64(0)
    second = np.int64(0)
    i = start + 16
    if i < end and data[i] == 58:
        second = _digits(data, i + 1, min(i + 3, end))
        if i + 3 > end or second < 0 or second > 60:
            return BAD
        second = (
            np.int64(59) if second == 60 else second
        )  # RFC 3339 allows a leap second; Unix time has no place for it
        i += 3
        if i < end and (data[i] == 46 or data[i] == 44):
            i += 1
            first = i
            step = 100_000
            while i < end and 48 <= data[i] <= 57:
                micros += np.int64(data[i] - 48) * step
                step //= 10
                i += 1
            if i == first:
                return BAD
    if i < end and data[i] == 32:
        i += 1
    shift = np.int64(0)
    if i < end and (data[i] == 90 or data[i] == 122):
        i += 1
    elif end - i == 3 and data[i] == 85 and data[i + 1] == 84 and data[i + 2] == 67:  # "UTC"
        i = end
    elif i < end and (data[i] == 43 or data[i] == 45):
        sign = 1 if data[i] == 43 else -1
        hours = _digits(data, i + 1, min(i + 3, end))
        i += 3
        if i < end and data[i] == 58:
            i += 1
        minutes = np.int64(0)
        if i < end:
            minutes = _digits(data, i, min(i + 2, end))
            i += 2
        if hours < 0 or hours > 23 or minutes < 0 or minutes > 59 or i > end:
            return BAD
        shift = sign * (hours * 60 + minutes) * 60_000_000
    if i != end:
        return BAD
    return midnight + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - shift


@nb.njit(nogil=True, cache=True)
def _times(offsets, data, dates, out):  # type: ignore[no-untyped-def]
    for row in range(len(out)):
        out[row] = _time(data, offsets[row], offsets[row + 1], dates)


def parse_times(column: pa.Array | pa.ChunkedArray, *, dates: bool = False) -> np.ndarray:
    """Return int64 (n,) microseconds since 1970 UTC, :data:`BAD` where a value is no time.

    Accepts RFC 3339; the same with a blank for ``T``, without seconds or without a zone (taken as UTC); and
    Unix seconds (9 to 11 digits), milliseconds (12 to 14) or microseconds (15 or 16).

    Args:
        column: strings (n,).
        dates: also take ``YYYY-MM-DD``, as midnight UTC; only for formats that know nothing finer.

    Reference: RFC 3339, section 5.6.
    """
    offsets, data = utf8_buffers(column)
    out = np.empty(len(offsets) - 1, np.int64)
    _times(offsets, data, dates, out)
    return out
