"""Signals of each page: a row-wise stage over pages, and their sum over the pages of each website in a batch."""

import ipaddress
import re
from collections.abc import Iterator
from typing import ClassVar

import orjson
import polars as pl
import pyarrow as pa

from bastau.schemas import PAGE_SIGNALS, PAGES
from bastau.sources.families import html_ids, template
from bastau.sources.families.ads_txt import Sellers, read_ads_txt
from bastau.sources.families.lists import lists, service_site
from bastau.sources.families.names import host_of, label_of, lies_in, site_of
from bastau.tables import append_columns

SIGNAL = pa.struct([("signal", pa.string()), ("value", pa.string())])

MAX_HTML_CHARS = 1 << 20
"""A longer page is read at both ends only: ids stand in the head or at the foot."""
_TAIL_CHARS = 1 << 18
MAX_HEADER_CHARS = 1 << 16
MAX_VALUES = 64
"""Values of one kind kept for one website in one batch: those on most pages first. A site with more is hostile or a list."""
MAX_CERTIFICATE_SITES = 20
"""A certificate for more websites is one of a network or a host."""
_PART_ROWS = 256
_PART_CHARS = 16 << 20
_LONG = ("html", "ads_txt", "headers")
"""Columns in which one page may hold megabytes."""


class FindPageSignals:
    """Add to each page the website it belongs to and the signals it shows.

    A page that is a copy of another site's by its own word (canonical, og:url), or that only says that the domain is parked,
    shows nothing but that. Every row gets a signal ``page`` or ``bad_domain``.
    """

    needs: ClassVar[pa.Schema] = pa.schema(list(PAGES))
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("site", pa.string(), metadata={"doc": "registrable domain in ASCII; null: no domain"}),
            pa.field("signals", pa.list_(SIGNAL), nullable=False, metadata={"doc": "what the page shows, each once"}),
        ]
    )

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (pages; n rows, any order) with the two columns added."""
        sites: list[str | None] = []
        signals: list[list[dict[str, str]]] = []
        for part in _parts(posts):
            for site, found in _read(part):
                sites.append(site)
                signals.append([{"signal": kind, "value": value} for kind, value in found])
        arrays = {"site": pa.array(sites, pa.string()), "signals": pa.array(signals, pa.list_(SIGNAL))}
        return append_columns(posts, arrays, self.adds)


def _parts(pages: pa.Table) -> Iterator[pa.Table]:
    """Cut pages into stretches of bounded size, so that a few huge ones do not multiply."""
    if pages.num_rows == 0:
        return
    long = [pl.Series(name, pages.column(name), pl.String).str.len_bytes().fill_null(0) for name in _LONG]
    sizes = sum(long[1:], start=long[0])
    start, chars = 0, 0
    for row, size in enumerate(sizes):
        if row > start and (chars + size > _PART_CHARS or row - start >= _PART_ROWS):
            yield pages.slice(start, row - start)
            start, chars = row, 0
        chars += size
    yield pages.slice(start)


def _read(pages: pa.Table) -> Iterator[tuple[str | None, list[tuple[str, str]]]]:
    rows = pages.select([name for name in PAGES.names if name != "html"]).to_pylist()
    html, is_cut = _bounded_html(pages)
    plain = html.str.replace_all(html_ids.QUOTED, "")
    ids = html_ids.find_ids(plain)
    tags = _lists(plain, template.HEAD_TAGS, template.MAX_TAGS)
    classes = _lists(plain, template.CLASS_LISTS, template.MAX_CLASS_LISTS)
    structure = _lists(plain, template.STRUCTURE, template.MAX_STRUCTURE)
    n_head = [_n_head_tags(text) for text in plain]
    titles, generators = (plain.str.extract(pattern, 1).to_list() for pattern in (template.TITLE, template.GENERATOR))
    sellers: dict[str, Sellers] = {}
    for i, row in enumerate(rows):
        site = site_of(row["domain"])
        if site is None:
            yield None, [("bad_domain", "")]
            continue
        found = _Found(site)
        found.add("page", row["fetched_at"].date().isoformat())
        if is_cut[i]:
            found.add("html_cut", "")
        if _says_parked(plain[i]) or _is_parking_server(row):
            found.add("parked", "")
            yield site, found.all()
            continue
        head = template.read_head(tags[i], n_head[i], row["url"], site)
        own = site_of(head.canonical) if head.canonical and "." in head.canonical and "//" in head.canonical else None
        if own is not None and own != site and not service_site(own):
            found.add("declared_copy", own)
        else:
            for kind, values in (*ids[i].items(), *head.values.items()):
                for value in sorted(values):
                    if kind == "matomo" and (site_of(value) == site or service_site(value)):
                        continue
                    found.add(kind, value)
            for band in template.class_bands(classes[i]):
                found.add("css_classes", band)
            shape = template.dom_shape(structure[i])
            if shape is not None:
                found.add("dom_shape", shape)
            title = template.title_key(titles[i]) if titles[i] else None
            if title is not None:
                found.add("title", title)
            if generators[i] and plain[i].lstrip()[:200].startswith("<?xml"):
                found.add("rss_generator", generators[i].strip().lower()[:100])
        _server(found, row, sellers)
        yield site, found.all()


_BODY = re.compile(r"</?body\b", re.IGNORECASE)
_HEAD_TAG = re.compile(template.HEAD_TAGS)


def _n_head_tags(text: str) -> int:
    """Return how many of the tags read stand before the body; without a body none do."""
    body = _BODY.search(text)
    return sum(1 for _ in _HEAD_TAG.finditer(text, 0, body.start())) if body else 0


class _Found:
    """The signals of one page, each once, values bounded and free of control characters."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._signals: dict[tuple[str, str], None] = {}

    def add(self, kind: str, value: str) -> None:
        self._signals[kind, _CONTROL.sub("", value)[:300]] = None

    def all(self) -> list[tuple[str, str]]:
        return list(self._signals)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def _bounded_html(pages: pa.Table) -> tuple[pl.Series, list[bool]]:
    html = pl.Series("html", pages.column("html"), pl.String).fill_null("")
    is_cut = (html.str.len_bytes() > MAX_HTML_CHARS).to_list()
    if any(is_cut):
        kept = [
            f"{text[:MAX_HTML_CHARS]}\n{text[-_TAIL_CHARS:]}" if cut else text
            for text, cut in zip(html, is_cut, strict=True)
        ]
        html = pl.Series("html", kept, pl.String)
    return html, is_cut


def _lists(html: pl.Series, pattern: str, most: int) -> list[list[str]]:
    found: list[list[str]] = html.str.extract_all(pattern).list.head(most).to_list()
    return found


def _says_parked(html: str) -> bool:
    # Whole articles are long; a page that only says that a domain is for sale is not.
    if len(html) >= 60_000:
        return False
    lowered = html[:20_000].lower()
    return any(word in lowered for word in lists().parking_words)


def _is_parking_server(row: dict[str, object]) -> bool:
    servers = row["nameservers"] or []
    hosts = (host_of(server) for server in servers[:20] if isinstance(server, str))  # type: ignore[index]
    if any(host is not None and lies_in(host, lists().parking_nameservers) for host in hosts):
        return True
    ip = _address(row["ip"])
    return ip is not None and lists().network(ip) == "parking"


def _server(found: _Found, row: dict[str, object], sellers: dict[str, Sellers]) -> None:
    """Add what the server, the registry and ads.txt show."""
    pairs = _headers(row["headers"])
    if pairs is None:
        found.add("bad_headers", "")
        pairs = []
    is_behind = any(name.lower() in lists().cdn_headers for name, _ in pairs)
    _ip(found, row["ip"], is_behind)
    if is_behind:
        found.add("behind_cdn", "")
    else:
        for kind, value in template.header_values(pairs):
            found.add(kind, value)
    _nameservers(found, row["nameservers"])
    _certificate(found, row["cert_sans"])
    icon = row["favicon_sha256"]
    if (
        isinstance(icon, str)
        and re.fullmatch(r"[0-9a-fA-F]{64}", icon)
        and icon.lower() not in lists().default_favicons
    ):
        found.add("favicon", icon.lower())
    created = row["whois_created"]
    if created is not None:
        # Registries give the second; where only the day is known, many share it by chance.
        moment = created.strftime("%Y-%m-%dT%H:%M:%SZ")  # type: ignore[attr-defined]
        found.add("registered_at", moment)
    name = label_of(found.site).rsplit(".", 1)[-1]
    bare = name.replace("-", "")
    if (
        len(bare) >= 8
        and name not in lists().generic_names
        and bare not in lists().generic_names
        and not bare.isdigit()
    ):
        found.add("same_name", bare)
    _ads_txt(found, row["ads_txt"], sellers)


def _headers(text: object) -> list[tuple[str, str]] | None:
    """Return (name, value) of the headers, none for none; None when they are no JSON object of strings."""
    if text is None or text == "":
        return []
    if not isinstance(text, str) or len(text) > MAX_HEADER_CHARS:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    return [(name, item if isinstance(item, str) else str(item)) for name, item in value.items()]


def _address(ip: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(ip.strip()) if isinstance(ip, str) else None
    except ValueError:
        return None


def _ip(found: _Found, text: object, is_behind: bool) -> None:
    ip = _address(text)
    if ip is None:
        if text:
            found.add("bad_ip", "")
        return
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast or _is_inner(ip):
        found.add("bad_ip", "")
        return
    if lists().network(ip) is not None or is_behind:
        found.add("behind_cdn", "")
        return
    found.add("ip", ip.compressed)
    bits = 24 if ip.version == 4 else 48
    found.add("subnet", str(ipaddress.ip_network((ip, bits), strict=False)))


_INNER = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def _is_inner(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in network for network in _INNER if network.version == ip.version)


def _nameservers(found: _Found, servers: object) -> None:
    """Add the domains that the name servers lie in, unless they are a service's."""
    if not isinstance(servers, list):
        return
    hosts = (host_of(server) for server in servers[:20] if isinstance(server, str))
    for site in sorted({site for host in hosts if host is not None and (site := site_of(host)) is not None}):
        is_listed = (
            lies_in(site, lists().nameservers) or service_site(site) or "awsdns" in site or "dns" in label_of(site)
        )
        if not is_listed:
            found.add("nameserver", site)


def _certificate(found: _Found, names: object) -> None:
    """Add every website that the certificate names, the own one too, so that a certificate for two meets both."""
    found.add("certificate", found.site)
    if not isinstance(names, list):
        return
    if len(names) > 500:
        found.add("certificate_many_names", str(len(names)))
        return
    hosts = (host_of(name.removeprefix("*.")) for name in names if isinstance(name, str))
    kept = [host for host in hosts if host is not None]
    sites = {site for host in kept if (site := site_of(host)) is not None}
    if any(service_site(host) for host in kept) or len(sites) > MAX_CERTIFICATE_SITES:
        found.add("certificate_many_names", str(len(sites)))
        return
    for site in sorted(sites):
        found.add("certificate", site)


def _ads_txt(found: _Found, text: object, sellers: dict[str, Sellers]) -> None:
    if not isinstance(text, str) or not text.strip():
        return
    # A site's file comes with each of its pages; it is read once.
    read = sellers.get(text)
    if read is None:
        read = sellers[text] = read_ads_txt(text)
    direct = sorted(read.direct)[: 4 * MAX_VALUES]
    own = [seller for seller in direct if site_of(seller.partition("|")[0]) in lists().owners_of_ads]
    for seller in direct:
        number = seller.partition("|")[2].removeprefix("pub-")
        # With several accounts at Google the others are sales houses'; which is the owner's cannot be told.
        if seller not in own or len(own) > 1:
            found.add("ads_direct", seller)
        elif re.fullmatch(r"\d{10,20}", number) and number not in lists().placeholders:
            found.add("ads_seller", number)
    if read.owner is not None:
        found.add("owner_domain", read.owner)
        found.add("owner_domain", found.site)
    for note, holds in (
        ("ads_txt_cut", read.is_cut),
        ("ads_txt_bad_lines", read.n_bad),
        ("ads_txt_reseller", read.n_reseller),
    ):
        if holds:
            found.add(note, "")


# ---- the websites of a batch -------------------------------------------------------------------------------


def count_signals(pages: pa.Table) -> pa.Table:
    """Return PAGE_SIGNALS of ``pages`` (with the columns of :class:`FindPageSignals`): one row a site, kind and value.

    At most :data:`MAX_VALUES` values a site and kind; ``too_many_values`` says where more were left out. Pages without a
    domain are one row under the empty source, so that they are counted.
    """
    rows = pl.DataFrame({name: pages.column(name) for name in ("site", "url", "fetched_at", "signals")}).explode(
        "signals"
    )
    rows = rows.with_columns(pl.col("site").fill_null("").alias("source")).unnest("signals")
    summed = rows.group_by("source", "signal", "value").agg(
        pl.col("fetched_at").min().alias("seen_from"),
        pl.col("fetched_at").max().alias("seen_to"),
        pl.len().cast(pl.Int64).alias("n_pages"),
        pl.col("url").min().str.slice(0, 500).alias("url"),
    )
    return _keep_most(summed).select(PAGE_SIGNALS.names).sort("source", "signal", "value").to_arrow().cast(PAGE_SIGNALS)


def _keep_most(summed: pl.DataFrame) -> pl.DataFrame:
    """Return PAGE_SIGNALS rows with at most :data:`MAX_VALUES` values a site and kind: most pages first, then by hash.

    By hash, so that of a million titles every site keeps the same sample, and what two sites share is kept at both.
    """
    sampled = pl.col("value").hash(7)
    ranked = summed.with_columns(
        pl.struct((-pl.col("n_pages")).alias("a"), sampled.alias("b"), pl.col("value"))
        .rank("ordinal")
        .over("source", "signal")
        .alias("rank")
    )
    is_kept = (pl.col("rank") <= MAX_VALUES) | (pl.col("signal") == "page")
    left_out = ranked.filter(~is_kept)
    notes = left_out.group_by("source", pl.col("signal").alias("value")).agg(
        pl.col("seen_from").min(), pl.col("seen_to").max(), pl.col("n_pages").sum(), pl.col("url").min()
    )
    notes = notes.with_columns(pl.lit("too_many_values").alias("signal"))
    kept = ranked.filter(is_kept).drop("rank")
    return pl.concat([kept, notes.select(kept.columns)])
