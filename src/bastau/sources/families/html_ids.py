"""Accounts in the source of pages: found by Polars over a whole column, then read one by one.

Each pattern is looked for twice: ``find`` runs in Rust over all pages and gives short stretches, ``take`` runs over those
and names the id as its first group. A stretch must look like code, so that an id in the words of an article is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from bastau.sources.families.lists import lists
from bastau.sources.families.names import host_of
from bastau.sources.families.wallets import CANDIDATE, wallet

MAX_FOUND = 200
"""Stretches of one pattern read on one page; a page with more is an attack or a list of examples."""


@dataclass(frozen=True)
class Pattern:
    """How one kind of id stands in the source of a page."""

    kind: str
    find: str
    take: re.Pattern[str]


def _pattern(kind: str, find: str) -> Pattern:
    return Pattern(kind, find, re.compile(find))


_Q = r"""["'\\;=/]"""
PATTERNS = (
    _pattern("ga_property", rf"{_Q}(UA-\d{{4,10}}-\d{{1,4}}|G-[A-Z0-9]{{8,12}}|GT-[A-Z0-9]{{6,12}})[\"'\\&]"),
    _pattern("gtm", rf"{_Q}(GTM-[A-Z0-9]{{4,10}})[\"'\\&]"),
    _pattern("google_ads", rf"{_Q}(AW-\d{{8,12}})[\"'/\\&]"),
    _pattern("adsense", r"ca-(?:pub|video-pub|games-pub)-(\d{10,20})\b"),
    _pattern("yandex_metrica", r"""(?:\bym\(\s{0,3}|mc\.yandex\.(?:ru|com)/watch/|\byaCounter|Ya\.Metrika2?\(\s{0,9}\{\s{0,9}id\s{0,3}:\s{0,3}["']?)(\d{5,9})\b"""),
    _pattern("mailru_top", r"""(?:top-fwz1\.mail\.ru/[a-z/.]{0,20}\?(?:[a-z]{1,9}=[^"'&]{0,20};)?id=|_tmr\.push\(\s{0,3}\{\s{0,3}id:\s{0,3}["'])(\d{5,9})\b"""),
    _pattern("rambler_top100", r"""(?:counter\.rambler\.ru/top100\.[a-z]{3}\?(?:pid=)?|top100\(\s{0,9}\{\s{0,9}project:\s{0,3}["']?|setAccount["']\s{0,3},\s{0,3}["']?|_top100q\.push\(\s{0,3}\[\s{0,3}["']setProjectId["']\s{0,3},\s{0,3}["']?)(\d{5,9})\b"""),
    _pattern("liveinternet", r"counter\.yadro\.ru/hit;([A-Za-z0-9_-]{2,40})"),
    _pattern("fb_pixel", r"""(?:fbq\(\s{0,3}["']init["']\s{0,3},\s{0,3}["']|facebook\.com/tr/?\?id=)(\d{10,20})\b"""),
    _pattern("vk_pixel", r"(VK-RTRG-\d{4,10}-[A-Za-z0-9]{4,12})\b"),
    _pattern("tiktok_pixel", r"""ttq\.load\(\s{0,3}["']([A-Z0-9]{15,30})["']"""),
    _pattern("hotjar", r"""\bhjid["']?\s{0,3}[:=]\s{0,3}["']?(\d{5,9})\b"""),
    _pattern("clarity", r"""(?:["']clarity["']\s{0,3},\s{0,3}["']script["']\s{0,3},\s{0,3}["']|clarity\.ms/tag/)([a-z0-9]{8,12})\b"""),
    _pattern("statcounter", r"\bsc_project\s{0,3}=\s{0,3}(\d{5,10})\b"),
    _pattern("quantcast", r"\b(p-[A-Za-z0-9_-]{13})\b[\"'.&]"),
    _pattern("comscore", r"""(?:\bc2["']?\s{0,3}[:=]\s{0,3}["']?)(\d{6,9})\b"""),
    _pattern("chartbeat", r"\b_sf_async_config\.uid\s{0,3}=\s{0,3}[\"']?(\d{3,7})\b"),
    _pattern("cloudflare_beacon", r"""data-cf-beacon=["']\{\s{0,3}(?:"|&quot;)(?:token)(?:"|&quot;)\s{0,3}:\s{0,3}(?:"|&quot;)([0-9a-f]{32})"""),
    _pattern("newrelic", r"""\blicenseKey["']?\s{0,3}:\s{0,3}["']([0-9a-f]{10,20}|NRJS-[0-9a-f]{19})["']"""),
    _pattern("onesignal", r"""\bappId["']?\s{0,3}:\s{0,3}["']([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})["']"""),
    _pattern("yandex_ads", r"\b(?:R-A|R-I|R-V|C-A)-(\d{5,9})-\d{1,4}\b"),
    _pattern("amazon_tag", r"amazon\.[a-z.]{2,6}/[^\s\"'<>]{0,200}[?&;]tag=([a-z0-9-]{3,40}-2[0-9])\b"),
    _pattern("matomo", r"""setTrackerUrl[^;]{0,120};|(?:var\s+u\s{0,3}=\s{0,3}[^;]{0,60}?["'](?:https?:)?//[^"'/\s]{4,100}/)"""),
)  # fmt: skip
_MATOMO_HOST = re.compile(r"""["'](?:https?:)?//([^"'/\s]{4,100})""")

# What stands here is shown or switched off, not run: code that an article quotes, comments, templates.
QUOTED = r"(?is)<!--.*?-->|<(?:pre|code|xmp|textarea|template)\b[^>]{0,500}>.*?</(?:pre|code|xmp|textarea|template)\s*>"


def find_ids(html: pl.Series) -> list[dict[str, set[str]]]:
    """Return, for each page, {kind: ids}; ``html`` without nulls and without what :data:`QUOTED` finds."""
    found: list[dict[str, set[str]]] = [{} for _ in range(len(html))]
    for pattern in PATTERNS:
        for row, stretch in _stretches(html, pattern.find):
            for kind, value in _ids(pattern, stretch):
                found[row].setdefault(kind, set()).add(value)
    for row, word in _stretches(html, CANDIDATE):
        address = wallet(word)
        if address is not None:
            found[row].setdefault("wallet", set()).add(address)
    return found


def _stretches(html: pl.Series, pattern: str) -> Iterator[tuple[int, str]]:
    has = html.str.contains(pattern)
    rows = has.arg_true()
    if not len(rows):
        return
    hits = html.gather(rows).str.extract_all(pattern).list.unique(maintain_order=True).list.head(MAX_FOUND)
    for row, stretches in zip(rows, hits, strict=True):
        for stretch in stretches:
            yield row, stretch


def _ids(pattern: Pattern, stretch: str) -> Iterator[tuple[str, str]]:
    if pattern.kind == "matomo":
        match = _MATOMO_HOST.search(stretch)
        host = host_of(match[1]) if match else None
        if host is not None:
            yield "matomo", host
        return
    match = pattern.take.search(stretch)
    if match is None:
        return
    value = match[1]
    if value in lists().placeholders or len(set(value.removeprefix("UA-").removeprefix("G-"))) < 3:
        return
    if pattern.kind == "ga_property" and value.startswith("G-") and value.isalpha():
        return  # a word in capitals, not an id: those have digits in them
    yield pattern.kind, value
    if value.startswith("UA-"):
        yield "ga_account", value.rsplit("-", 1)[0]
