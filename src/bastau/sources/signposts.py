"""Channels and accounts that a group's members openly point to, post after post, as a house does with its own.

"Subscribe", "send us news", "our other channels": a footer with the same contact or the same sister channels in both
feeds is an affiliation that its members declare. It does not undo the timing, and anybody can add a footer, so a group keeps its
place; what it says is that there is nothing hidden to find.

An address is a signpost of a source that points to it in :data:`MIN_POSTS` posts on :data:`MIN_DAYS` days. Where as many sources outside
the group point to it as inside, it is somebody that everybody quotes, and none. A private person's page is none either: it came in
under a pseudonym. Nor is an invitation to a closed group.
"""

import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from bastau.sources.relations import epoch_s, small

MIN_POSTS = 10
MIN_DAYS = 5
MAX_SHOWN = 10
_DAY_S = 86_400


@cache
def _platforms() -> dict[str, str]:
    """Return the platform of each host."""
    raw = tomllib.loads((Path(__file__).parent / "texts" / "profiles.toml").read_text("utf-8"))
    return {host: platform for platform, hosts in raw.items() for host in hosts}


def _pattern() -> str:
    """Return what canonical addresses of channels and accounts look like; pseudonyms (``p~``) and invitations (``+``) do not."""
    hosts = "|".join(re.escape(host) for host in _platforms())
    return rf"^https://({hosts})/@?[A-Za-z0-9_.]+/?$"


def add_signposts(rows: list[dict[str, Any]], posts: ibis.ir.Table, readings: ibis.ir.Table) -> None:
    """Add to COORDINATION rows ``signposts`` and ``is_one_house``: whether these hold all its sources together.

    Args:
        rows: with ``sources`` and ``n_other_accounts``; each source in one of them at most.
    """
    groups = {source: number for number, row in enumerate(rows) for source in row["sources"]}
    for row in rows:
        row |= {"signposts": [], "is_one_house": False}
    if not groups:
        return
    named = small(pa.table({"source": pa.array(list(groups), pa.string())}), posts)
    inside = _pointed(posts.semi_join(named, "source"), readings).to_pyarrow()
    if not inside.num_rows:
        return
    addresses = small(pa.table({"address": inside.column("address").unique()}), posts)
    everywhere = _pointed(posts, readings, addresses)
    n_all = everywhere.group_by("address").agg(n=everywhere.source.nunique()).to_pyarrow().to_pylist()
    n_sources = {row["address"]: row["n"] for row in n_all}
    platforms = posts.semi_join(named, "source").select("source", "platform").distinct().to_pyarrow().to_pylist()
    pages = {(row["platform"], row["source"].casefold()): row["source"] for row in platforms}
    pointing: dict[tuple[int, str], set[str]] = defaultdict(set)
    for row in inside.to_pylist():
        pointing[groups[row["source"]], row["address"]].add(row["source"])
    for (number, address), own in sorted(pointing.items()):
        target = pages.get(_page(address))
        sources = own | ({target} if target is not None and groups[target] == number else set())
        if len(sources) > 1 and n_sources[address] - len(own) < len(own):
            rows[number]["signposts"].append({"address": address, "sources": sorted(sources)})
    for row in rows:
        row["is_one_house"] = row["n_other_accounts"] == 0 and _hold_together(row["sources"], row["signposts"])
        row["signposts"] = sorted(row["signposts"], key=lambda s: (-len(s["sources"]), s["address"]))[:MAX_SHOWN]


def _pointed(posts: ibis.ir.Table, readings: ibis.ir.Table, addresses: ibis.ir.Table | None = None) -> ibis.ir.Table:
    """Return (source, address) of the publishers' own posts that point to a channel or account often enough."""
    own = posts.filter(posts.is_publisher & posts.repost_of.isnull())
    own = own.select("post_key", "source", day=epoch_s(own.published_at) // _DAY_S)
    read = own.join(readings.select("post_key", "urls"), "post_key")
    rows = read.filter(read.urls.length() > 0)
    rows = rows.select("post_key", "source", "day", address=rows.urls.unnest())
    if addresses is None:
        rows = rows.filter(rows.address.re_search(_pattern()))
    else:
        rows = rows.semi_join(addresses, "address")
    often = rows.group_by("source", "address").agg(n_posts=rows.post_key.nunique(), n_days=rows.day.nunique())
    often = often.filter((often.n_posts >= MIN_POSTS) & (often.n_days >= MIN_DAYS))
    return often.select("source", "address")


def _page(address: str) -> tuple[str, str]:
    """Return platform and name, in lower case, of the page of a channel or account."""
    host, name = address.removeprefix("https://").rstrip("/").split("/", 1)
    return _platforms()[host], name.lstrip("@").casefold()


def _hold_together(sources: list[str], signposts: list[dict[str, Any]]) -> bool:
    """Return whether the sources hang together by the signposts that they have in common."""
    part = {source: source for source in sources}
    for signpost in signposts:
        parts = {part[source] for source in signpost["sources"]}
        part = {source: min(parts) if p in parts else p for source, p in part.items()}
    return len(set(part.values())) == 1
