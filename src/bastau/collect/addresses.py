"""What the address of a post tells where a foreign table does not: its platform, and for websites its source."""

from urllib.parse import urlsplit

import polars as pl

from bastau.collect.handles import HOSTS
from bastau.urls import canonical_url

_HOST = r"(?i)^(?:[a-z][a-z0-9+.-]*:)?//(?:[^/@\s]*@)?([^/:?#\s]+)"


def host_of(address: pl.Expr) -> pl.Expr:
    """Return the host of an address, lower case, without ``www.``."""
    return address.str.extract(_HOST, 1).str.to_lowercase().str.strip_prefix("www.")


def platform_of(address: pl.Expr) -> pl.Expr:
    """Return the platform whose host an address has, ``web`` for any other host, null without one."""
    host = host_of(address).str.replace(r"^(?:m|mobile|old|new|web|[a-z]{2}-[a-z]{2})\.", "")
    known = host.replace_strict(HOSTS, default=None, return_dtype=pl.String)
    is_telegram = host.str.ends_with(".t.me")
    return pl.coalesce(
        known, pl.when(is_telegram).then(pl.lit("telegram")), pl.when(host.is_not_null()).then(pl.lit("web"))
    )


def fill_from_address(table: pl.DataFrame) -> pl.DataFrame:
    """Return a raw table whose missing platforms, and sources of websites, are those of ``url``."""
    if "url" not in table.columns:
        return table
    for name in ("platform", "source"):
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, pl.String).alias(name))
    url = pl.col("url")
    table = table.with_columns(pl.coalesce(pl.col("platform").replace("", None), platform_of(url)).alias("platform"))
    site = pl.when(pl.col("platform").str.to_lowercase() == "web").then(host_of(url))
    return table.with_columns(pl.coalesce(pl.col("source").replace("", None), site).alias("source"))


def web_post_id(url: str) -> str:
    """Return the id of the post at a web address: ``web:`` and the canonical address, the same from every feed and file."""
    return f"web:{canonical_url(url) or url}"


def website_of(url: str) -> str:
    """Return the host of an address as sources of web posts are written: lower case, without ``www.``; empty without one."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.").rstrip(".")
    except ValueError:
        return ""


def social_platform(url: str) -> str | None:
    """Return the platform whose host an address has: its posts are persons', and no website's."""
    host = website_of(url)
    return next((name for site, name in HOSTS.items() if host == site or host.endswith("." + site)), None)
