"""Answers in the form of Meta's Hasher-Matcher-Actioner, for programs that speak to it already.

A bank is one of our lists, or the published shield list; what a negative bank holds back is left out. Bank contents have numbers there, so
an entry gets one made from its id: 53 bits, exact in every language. Not there: hashing what an address leads to, banks and contents by
number, the coin flip (``seed``), indices.

Reference: github.com/facebook/ThreatExchange, hasher-matcher-actioner, OpenMediaMatch/blueprints/matching.py (2025).
"""

from typing import Any

from bastau.hashing import hash_string

SIGNALS = {"pdq": "pdq", "video_md5": "md5", "md5": "md5", "sha256": "sha256", "url": "url"}
"""Their names of signals, and ours."""


def by_bank(answer: dict[str, Any], wanted: set[str] | None) -> dict[str, list[dict[str, Any]]]:
    """Return a UrlAnswer or HashAnswer as matches by bank; ``wanted``: names of banks, None for all."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in answer["known"]:
        if one["gate"] is None:
            found.setdefault(one["list"], []).append(_match(one["list"], one["entry"], one["distance"]))
    shield = answer["shield"]
    for one in shield["entries"] if shield else ():
        found.setdefault(shield["list"], []).append(_match(shield["list"], one["entry_id"], one["distance"]))
    return {bank: matches for bank, matches in found.items() if wanted is None or bank in wanted}


def _match(bank: str, entry: str, distance: float | None) -> dict[str, Any]:
    number = hash_string(f"{bank}\n{entry}") & (1 << 53) - 1
    return {"bank_content_id": number, "distance": str(int(distance or 0)), "entry": entry}
