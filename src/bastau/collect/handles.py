"""Where handles of people stand in text and addresses, and their replacement by pseudonyms.

Two ways to the same end. Plain ``@handle`` in ordinary text is found by a kernel (:mod:`bastau.collect.mentions`);
everything else - profile addresses, ``@user@host``, VK and Telegram links with a name in them, HTML - goes through
the patterns here. What hides behind entities, percent-escapes, look-alike signs or invisible characters is found
on a normalised copy, which then takes the place of the text.
"""

import html
import re
import tomllib
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urljoin

from bastau.collect.pseudonyms import PSEUDONYM

Replace = Callable[[str, str], str | None]
"""(platform, handle in lower case) -> pseudonym, or None for a publisher."""

Own = tuple[re.Pattern[str], str]
"""(pattern of an author's own handle and name, the pseudonym)"""

_DATA = tomllib.loads(Path(__file__).with_name("hosts.toml").read_text("utf-8"))
HOSTS: dict[str, str] = {host: name for name, part in _DATA.items() for host in part.get("hosts", ())}
"""Hosts whose addresses name accounts, and the platform they belong to."""
_RESERVED = {name: frozenset(part["reserved"].split()) for name, part in _DATA.items() if "reserved" in part}
MARKUP_WORDS = frozenset(_DATA["markup"]["words"].split())
"""At-words of CSS and JSON-LD: in the source of a page they are no handles."""

_NAME = r"[\w.\-]"
_EDGE = r"(?<![\w.\-@])"
_ANY_HOST = "|".join(re.escape(host) for host in HOSTS)
_PROFILE = re.compile(
    rf"{_EDGE}(?P<host>(?:(?:www|m|mobile|web|old|new|touch|[a-z]{{2}}-[a-z]{{2}})\.)?(?P<site>{_ANY_HOST}))(?::\d+)?/+"
    rf"(?P<lead>(?:\#!/|s/(?={_NAME})|stories/|_u/|intent/(?:user|follow)\?screen_name=|profile\.php\?id=|people/[^/\s]+/"
    rf"|profile/|in/|c/(?=[^/]*[^\d/])|user/|u/|channel/|wall(?=\d))*)@?(?P<handle>(?:did:\w+:)?{_NAME}*\w)"
    rf"|{_EDGE}(?P<sub>{_NAME}{{3,}})\.t\.me\b"
    r"|tg://(?:user\?id=|resolve\?domain=)(?P<tg>\w+)"
    rf"|(?<=//)(?P<fedi>[\w\-]+(?:\.[\w\-]+)+)(?::\d+)?/+(?:web/)?(?:@|users/|profile/|u/)(?P<user>{_NAME}*\w)(?:@(?P<home>[\w\-]+(?:\.[\w\-]+)+))?",
    re.IGNORECASE,
)
_MENTION = re.compile(rf"@(?P<handle>{_NAME}*\w)(?:@(?P<host>[\w\-]+(?:\.[\w\-]+)+))?")
_VK_LINK = re.compile(r"\[(?P<handle>[\w.]+)\|(?P<name>[^\]\n]{1,300})\]")
_VK_OWNER = re.compile(r"(?<=[?&][wz]=)(?P<kind>[a-z]+)(?P<owner>\d+)(?=_\d)", re.IGNORECASE)
"""The post or photo that a VK address opens over another page: ``?w=wall1_2``."""
_VK_NAMED = re.compile(r"@(?P<handle>id\d+)\s*\((?P<name>[^)\n]{1,300})\)")
_MARKDOWN = re.compile(r"\[(?P<name>[^\]\[\n]{1,300})\]\((?P<url>[^()\s]{4,2000})\)")
_ANCHOR = re.compile(
    r"<a\b(?P<attrs>(?:[^<>]|<(?!a\b)){1,4000})>(?P<name>.{0,1000}?)(?=</?a\b)", re.IGNORECASE | re.DOTALL
)
"""A link to its end, or to the next one, which ends it too: so no text is looked through twice."""
_OWN_LINK = re.compile(
    r"""(?P<lead>\b(?:href|src|action|content)\s*=\s*["']?)(?P<path>(?![a-z][a-z0-9+.\-]*:|//|\#)[^\s"'<>]{1,2000})""",
    re.IGNORECASE,
)
_OWN_HINTS = ("@", "users/", "profile/", "u/")
_DID = re.compile(r"(?<![\w:])did:(?:plc:[a-z2-7]{24}|web:[\w\-]+(?:[.:%][\w\-]+)+)", re.IGNORECASE)
"""An account of Bluesky by its number: in addresses of posts and pictures, and plain."""
_SEPARATORS = re.compile(r"([\s<>\"'()\[\]|,;]+)")
_COMMUNITY = re.compile(r"(?:club|public|event)\d+", re.IGNORECASE)
_EMAIL_BEFORE = re.compile(r"[\w.+\-]$", re.ASCII)

# What NFKC does not remove and a reader does not see, so that it may stand inside a handle.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u206a-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f"
)
_LOOKALIKE = (
    "\uff00-\uffef\ufe50-\ufe6f\u2100-\u2115\u2117-\u2121\u2123-\u214f\u2460-\u24ff\U0001d400-\U0001d7ff"
    "\U0001f100-\U0001f18f"
)
_STRIP = re.compile(f"[{_INVISIBLE}]")
_HIDDEN = re.compile(
    r"%[0-9A-Fa-f]{2}"
    r"|&(?:amp;)*(?:#|(?:commat|period|sol|lowbar|UnderBar|colon|dash|hyphen|shy|zwj|zwnj|NoBreak|ZeroWidthSpace);)"
    rf"|[\w@./:\-][{_INVISIBLE}]+[\w@./:\-]"
    rf"|[{_LOOKALIKE}]"
)
"""What may hide a handle from the patterns: such texts get a look at their normalised copy."""
_ODD = re.compile(f"[%&{_INVISIBLE}{_LOOKALIKE}]")

HINTS = [
    *(f"{host}/" for host in HOSTS if host != "t.me"),
    "t.me",
    "tg://",
    "/@",
    "/users/",
    "/profile/",
    "/u/",
    "did:plc:",
    "did:web:",
    "<a ",
    ":443/",
    ":80/",
]
"""Substrings, in any case, of what needs the patterns here rather than the kernel of :mod:`bastau.collect.mentions`."""

_PROFILE_HINTS = (*HOSTS, "tg://", "/@", "users/", "profile/", "/u/", "?w=", "?z=", "&w=", "&z=")
"""One of these is in every address that :func:`_address_in` can find undisguised, in lower case."""


def canonical(platform: str, source: str) -> str:
    """Return a source as it is compared: no ``@``, no profile address around it, lower case; hosts without ``www.``."""
    source = source.strip()
    if PSEUDONYM.fullmatch(source):
        return source
    if platform == "web":
        return re.sub(r"^(?:https?://)?(?:www\.)?", "", source.lower()).split("/", 1)[0]
    if "/" in source:
        match = _PROFILE.search(source)
        if match is not None and match.end() >= len(source.rstrip("/")):
            source = _target(match)[1]
    return source.lstrip("@").casefold()


def scrub(text: str, platform: str, replace: Replace, own: Own | None = None, *, markup: bool = False) -> str:
    """Return ``text`` with every handle for which ``replace`` gives a pseudonym replaced by it.

    Args:
        platform: whose handles plain mentions are.
        own: pattern of the author's own handle and name, and the pseudonym for them; for private authors.
        markup: the text is the source of a page, where ``@media`` is no handle.
    """
    plain = _scrub_visible(text, platform, replace, own, markup)
    if not (_ODD.search(plain) and _HIDDEN.search(plain)):
        return plain
    bare = normalise(plain)
    if bare == plain:
        return plain
    scrubbed = _scrub_visible(bare, platform, replace, own, markup)
    return plain if scrubbed == bare else scrubbed


def normalise(text: str) -> str:
    """Undo what hides a handle: entities, percent-escapes (three deep), compatibility forms, invisible characters."""
    for _ in range(3):
        undone = unquote(html.unescape(text), errors="replace")
        if undone == text:
            break
        text = undone
    return _STRIP.sub("", unicodedata.normalize("NFKC", _STRIP.sub("", text)))


def _scrub_visible(text: str, platform: str, replace: Replace, own: Own | None, markup: bool) -> str:
    low = _folded(text)
    # Those of this text: the patterns of addresses are too costly for every word of a long page.
    hints = [hint for hint in _PROFILE_HINTS if hint in low]

    def profile(match: re.Match[str]) -> str:
        owner, handle = _target(match)
        whole, group = match[0], next(g for g in ("handle", "sub", "tg", "user") if match[g] is not None)
        pseudonym = None if _is_done(match, group) else _pseudonym(owner, handle, replace)
        if pseudonym is None:
            return whole
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        if match["home"]:
            end = match.end("home") - match.start()
        lead = match["lead"] or ""
        people = re.search(r"people/([^/\s]+)/", lead, re.IGNORECASE)
        if people:  # facebook.com/people/Full-Name/123
            return whole[:start].replace(people[1], pseudonym) + pseudonym + whole[end:]
        return whole[:start] + pseudonym + whole[end:]

    def vk_owner(match: re.Match[str]) -> str:
        pseudonym = _pseudonym("vk", f"id{match['owner']}", replace)
        return match[0] if pseudonym is None else f"{match['kind']}{pseudonym}"

    def may_name(text: str) -> bool:
        low = _folded(text)
        return any([hint in low for hint in hints])  # noqa: C419 - a generator costs twice as much here

    def address(text: str) -> str:
        return _VK_OWNER.sub(vk_owner, _PROFILE.sub(profile, text)) if may_name(text) else text

    def addresses(text: str) -> str:
        words = _SEPARATORS.split(text)
        return "".join([address(w) if "/" in w or ".t.me" in w.lower() else w for w in words])

    def named(match: re.Match[str]) -> str:
        url = address(match["url"])
        return match[0] if url == match["url"] else f"[{_shown(url)}]({url})"

    def anchor(match: re.Match[str]) -> str:
        attrs = address(match["attrs"])
        is_mention = re.search(r"""class\s*=\s*["'][^"']*\bmention\b""", attrs, re.IGNORECASE) is not None
        if attrs == match["attrs"] and (not is_mention or "#" in match["name"] or _PROFILE.search(attrs)):
            return match[0]
        shown = PSEUDONYM.search(attrs)
        if shown is None:  # a mention whose address names nobody we know: its text does
            name = re.sub(r"<[^>]*>", "", match["name"]).strip().lstrip("@")
            pseudonym = _pseudonym(platform, name, replace) if name else None
            return match[0] if pseudonym is None else f"<a{attrs}>@{pseudonym}"
        return f"<a{attrs}>@{shown[0]}"

    def vk_link(match: re.Match[str]) -> str:
        if not re.fullmatch(r"id\d+|[a-zA-Z][\w.]{1,31}", match["handle"]) or _COMMUNITY.fullmatch(match["handle"]):
            return match[0]
        pseudonym = _pseudonym("vk", match["handle"], replace)
        return match[0] if pseudonym is None else f"[{pseudonym}|{pseudonym}]"

    def vk_named(match: re.Match[str]) -> str:
        pseudonym = _pseudonym("vk", match["handle"], replace)
        return match[0] if pseudonym is None else f"@{pseudonym}"

    def mention(match: re.Match[str]) -> str:
        handle, host = match["handle"], match["host"]
        before = text_now[max(match.start() - 1, 0) : match.start()]
        if _EMAIL_BEFORE.search(before) and "." in handle and not host:
            return match[0]  # somebody@example.org
        if _is_done(match, "handle"):
            return match[0]
        if markup and handle.lower() in MARKUP_WORDS:
            return match[0]
        owner = "mastodon" if host else platform
        pseudonym = _pseudonym(owner, f"{handle}@{host}" if host else handle, replace)
        return match[0] if pseudonym is None else f"@{pseudonym}"

    if "<a" in text or "<A" in text:
        text = _ANCHOR.sub(anchor, text)
    if "](" in text:
        text = _MARKDOWN.sub(named, text)
    if "|" in text:
        text = _VK_LINK.sub(vk_link, text)
    if "@id" in text:
        text = _VK_NAMED.sub(vk_named, text)
    if hints:
        # A page is mostly tags without such an address, and no address goes on behind the next tag.
        text = "<".join([addresses(part) if may_name(part) else part for part in text.split("<")])
    if "did:" in low:
        text = _DID.sub(lambda match: _pseudonym("bluesky", match[0], replace) or match[0], text)
    text_now = text
    text = _MENTION.sub(mention, text) if "@" in text else text
    return own[0].sub(own[1], text) if own else text


def _folded(text: str) -> str:
    """Return ``text`` in lower case, dotted, dotless and long letters as the ``i`` and ``s`` that the patterns take them for."""
    low = text.lower()
    return low if low.isascii() else low.replace("i\u0307", "i").replace("ı", "i").replace("ſ", "s")


def without_names(source: str) -> str:
    """Return the source of a page with the text of links to profiles replaced by their address.

    Text taken out of the page loses the link; the address in its place is what :func:`scrub` then finds.
    """

    def plain(match: re.Match[str]) -> str:
        attrs = match["attrs"].lower()
        # Most links of a page lead to the page's own website; the patterns are costly.
        if not any(hint in attrs for hint in _PROFILE_HINTS) and not _HIDDEN.search(attrs):
            return match[0]
        address = _address_in(match["attrs"])
        return match[0] if address is None else f"<a{match['attrs']}>{address}"

    return _ANCHOR.sub(plain, source)


def with_own_host(source: str, url: str) -> str:
    """Return the source of the page at ``url`` with its links to profiles on its own host made whole.

    Without a host they are words like any other to :func:`scrub`.
    """

    def whole(match: re.Match[str]) -> str:
        path = match["path"]
        if not any(hint in path.lower() for hint in _OWN_HINTS) and not _HIDDEN.search(path):
            return match[0]
        try:
            address = urljoin(url, path)
        except ValueError:
            return match[0]
        return match["lead"] + address if names_somebody(address) else match[0]

    return _OWN_LINK.sub(whole, source)


def names_somebody(address: str) -> bool:
    """Say whether an address has somebody's handle or number in it."""
    return _address_in(address) is not None


def _address_in(text: str) -> str | None:
    """Return the first profile address in ``text``, plain or in disguise."""
    for plain in (text, normalise(text)):
        profile, owner = _PROFILE.search(plain), _VK_OWNER.search(plain)
        if profile is not None and _target(profile)[1]:
            return profile[0] if profile["tg"] else f"https://{profile[0]}"
        if owner is not None:
            return f"https://vk.com/id{owner['owner']}"
    return None


def _shown(url: str) -> str:
    match = PSEUDONYM.search(url)
    return match[0] if match else ""


def _target(match: re.Match[str]) -> tuple[str, str]:
    """Return (platform, handle) of a profile address; an empty handle when it names nobody."""
    if match["sub"]:
        return "telegram", match["sub"]
    if match["tg"]:
        return "telegram", match["tg"]
    if match["user"]:
        host = match["fedi"].lower().removeprefix("www.")
        if host in HOSTS:
            return HOSTS[host], match["user"]
        return "mastodon", f"{match['user']}@{match['home'] or host}"
    site = _folded(match["site"])
    platform = HOSTS[site]
    handle = match["handle"].rstrip(".-")
    lead = (match["lead"] or "").lower()
    if "@" not in match[0] and platform in ("tiktok", "youtube") and not re.search(r"(?:c|user|channel)/$", lead):
        return platform, ""  # youtube.com/watch, tiktok.com/tag
    if platform == "bluesky" and "profile/" not in lead:
        return platform, ""
    if platform == "other" and site in ("linkedin.com", "reddit.com") and not re.search(r"(?:in|u|user)/$", lead):
        return platform, ""
    if handle.lower() in _RESERVED.get(platform, ()) and "=" not in lead:
        return platform, ""
    if platform == "telegram" and (lead.startswith("c/") or handle.startswith("+")):
        return platform, ""  # an invite or a private channel's number
    if platform == "vk":
        if lead.endswith("wall"):
            return platform, "id" + handle.split("_", 1)[0]
        if _COMMUNITY.fullmatch(handle) or re.fullmatch(r"(?:wall|photo|video|album|topic|clip)-\d+.*", handle):
            return platform, ""
        owned = re.fullmatch(r"(?:photo|video|album|clip|story|doc|audios|albums)(\d+)(?:_.*)?", handle)
        if owned:
            return platform, handle
    return platform, handle


def _is_done(match: re.Match[str], group: str) -> bool:
    """Say whether what was taken for a handle is the ``p`` of a pseudonym."""
    return PSEUDONYM.match(match.string, match.start(group)) is not None


def _pseudonym(platform: str, handle: str, replace: Replace) -> str | None:
    if not handle:
        return None
    return replace(platform, handle.rstrip(".-").casefold())


@lru_cache(maxsize=4096)
def own_words(handle: str, name: str | None) -> re.Pattern[str] | None:
    """Return a pattern of an author's own handle and shown name as whole words, or None when both are too short.

    Below three characters a handle or name is a word of the language far more often than the author.
    """
    words = sorted({word for word in (handle, name or "") if len(word) >= 3}, key=len, reverse=True)
    if not words:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(re.escape(word) for word in words)})(?![^\W_])", re.IGNORECASE)
