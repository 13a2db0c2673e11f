"""Where links, handles and hashtags begin and end in raw text: kernels shared by folding and link finding.

All work on UTF-8 bytes ``data[...]`` and a ``floor``: the index before which everything is already spoken
for, so that no two findings overlap.
"""

import numba as nb

from bastau.read.characters import MARK, TABLE_SIZE
from bastau.utf8 import char_at

_MAX_LABEL = 63
_MAX_LABELS = 8
_MAX_TLD = 24
_LAST_LINK_LETTER = 0x2E80
"""From here on (CJK) text follows links without a space, so such letters end a link."""


@nb.njit(nogil=True, cache=True)
def is_alnum(b):  # type: ignore[no-untyped-def]
    """Say whether byte ``b`` is an ASCII letter or digit."""
    return 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122


@nb.njit(nogil=True, cache=True)
def _ends_with(data, floor, i, word):  # type: ignore[no-untyped-def]
    """Say whether ``data[:i]`` ends with the lower-case ASCII letters ``word``, in any case, not before ``floor``."""
    start = i - len(word)
    if start < floor:
        return False
    for k in range(len(word)):  # noqa: SIM110 (numba compiles the loop, not the generator)
        if data[start + k] | 0x20 != word[k]:
            return False
    return True


_HTTPS, _HTTP, _HXXPS, _HXXP = b"https", b"http", b"hxxps", b"hxxp"
_FTP, _TG, _WWW, _RT = b"ftp", b"tg", b"www", b"rt"


@nb.njit(nogil=True, cache=True)
def link_start(data, floor, i, end):  # type: ignore[no-untyped-def]
    """Return where the link begins whose ``://``, ``www.`` or host dot is at ``i``, or -1.

    Links are: http, https, ftp, tg and defanged hxxp addresses; ``www.`` hosts; and ASCII hosts followed by a
    slash, such as ``t.me/name``.
    """
    if data[i] == 58:  # ":"
        if i + 2 >= end or data[i + 1] != 47 or data[i + 2] != 47:
            return -1
        for word in (_HTTPS, _HXXPS):
            if _ends_with(data, floor, i, word):
                return i - 5
        for word in (_HTTP, _HXXP):
            if _ends_with(data, floor, i, word):
                return i - 4
        if _ends_with(data, floor, i, _FTP):
            return i - 3
        if _ends_with(data, floor, i, _TG):
            return i - 2
        return -1
    if i + 1 >= end:
        return -1
    if _ends_with(data, floor, i, _WWW) and (i - 3 == floor or not is_alnum(data[i - 4])):
        return i - 3 if is_alnum(data[i + 1]) or data[i + 1] >= 0x80 else -1
    return _bare_host_start(data, floor, i, end)


@nb.njit(nogil=True, cache=True)
def _bare_host_start(data, floor, i, end):  # type: ignore[no-untyped-def]
    start = i
    while start > floor and (is_alnum(data[start - 1]) or data[start - 1] == 45) and i - start < _MAX_LABEL:
        start -= 1
    if start == i or data[start] == 45:
        return -1
    if start > floor and (data[start - 1] in (45, 46, 64, 95) or is_alnum(data[start - 1])):  # - . @ _
        return -1
    n_labels, label = 1, i + 1
    while True:
        k = label
        letters_only = True
        while k < end and (is_alnum(data[k]) or data[k] == 45):
            letters_only = letters_only and data[k] >= 65
            k += 1
        if k == label or data[label] == 45 or k >= end:
            return -1
        if data[k] == 47:  # "/": this label is the top-level domain
            return start if letters_only and 2 <= k - label <= _MAX_TLD else -1
        n_labels += 1
        if data[k] != 46 or k - label > _MAX_LABEL or n_labels > _MAX_LABELS:
            return -1
        label = k + 1


@nb.njit(nogil=True, cache=True)
def link_end(data, i, end, action):  # type: ignore[no-untyped-def]
    """Return where the link that contains ``data[i]`` ends, sentence punctuation after it left out.

    It ends at a space, a quote, an angle bracket, ``](``, or any non-ASCII character that is no letter or
    mark; closing brackets belong to it when it opened them.
    """
    rounds = squares = 0
    while i < end:
        b = data[i]
        if b >= 0x80:
            cp, after = char_at(data, i, end)
            if cp >= _LAST_LINK_LETTER or not (action[cp] > 0 or action[cp] <= MARK):
                break
            i = after
            continue
        if b <= 32 or b == 127 or b in (34, 60, 62, 92, 94, 96, 123, 124, 125):  # " < > \ ^ ` { | }
            break
        if b == 93 and i + 1 < end and data[i + 1] == 40:  # "]("
            break
        rounds += (b == 40) - (b == 41)
        squares += (b == 91) - (b == 93)
        i += 1
    while True:
        b = data[i - 1]
        if b == 41 and rounds < 0:
            rounds += 1
        elif b == 93 and squares < 0:
            squares += 1
        elif b not in (33, 39, 42, 44, 46, 58, 59, 63, 126):  # ! ' * , . : ; ? ~
            return i
        i -= 1


@nb.njit(nogil=True, cache=True)
def handle_end(data, i, end):  # type: ignore[no-untyped-def]
    """Return where the handle after the ``@`` at ``i`` ends; ``i + 1`` when there is none.

    ``@name``, ``@p~pseudonym``, ``@name.bsky.social``, ``@name@instance.tld``.
    """
    k = i + 1
    while k < end and (is_alnum(data[k]) or data[k] in (95, 126)):  # _ ~
        k += 1
    if k == i + 1:
        return k
    while k + 1 < end and data[k] == 46 and (48 <= data[k + 1] <= 57 or 97 <= data[k + 1] <= 122):
        k += 2
        while k < end and (is_alnum(data[k]) or data[k] in (45, 95)):
            k += 1
    if k < end and data[k] == 64:
        host, dots = k + 1, 0
        stop = host
        while host < end:
            label = host
            while host < end and (is_alnum(data[host]) or data[host] == 45):
                host += 1
            if host == label:
                break
            stop = host
            if host + 1 >= end or data[host] != 46 or not (is_alnum(data[host + 1]) or data[host + 1] == 45):
                break
            dots += 1
            host += 1
        if dots > 0:
            k = stop
    return k


@nb.njit(nogil=True, cache=True)
def repost_mark_start(data, floor, i):  # type: ignore[no-untyped-def]
    """Return where the ``RT`` before the handle at ``i`` begins (``RT @name``), or -1."""
    k = i
    while k > floor and data[k - 1] == 32:
        k -= 1
    if k == i or not _ends_with(data, floor, k, _RT):
        return -1
    if k - 2 > floor and (is_alnum(data[k - 3]) or data[k - 3] >= 0x80):
        return -1
    return k - 2


@nb.njit(nogil=True, cache=True)
def extends_word(cp, action):  # type: ignore[no-untyped-def]
    """Say whether a character is part of a word: folds to a letter or digit, or marks one."""
    return cp < TABLE_SIZE and (action[cp] > 0 or action[cp] <= MARK)
