"""Numba kernels of the claim index: scores over postings, the best of them, and features of candidates."""

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)
def add_weighted(starts, docs, weights, terms, factors, out):  # type: ignore[no-untyped-def]
    """Add to ``out[doc]`` the weight of each posting of ``terms`` (rows of CSR) times the term's factor."""
    for i in range(len(terms)):
        t, f = terms[i], factors[i]
        for k in range(starts[t], starts[t + 1]):
            out[docs[k]] += weights[k] * f


@nb.njit(nogil=True, cache=True)
def add_plain(starts, docs, terms, factors, out):  # type: ignore[no-untyped-def]
    """Add each term's factor to ``out[doc]`` for every document that has it."""
    for i in range(len(terms)):
        t, f = terms[i], factors[i]
        for k in range(starts[t], starts[t + 1]):
            out[docs[k]] += f


@nb.njit(nogil=True, cache=True)
def add_products(vectors, factors, vector, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` the product of each row of int8 ``vectors``, times its factor, with int16 ``vector``."""
    n, width = vectors.shape
    for i in range(n):
        total = np.int32(0)
        for k in range(width):
            total += np.int32(vectors[i, k]) * np.int32(vector[k])
        out[i] += total * factors[i]


@nb.njit(nogil=True, cache=True)
def top_k(scores, k):  # type: ignore[no-untyped-def]
    """Return the indexes of the ``k`` highest scores above 0, best first; among equals the lower index first."""
    heap_s = np.empty(k, np.float32)
    heap_i = np.empty(k, np.int64)
    n = 0
    for i in range(len(scores)):
        s = scores[i]
        if s <= 0 or (n == k and s <= heap_s[0]):
            continue
        if n < k:
            c = n
            n += 1
            while c and (heap_s[(c - 1) >> 1] > s or (heap_s[(c - 1) >> 1] == s and heap_i[(c - 1) >> 1] < i)):
                heap_s[c], heap_i[c] = heap_s[(c - 1) >> 1], heap_i[(c - 1) >> 1]
                c = (c - 1) >> 1
            heap_s[c], heap_i[c] = s, i
            continue
        c = 0
        while True:
            child = 2 * c + 1
            if child >= n:
                break
            r = child + 1
            if r < n and (heap_s[r] < heap_s[child] or (heap_s[r] == heap_s[child] and heap_i[r] > heap_i[child])):
                child = r
            if heap_s[child] > s or (heap_s[child] == s and heap_i[child] < i):
                break
            heap_s[c], heap_i[c] = heap_s[child], heap_i[child]
            c = child
        heap_s[c], heap_i[c] = s, i
    found_s, found_i = heap_s[:n], heap_i[:n]
    order = np.argsort(found_i, kind="mergesort")
    order = order[np.argsort(-found_s[order], kind="mergesort")]
    return found_i[order]


@nb.njit(nogil=True, cache=True)
def compare_words(starts, terms, flags, idf, query, query_flags, in_query, candidates, out):  # type: ignore[no-untyped-def]
    """Fill ``out[c]`` with how the words of each candidate and of the post cover each other.

    ``query`` holds the post's terms in order (-1: in no claim); ``in_query`` int32 (terms,), zero, is scratch and is left
    zero. Columns of ``out``, all shares weighed by ``idf`` unless said otherwise: 0 of the claim's text found in the post, 1 of
    the post found in text or title, 2 of the title found in the post, 3 of the claim's names found, 4 of the post's names
    found, 5 of the claim's numbers found (counts), 6 numbers of the claim that the post lacks (count), 7 longest run of
    words in the same order (count), 8 its weight, 9 weight of all shared words, 10 words of the text, 11 words of the title, 12
    highest share of the claim's text that one window of the post, 1.5 times as long, covers, 13 names of the claim.
    """
    n = len(query)
    for j in range(n):
        if query[j] >= 0:
            in_query[query[j]] = j + 1
    query_total = np.float32(0)
    query_names = np.float32(0)
    for j in range(n):
        if query[j] >= 0 and in_query[query[j]] == j + 1:
            query_total += idf[query[j]]
            if query_flags[j] & 1:
                query_names += idf[query[j]]
    seen = np.zeros(n + 1, np.int32)
    run = np.zeros(n + 1, np.int32)
    run_next = np.zeros(n + 1, np.int32)
    for c in range(len(candidates)):
        doc = candidates[c]
        a, b = starts[doc], starts[doc + 1]
        text = title = text_hit = title_hit = np.float32(0)
        names = names_hit = shared = shared_names = np.float32(0)
        n_text = n_title = n_numbers = n_numbers_hit = n_names = 0
        longest, longest_weight = 0, np.float32(0)
        run[:] = 0
        for k in range(a, b):
            t, f = terms[k], flags[k]
            w = idf[t]
            at = in_query[t]
            if f & 4:
                n_title += 1
                title += w
                if at:
                    title_hit += w
            else:
                n_text += 1
                text += w
                if at:
                    text_hit += w
            if f & 1:
                n_names += 1
                names += w
                if at:
                    names_hit += w
            if f & 2:
                n_numbers += 1
                if at:
                    n_numbers_hit += 1
            if at and seen[at] != c + 1:
                seen[at] = c + 1
                shared += w
                if query_flags[at - 1] & 1:
                    shared_names += w
            # runs of the same words in the same order
            run_next[0] = 0
            if at:
                for j in range(n):
                    if query[j] == t:
                        length = run[j] + 1
                        run_next[j + 1] = length
                        if length > longest:
                            longest = length
                            weight = np.float32(0)
                            for m in range(length):
                                weight += idf[query[j - m]]
                            longest_weight = weight
                    else:
                        run_next[j + 1] = 0
                run[:] = run_next
            else:
                run[:] = 0
        out[c, 0] = text_hit / text if text > 0 else 0
        out[c, 1] = shared / query_total if query_total > 0 else 0
        out[c, 2] = title_hit / title if title > 0 else -1
        out[c, 3] = names_hit / names if names > 0 else -1
        out[c, 4] = shared_names / query_names if query_names > 0 else -1
        out[c, 5] = n_numbers_hit / n_numbers if n_numbers else -1
        out[c, 6] = n_numbers - n_numbers_hit
        out[c, 7] = longest
        out[c, 8] = longest_weight
        out[c, 9] = shared
        out[c, 10] = n_text
        out[c, 11] = n_title
        out[c, 12] = _best_window(terms, flags, a, b, idf, query, n_text, text)
        out[c, 13] = n_names
    for j in range(n):
        if query[j] >= 0:
            in_query[query[j]] = 0


@nb.njit(nogil=True, cache=True)
def _best_window(terms, flags, a, b, idf, query, n_text, total):  # type: ignore[no-untyped-def]
    """Return the highest share of the claim's weight that a stretch of the post, 1.5 times as long as the claim, holds."""
    n = len(query)
    if total <= 0 or n == 0:
        return np.float32(0)
    width = max(8, (3 * n_text) // 2)
    gain = np.zeros(n, np.float32)
    any_gain = False
    for k in range(a, min(b, a + 64)):
        if flags[k] & 4:
            continue
        for j in range(n):
            if query[j] == terms[k]:
                gain[j] += idf[terms[k]]
                any_gain = True
    if not any_gain:
        return np.float32(0)
    best = np.float32(0)
    # each word of the post counts once in a window; repeats inside a window count once
    for first in range(0, n, max(1, width // 4)):
        got = np.float32(0)
        for j in range(first, min(n, first + width)):
            if gain[j] > 0:
                again = False
                for i in range(first, j):
                    if query[i] == query[j]:
                        again = True
                        break
                if not again:
                    got += gain[j]
        best = max(best, got)
        if first + width >= n:
            break
    return min(np.float32(1), best / total)


@nb.njit(nogil=True, cache=True)
def compare_neutral(starts, terms, idf, query, is_hit, candidates, out):  # type: ignore[no-untyped-def]
    """Fill ``out[c]`` with the shares, by ``idf``, of the claim's neutral forms found in the post, and the other way round.

    ``query`` holds distinct terms; ``is_hit`` uint8 (terms,) is zeroed scratch and is left zero. Column 2 is the weight of what is shared, 3 its count.
    """
    total = np.float32(0)
    for j in range(len(query)):
        is_hit[query[j]] = 1
        total += idf[query[j]]
    for c in range(len(candidates)):
        doc = candidates[c]
        own = hit = np.float32(0)
        n = 0
        for k in range(starts[doc], starts[doc + 1]):
            w = idf[terms[k]]
            own += w
            if is_hit[terms[k]]:
                hit += w
                n += 1
        out[c, 0] = hit / own if own > 0 else 0
        out[c, 1] = hit / total if total > 0 else 0
        out[c, 2] = hit
        out[c, 3] = n
    for j in range(len(query)):
        is_hit[query[j]] = 0


@nb.njit(nogil=True, cache=True)
def sum_trees(x, starts, features, limits, lefts, rights, missing_left, values, out):  # type: ignore[no-untyped-def]
    """Add to ``out[row]`` the leaf values of every tree.

    Nodes of tree t are ``starts[t]:starts[t + 1]``; a node with ``features`` -1 is a leaf. ``lefts`` and ``rights`` count from the
    first node of the tree. A row goes left where its feature is at most the limit, or is NaN and ``missing_left`` is set.
    """
    for row in range(len(x)):
        total = 0.0
        for t in range(len(starts) - 1):
            base = starts[t]
            node = 0
            while features[base + node] >= 0:
                v = x[row, features[base + node]]
                go_left = missing_left[base + node] == 1 if np.isnan(v) else v <= limits[base + node]
                node = lefts[base + node] if go_left else rights[base + node]
            total += values[base + node]
        out[row] += total
