"""The front page, ads.txt, icon and name servers of a website, fetched beside its posts once a week: rows of PAGES, for website families."""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

from bastau.collect.addresses import social_platform
from bastau.collect.articles.facts import read_facts
from bastau.collect.articles.reading import decode_page
from bastau.collect.collectors.answers import Calls, as_time
from bastau.collect.visits import FetchFailed, Request, Row

EVERY = timedelta(days=7)
FIRST_WITHIN = timedelta(days=1)
"""First pages of sites come spread over a day: 60,000 new sources would otherwise ask for four times as much at once."""
MAX_PAGE = 4 << 20
MAX_ADS_TXT = 1 << 20
_COOKIES = ("set-cookie", "set-cookie2", "cookie")


async def page_rows(
    calls: Calls, address: str, state: Mapping[str, Any], now: datetime
) -> tuple[list[Row], dict[str, Any]]:
    """Return (rows of PAGES, what to add to the state): none where the last ones are younger than a week.

    The whole page is kept, because the signals of families lie in its classes and scripts; what it names of persons is
    taken out where rows are pseudonymised, as for pages that are imported. A website that cannot be read is no
    trouble of the source: it is asked again after a week.
    """
    before = as_time(state.get("page_at"))
    parts = urlsplit(address)
    if (before is not None and now - before < EVERY) or social_platform(address):
        return [], {}
    if before is None:
        spread = zlib.crc32(parts.netloc.encode()) / 2**32 * FIRST_WITHIN
        return [], {"page_at": (now - EVERY + spread).isoformat()}
    root = f"{parts.scheme}://{parts.netloc}/"
    kept = {"page_at": now.isoformat()}
    try:
        answer = await calls.fetch(Request(root, heed_robots=True, max_bytes=MAX_PAGE))
    except FetchFailed:
        return [], kept
    html = decode_page(answer.body, answer.header("content-type"))
    ads = await _small(calls, urljoin(answer.url, "/ads.txt"), MAX_ADS_TXT)
    icon = read_facts(html).links.get("icon") or "/favicon.ico"
    favicon = await _small(calls, urljoin(answer.url, icon), 1 << 20) if not icon.startswith("data:") else None
    host = urlsplit(answer.url).hostname or ""
    headers = {name: value for name, value in answer.headers if name.lower() not in _COOKIES}
    row = {
        "domain": host.removeprefix("www."),
        "url": answer.url,
        "fetched_at": answer.started_at.isoformat(),
        "html": html,
        "ads_txt": ads.decode("utf-8", "replace") if ads and ads.lstrip()[:1] != b"<" else None,
        "headers": orjson.dumps(headers).decode(),
        "ip": answer.ip,
        "nameservers": list(await calls.web.nameservers(host)) or None,
        "favicon_sha256": hashlib.sha256(favicon).hexdigest() if favicon else None,
        "cert_sans": list(answer.certificate_names) or None,
    }
    return [row], kept


async def _small(calls: Calls, url: str, most: int) -> bytes | None:
    try:
        answer = await calls.fetch(Request(url, max_bytes=most, timeout_s=10.0, heed_robots=True))
    except FetchFailed:
        return None
    return answer.body or None
