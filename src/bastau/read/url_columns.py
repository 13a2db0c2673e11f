"""Canonical addresses of a whole column: the plain ones, which most are, in a kernel; the rest one by one."""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.hashing import xxh64
from bastau.read.addresses import is_alnum
from bastau.tables import strings_from_buffers, utf8_buffers
from bastau.urls import MAX_LENGTH, canonical_host, canonical_url

_PLAIN, _POSTS, _RULES = 0, 1, 2
# Hosts where a post's path is written in any case, and those whose pages have rules in urls.py.
_POST_HOSTS = frozenset({"x.com", "t.me"})
_RULE_HOSTS = frozenset({"youtu.be", "youtube.com"})
_HEAD = np.frombuffer(b"https://", np.uint8)
_STATUS = np.frombuffer(b"/status/", np.uint8)
_AMP = np.frombuffer(b"/amp", np.uint8)
_NO_HOST = np.uint64(0)
_FEW = 32
"""So many addresses are made canonical one by one before a kernel is called for them."""


@nb.njit(nogil=True, cache=True)
def _starts_with(data, i, end, word):  # type: ignore[no-untyped-def]
    if i + len(word) > end:
        return False
    for k in range(len(word)):  # noqa: SIM110 (numba compiles the loop, not the generator)
        if data[i + k] != word[k]:
            return False
    return True


@nb.njit(nogil=True, cache=True)
def _find_hosts(offsets, data, lowered, hosts, keys):  # type: ignore[no-untyped-def]
    """Write [start, end) of the host of each plain address, and its hash; other addresses get no hash.

    Plain: http or https, a host, and a path of unreserved characters without empty, dot or AMP segments.
    ``lowered`` is room of the size of ``data``; it receives the hosts in lower case.
    """
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        if end - i >= MAX_LENGTH or end - i < 8:
            continue
        for k in range(8):
            lowered[i + k] = data[i + k] | 0x20 if data[i + k] >= 65 else data[i + k]
        if not _starts_with(lowered, i, end, _HEAD[:4]):
            continue
        k = i + 5 if lowered[i + 4] == 115 else i + 4
        if not _starts_with(data, k, end, _HEAD[5:]):
            continue
        start = k = k + 3
        while k < end and (is_alnum(data[k]) or data[k] in (45, 46)):
            lowered[k] = data[k] | 0x20
            k += 1
        stop = k
        while k < end:
            b = data[k]
            if b == 47:
                if k + 1 < end and data[k + 1] in (46, 47):
                    break
                if _starts_with(data, k, end, _AMP):
                    break
            elif not (is_alnum(b) or b in (45, 46, 95, 126)) or k == stop:
                break
            k += 1
        if k < end or stop == start:
            continue
        hosts[row, 0], hosts[row, 1] = start, stop
        keys[row] = xxh64(lowered, start, stop, 0)


@nb.njit(nogil=True, cache=True)
def _is_post_path(data, i, end):  # type: ignore[no-untyped-def]
    """Say whether the path is /name/123 or /name/status/123, with a name of two characters or more."""
    k = i + 1
    while k < end and (is_alnum(data[k]) or data[k] == 95):
        k += 1
    if k - i < 3:
        return False
    if _starts_with(data, k, end, _STATUS):
        k += 7
    first = k + 1
    if k >= end or data[k] != 47 or first == end:
        return False
    for d in range(first, end):  # noqa: SIM110
        if not 48 <= data[d] <= 57:
            return False
    return True


@nb.njit(nogil=True, cache=True)
def _write(offsets, data, hosts, host_of, host_kinds, host_offsets, host_data, out, out_offsets, plain):  # type: ignore[no-untyped-def]
    j = 0
    for row in range(len(offsets) - 1):
        host = host_of[row]
        if host >= 0:
            path, end = hosts[row, 1], offsets[row + 1]
            if end > path and data[end - 1] == 47:
                end -= 1
            kind = host_kinds[host]
            plain[row] = kind == _PLAIN or (kind == _POSTS and _is_post_path(data, path, end))
        if plain[row]:
            for b in _HEAD:
                out[j] = b
                j += 1
            for k in range(host_offsets[host], host_offsets[host + 1]):
                out[j] = host_data[k]
                j += 1
            for k in range(path, end):
                upper = kind == _POSTS and 65 <= data[k] <= 90
                out[j] = data[k] + 32 if upper else data[k]
                j += 1
        out_offsets[row + 1] = j
    return j


def _host_kind(host: str | None) -> int:
    if host is None or host in _RULE_HOSTS or host.startswith("google.") or host.endswith("cdn.ampproject.org"):
        return _RULES
    return _POSTS if host in _POST_HOSTS else _PLAIN


def canonical_urls(urls: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return :func:`bastau.urls.canonical_url` of each of ``urls`` (string), null where there is none."""
    if len(urls) - urls.null_count <= _FEW:
        return pa.array([None if url is None else canonical_url(url) for url in urls.to_pylist()], pa.string())
    return _column(urls)


def _column(urls: pa.Array | pa.ChunkedArray) -> pa.Array:
    offsets, data = utf8_buffers(urls)
    n = len(urls)
    hosts = np.zeros((n, 2), np.int64)
    keys = np.full(n, _NO_HOST)
    lowered = np.empty(len(data), np.uint8)
    _find_hosts(offsets, data, lowered, hosts, keys)
    distinct, first, host_of = np.unique(keys, return_index=True, return_inverse=True)
    named = [
        canonical_host(lowered[hosts[row, 0] : hosts[row, 1]].tobytes().decode()) if key != _NO_HOST else None
        for key, row in zip(distinct, first, strict=True)
    ]
    kinds = np.array([_host_kind(host) for host in named], np.int64)
    host_offsets, host_data = utf8_buffers(pa.array(named, pa.string()))
    width = max((len(host or "") for host in named), default=0) + len(_HEAD)
    out = np.empty(offsets[-1] - offsets[0] + n * width, np.uint8)
    out_offsets, plain = np.zeros(n + 1, np.int64), np.zeros(n, np.bool_)
    size = _write(offsets, data, hosts, host_of, kinds, host_offsets, host_data, out, out_offsets, plain)
    return _with_the_rest(urls, strings_from_buffers(out_offsets, out[:size].copy()), plain)


def _with_the_rest(urls: pa.Array | pa.ChunkedArray, written: pa.Array, plain: np.ndarray) -> pa.Array:
    """Return ``written`` where ``plain``, else what :func:`canonical_url` gives; each distinct address once."""
    if plain.all():
        return written
    rest = urls.filter(pa.array(~plain))
    rest = (rest.combine_chunks() if isinstance(rest, pa.ChunkedArray) else rest).dictionary_encode()
    done = pa.array([canonical_url(url) for url in rest.dictionary.to_pylist()], written.type).take(rest.indices)
    where = np.empty(len(plain), np.int64)
    where[plain] = np.flatnonzero(plain)
    where[~plain] = len(plain) + np.arange(len(done))
    return pa.concat_arrays([written, done]).take(pa.array(where))
