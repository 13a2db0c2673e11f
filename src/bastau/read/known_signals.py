"""Kinds of signal that lists carry, and what a valid value of each looks like."""

import re

import pyarrow as pa

from bastau.listed_urls import listed_expressions
from bastau.read.fold import fold_strings
from bastau.read.known_pdq import parse_vpdq

SIGNALS = ("sha256", "md5", "pdq", "url", "url_sha256", "text", "vpdq")
"""``sha256``, ``md5``: of a media file's bytes; ``pdq``: of a picture; ``url``: an address; ``url_sha256``: the SHA-256 of a
Safe Browsing expression; ``text``: words; ``vpdq``: the frames of a video, ``number,quality,hash,second`` by ``;``."""
ALIASES = {
    "sha-256": "sha256",
    "video_sha256": "sha256",
    "photo_sha256": "sha256",
    "photo_md5": "md5",
    "video_md5": "md5",
    "vmd5": "md5",
    "pdqhash": "pdq",
    "photo_pdq": "pdq",
    "video_vpdq": "vpdq",
    "link": "url",
    "uri": "url",
    "domain": "url",
    "raw_text": "text",
}
"""Names that other programmes give to the same signals."""
MIN_TEXT_CHARS = 24
"""A listed text needs this many letters and digits: shorter ones are phrases that anybody may write."""
MAX_TEXT_BYTES = 1 << 20
_HEX_DIGITS = {"sha256": 64, "md5": 32, "pdq": 64, "url_sha256": 64}
_HEX = re.compile(r"[0-9a-f]+")
# PDQ sets half of the bits; far from half is the hash of a plain picture, which all plain pictures share.
_PDQ_BITS = range(64, 193)


def signal_name(name: str) -> str | None:
    """Return our name of a signal, or None if we have none for it."""
    lowered = name.strip().lower()
    lowered = ALIASES.get(lowered, lowered)
    return lowered if lowered in SIGNALS else None


def checked_value(signal: str, value: str) -> tuple[str, str | None]:
    """Return (value as stored, None), or (value, why it is rejected): a short code."""
    value = value.strip()
    if signal in _HEX_DIGITS:
        value = value.lower()
        if len(value) != _HEX_DIGITS[signal] or not _HEX.fullmatch(value):
            return value, f"bad_{signal}"
        if signal == "pdq" and int(value, 16).bit_count() not in _PDQ_BITS:
            return value, "plain_picture"
        return value, "empty_file" if value in _EMPTY_FILES else None
    if signal == "url":
        return value, listed_expressions(value)[1]
    if signal == "vpdq":
        value = value.replace("\n", ";").strip(";")
        try:
            return value, None if len(parse_vpdq(value.replace(";", "\n")).hashes) else "plain_picture"
        except ValueError:
            return value, "bad_vpdq"
    if len(value.encode()) > MAX_TEXT_BYTES:
        return value, "too_long"
    _, _, n_chars = fold_strings(pa.array([value]))
    return value, "too_short" if n_chars[0] < MIN_TEXT_CHARS else None


# Hashes of no bytes at all turn up in real lists, and would match every failed download.
_EMPTY_FILES = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)
