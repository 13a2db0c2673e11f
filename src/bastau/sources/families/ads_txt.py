"""The sellers that a site's ads.txt names. Anybody may put anything there, so everything is bounded.

Reference: IAB Tech Lab, ads.txt specification 1.1 (2022), sections 3.2 to 3.5.
"""

import re
from dataclasses import dataclass

from bastau.sources.families.names import host_of, site_of

MAX_CHARS = 1 << 20
MAX_LINES = 10_000
"""More is not read. The longest files of big publishers have about 3,000 lines."""
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
"""No ``@``: an e-mail address in the place of an account is a person's, and is not kept."""
_VARIABLE = re.compile(r"(OWNERDOMAIN|MANAGERDOMAIN)\s*=\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Sellers:
    """What one ads.txt says: own accounts as ``system|account``, the owner's site, and what was left out."""

    direct: frozenset[str]
    owner: str | None
    n_reseller: int
    n_bad: int
    is_cut: bool


def read_ads_txt(text: str) -> Sellers:
    """Return the DIRECT sellers of ``text``; lines that fit no form are counted.

    RESELLER lines name whom others sell through, never the owner.
    """
    is_cut = len(text) > MAX_CHARS
    lines = re.split(r"\r\n|\r|\n", text[:MAX_CHARS], maxsplit=MAX_LINES)
    if len(lines) > MAX_LINES:
        is_cut = True
        lines.pop()
    if is_cut:
        lines = lines[:-1] or lines  # the last may be half a line
    if re.search(r"<(?:html|head|body|!doctype)", text[:2048], re.IGNORECASE):
        return Sellers(frozenset(), None, 0, 1, is_cut)  # a page that says "not found" with status 200
    direct: set[str] = set()
    owner, n_reseller, n_bad = None, 0, 0
    for line in lines:
        words = line.split("#", 1)[0].strip().lstrip("\ufeff")
        if not words:
            continue
        variable = _VARIABLE.fullmatch(words)
        if variable:
            if variable[1].upper() == "OWNERDOMAIN":
                owner = site_of(variable[2].strip()) or owner
            continue
        if re.fullmatch(r"[A-Za-z]+\s*=.*", words):
            continue
        fields = [field.strip() for field in words.split(",")]
        relation = fields[2].upper() if len(fields) >= 3 else ""
        is_read = relation in ("DIRECT", "RESELLER") and len(fields[0]) <= 253 and _ACCOUNT.fullmatch(fields[1])
        system = host_of(fields[0]) if is_read else None
        if system is None:
            n_bad += 1
        elif relation == "DIRECT":
            direct.add(f"{system}|{fields[1]}")
        else:
            n_reseller += 1
    return Sellers(frozenset(direct), owner, n_reseller, n_bad, is_cut)
