"""What a page is built from: head tags, structure, classes, software, images; all bounded."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin, urlsplit

import numpy as np

from bastau.sources.families.lists import lists, service_site
from bastau.sources.families.names import host_of, site_of

HEAD_TAGS = r"(?i)<(?:meta|link|script|img)\b[^>]*>"
CLASS_LISTS = r"""\bclass=(?:"[^"<>]+"|'[^'<>]+')"""
STRUCTURE = r"<(?:header|nav|main|section|aside|footer|form|div|article|ul|table)\b[^>]*"
TITLE = r"(?is)<title[^>]{0,200}>([^<]{1,400})"
GENERATOR = r"(?is)<generator[^>]{0,200}>([^<]{1,200})"
MAX_TAGS = 500
_MAX_TAG_CHARS = 1500
_TELLING = re.compile(
    r"verif|validate|fb:app_id|fb:pages|generator|og:(?:url|image)|//|/wp-content/|/templates/|canonical|data:",
    re.IGNORECASE,
)
"""What a tag must hold to say anything here; most do not, and reading attributes is slow."""
MAX_CLASS_LISTS = 2000
MAX_STRUCTURE = 80

_ATTRIBUTE = re.compile(
    r"""([a-zA-Z_:][a-zA-Z0-9_:.-]{0,60})\s{0,5}=\s{0,5}(?:"([^"]{0,1000})"|'([^']{0,1000})'|([^\s"'>]{1,1000}))"""
)
_VERIFICATION = {
    "google-site-verification": "google",
    "yandex-verification": "yandex",
    "facebook-domain-verification": "facebook",
    "p:domain_verify": "pinterest",
    "msvalidate.01": "bing",
    "wmail-verification": "mail.ru",
    "mailru-verification": "mail.ru",
    "baidu-site-verification": "baidu",
    "norton-safeweb-site-verification": "norton",
    "alexaverifyid": "alexa",
}
_TOKEN = re.compile(r"[A-Za-z0-9_=+/.-]{6,128}")
_IDS = re.compile(r"\d{5,20}")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{1,59}")
_NUMBERED = re.compile(r"\d{3,}|--?\d+$|-[0-9a-f]{6,}$")
_BANDS, _ROWS = 8, 8


@dataclass
class Head:
    """What the tags of one page say; values by kind, and the address that the page gives as its own."""

    values: dict[str, set[str]] = field(default_factory=dict)
    canonical: str | None = None

    def add(self, kind: str, value: str) -> None:
        """Record a value."""
        self.values.setdefault(kind, set()).add(value)


def read_head(tags: Iterable[str], n_head: int, url: str, site: str) -> Head:
    """Return what ``tags`` (meta, link, script, base, img) say of a page at ``url``; the first ``n_head`` stand in its head.

    What an owner proves ownership with counts there only: elsewhere it came with pasted code.
    """
    head = Head()
    plugins: set[str] = set()
    for number, whole in enumerate(tags):
        tag = whole[:_MAX_TAG_CHARS]
        if not _TELLING.search(tag):
            continue
        attributes = {
            m[1].lower(): unescape(next(g for g in (m[2], m[3], m[4]) if g is not None))
            for m in _ATTRIBUTE.finditer(tag)
        }
        match tag[1:4].lower():
            case "met":
                _meta(head, attributes, site, is_in_head=number < n_head)
            case "lin":
                _link(head, attributes, url, site, plugins)
            case "scr" | "img":
                _asset(head, attributes, url, site, plugins, is_image=tag[1:2] in "iI")
    if len(plugins) >= 3:
        head.add("plugins", _digest(sorted(plugins)))
    return head


def _meta(head: Head, attributes: dict[str, str], site: str, *, is_in_head: bool) -> None:
    name = (attributes.get("name") or attributes.get("property") or "").lower()
    content = attributes.get("content", "").strip()
    if name in _VERIFICATION:
        if is_in_head and _TOKEN.fullmatch(content):
            head.add("verification", f"{_VERIFICATION[name]}:{content}")
    elif name == "fb:app_id":
        if _IDS.fullmatch(content) and content not in lists().placeholders:
            head.add("fb_app", content)
    elif name == "fb:pages":
        for number in _IDS.findall(content)[:20]:
            head.add("fb_pages", number)
    elif name == "generator" and content:
        head.add("cms", content[:80].lower())
    elif name == "og:url" and head.canonical is None:
        head.canonical = content
    elif name == "og:image":
        _image(head, content, site)


def _link(head: Head, attributes: dict[str, str], url: str, site: str, plugins: set[str]) -> None:
    rel, href = attributes.get("rel", "").lower().split(), attributes.get("href", "").strip()
    if "canonical" in rel and href:
        head.canonical = _absolute(url, href)
    elif "stylesheet" in rel or "preload" in rel or "preconnect" in rel:
        _asset(head, {"src": href}, url, site, plugins, is_image=False)
    elif "icon" in rel and href.startswith("data:") and len(href) > 100:
        head.add("favicon", "data:" + _digest([href]))


def _asset(head: Head, attributes: dict[str, str], url: str, site: str, plugins: set[str], *, is_image: bool) -> None:
    src = attributes.get("src") or ""
    if not src or src.startswith("data:"):
        return
    address = _absolute(url, src)
    host = host_of(address or "")
    if address is None or host is None:
        return
    path = urlsplit(address).path.lower()
    for folder, kind in (
        ("/wp-content/themes/", "theme"),
        ("/wp-content/plugins/", "plugin"),
        ("/templates/", "theme"),
    ):
        if folder in path:
            name = path.split(folder, 1)[1].split("/", 1)[0][:60]
            if kind == "plugin":
                plugins.add(name)
            elif name not in lists().common_themes:
                head.add("theme", name)
    if "/bitrix/templates/" in path:
        head.add("theme", path.split("/bitrix/templates/", 1)[1].split("/", 1)[0][:60])
    if host != site and site_of(host) != site and not service_site(host):
        head.add("asset_host", host)
        if is_image:
            _image(head, address, site)


def _image(head: Head, address: str, site: str) -> None:
    host = host_of(address)
    if host is not None and site_of(host) != site and not service_site(host):
        head.add("image", f"{host}{urlsplit(address).path[:200]}")


def _absolute(base: str, href: str) -> str | None:
    try:
        return urljoin(base, href[:1000])
    except ValueError:  # an address such as http://[x
        return None


def class_bands(lists_of_classes: Iterable[str]) -> list[str]:
    """Return MinHash bands of the set of class names: two pages share one nearly always from Jaccard .9 on, seldom below .6.

    Eight bands of eight rows: P = 1 - (1 - J^8)^8, .99 at J = .9, .36 at .7, .13 at .6, .03 at .5. Names with numbers in them, which
    differ from page to page, and pages with fewer than 20 names are left out.

    Reference: Broder 1997, On the resemblance and containment of documents.
    """
    names: set[str] = set()
    for stretch in lists_of_classes:
        names.update(stretch.split("=", 1)[1].strip(" \"'").split())
    kept = [name for name in names if _CLASS.fullmatch(name) and not _NUMBERED.search(name)]
    if len(kept) < 20:
        return []
    hashes = np.frombuffer(b"".join(hashlib.blake2b(n.encode(), digest_size=8).digest() for n in kept), np.uint64)
    with np.errstate(over="ignore"):
        mixed = hashes[:, None] * _ODD[None, :] + _SHIFT[None, :]
    mixed ^= mixed >> np.uint64(29)
    lowest = mixed.min(axis=0).reshape(_BANDS, _ROWS)
    return [f"{band}:{_digest([row.tobytes().hex()])}" for band, row in enumerate(lowest)]


def _constants() -> tuple[np.ndarray, np.ndarray]:
    bits = np.random.PCG64(6).random_raw(2 * _BANDS * _ROWS)
    return bits[: _BANDS * _ROWS] | np.uint64(1), bits[_BANDS * _ROWS :]


_ODD, _SHIFT = _constants()


def dom_shape(tags: Iterable[str]) -> str | None:
    """Return a hash of the order and ids of the first structural tags; None for fewer than 12."""
    parts = []
    for tag in tags:
        ident = re.search(r"""\sid\s?=\s?["']?([A-Za-z][\w-]{0,40})""", tag)
        name = re.match(r"<(\w+)", tag)
        label = ident[1] if ident and not _NUMBERED.search(ident[1]) else ""
        parts.append(f"{name[1].lower() if name else ''}#{label}")
    return _digest(parts[:40]) if len(parts) >= 12 else None


def title_key(title: str) -> str | None:
    """Return a hash of a page's title, folded; None where it has fewer than three words or 15 letters."""
    words = re.findall(r"\w+", unescape(title).lower())
    text = " ".join(words)
    return _digest([text]) if len(words) >= 3 and len(text) >= 15 else None


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def header_values(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield (kind, value) of what the headers of one answer show of its server."""
    names, stack = [], []
    for raw, value in pairs:
        name = raw.strip().lower()
        if name not in lists().unsteady_headers and len(name) <= 60:
            names.append(name)
        if name in ("server", "x-powered-by", "x-generator", "x-aspnet-version", "x-drupal-cache"):
            stack.append(f"{name}={value.strip().lower()[:60]}")
    if stack:
        yield "server", "; ".join(sorted(stack))[:200]
    if len(names) >= 4:
        yield "header_order", " ".join(names[:40])
