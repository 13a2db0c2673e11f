"""Small builders for tests of website families: pages in which one thing differs."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from bastau.schemas import PAGES
from bastau.sources.families import Families, FindPageSignals, count_signals, find_families
from bastau.sources.families.links import Rules

START = datetime(2025, 1, 1, tzinfo=UTC)


def page(domain: str, html: str = "", day: int = 0, **fields: Any) -> dict[str, Any]:
    number = fields.pop("number", 0)
    return {
        "domain": domain,
        "url": f"https://{domain}/{number}",
        "fetched_at": START + timedelta(days=day, minutes=number),
        "html": html,
    } | fields


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    rows = list(rows)
    return pa.table({f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in PAGES}, schema=PAGES)


def signals(**fields: Any) -> set[tuple[str, str]]:
    """Return (kind, value) of one page."""
    made = FindPageSignals().run(table([page(fields.pop("domain", "a-site.example"), **fields)]))
    return {(s["signal"], s["value"]) for s in made.column("signals").to_pylist()[0]}


def strangers(n: int = 40) -> list[dict[str, Any]]:
    """Return pages of unrelated sites, so that a store is not only the pair in question."""
    return [page(f"stranger{i}.example", codes(ga=f"G-1{i:03d}ABCDEF"), ip=f"198.19.{i}.1") for i in range(n)]


def codes(**accounts: str) -> str:
    """Return a page with the snippets of some accounts."""
    parts = {
        "ga": '<script>gtag("config", "{}");</script>',
        "gtm": "<script>f(window,document,'script','dataLayer','{}');</script>",
        "metrica": '<script>ym({}, "init", {{}});</script>',
        "pixel": "<script>fbq('init', '{}');</script>",
        "adsense": '<script src="https://pagead2.googlesyndication.com/x.js?client=ca-pub-{}"></script>',
        "verification": '<meta name="google-site-verification" content="{}">',
        "title": "<title>{}</title>",
    }
    head = "".join(parts[name].format(value) for name, value in accounts.items())
    return f"<html><head>{head}</head><body><p>words</p></body></html>"


def families(rows: Iterable[dict[str, Any]], rules: Rules | None = None) -> Families:
    return find_families(count_signals(FindPageSignals().run(table(rows))), rules)


def members(found: Families) -> list[list[str]]:
    return sorted(found.families.column("sources").to_pylist())


def reason(found: Families, a: str, b: str) -> str | None:
    """Return why a pair is not linked; ``"absent"`` when nothing of tier 1 brought it up."""
    rows = found.links.to_pylist()
    return next((r["reason"] for r in rows if {r["source_a"], r["source_b"]} == {a, b}), "absent")
