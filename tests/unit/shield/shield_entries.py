"""Entries for tests: one that stands, with whatever a test changes."""

import hashlib
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from bastau.schemas import ENTRIES
from bastau.shield.source import About, make
from bastau.shield.standing import standing

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
ABOUT = About(
    "Oqshaq list", "Example Watch", "https://watch.example/appeal", "https://watch.example/policy", "CC0-1.0",
    timedelta(days=7),
)  # fmt: skip


def entry(number=1, kind="domain", value=None, **changed):
    values = {
        "url": f"https://example-{number}.kz/page/{number}",
        "host": f"h{number}.example-{number}.kz",
        "domain": f"bad-{number}.kz",
        "sha256": f"{number:064x}",
        "md5": f"{number:032x}",
        "pdq": hashlib.sha256(str(number).encode()).hexdigest(),  # bits as mixed as those of a real picture
        "text_sha256": f"{number + 7:064x}",
    }
    row = {
        "entry_id": f"e{number:013d}",
        "kind": kind,
        "value": values[kind] if value is None else value,
        "act": "incite",
        "ground_kind": "policy",
        "ground": "Policy, section 2",
        "reason": "It calls for an attack on people at a market.",
        "exemption_checked": "No report, research or art: the call stands alone.",
        "evidence_sha256": "ab" * 32,
        "released_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=30),
        "retracted_at": None,
        "retraction_reason": None,
        "n_reviewers": 2,
        "rule_version": "call-to-attack@3",
        "model_version": "",
        "data_version": "2026-08-31",
        "languages": ["kk", "ru"],
    }
    return row | changed


def table(*rows):
    return pa.Table.from_pylist(list(rows), ENTRIES)


def one_of_each():
    return [
        entry(n, kind) for n, kind in enumerate(("url", "host", "domain", "sha256", "md5", "pdq", "text_sha256"), 1)
    ]


def document(*rows, previous=None, now=NOW):
    return make(standing(table(*rows), now), ABOUT, previous, now)


def body(files):
    return {name: b"".join(parts) for name, parts in files}


_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_path = st.text("abcXYZ0123456789-._~!$&'()*+,;=:@", min_size=1, max_size=20).filter(
    lambda path: path not in (".", "..")  # those are the whole host
)
_hex = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def _values(draw):
    kind = draw(st.sampled_from(("url", "host", "domain", "sha256", "md5", "pdq", "text_sha256")))
    name = f"{draw(_label)}.kz"
    match kind:
        case "url":
            query = draw(st.sampled_from(("", f"?q={draw(_label)}")))
            return kind, f"https://{name}/{draw(_path)}{draw(st.sampled_from(('', '/')))}{query}"
        case "host":
            return kind, draw(st.sampled_from((f"{draw(_label)}.{name}", "203.0.113.7")))
        case "domain":
            return kind, name
    return kind, draw(_hex)[: 32 if kind == "md5" else 64]


@st.composite
def many(draw):
    """Draw entries of different values, some retracted or expired, with texts that try to break out."""
    values = draw(st.lists(_values(), max_size=12, unique_by=lambda pair: pair[1]))
    words = st.sampled_from(
        ("Plain.", "=cmd|' /C calc'!A0", '<script>alert(1)</script>"', "a\n0.0.0.0 google.com", "'; DROP", "Ұран.")
    )
    rows = []
    for n, (kind, value) in enumerate(values):
        state = draw(st.sampled_from(("stands", "stands", "retracted", "expired")))
        changed = {"reason": draw(words), "ground": draw(words)}
        changed["act"] = draw(st.sampled_from(("incite", "recruit", "glorify")))
        if state == "retracted":
            changed |= {"retracted_at": NOW - timedelta(hours=1), "retraction_reason": "overturned"}
        if state == "expired":
            changed["expires_at"] = NOW
        rows.append(entry(n + 1, kind, value, **changed))
    return rows
