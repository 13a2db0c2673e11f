"""Walks the workbench as a browser would, from links and forms, and reads pages as a browser does (HTML5)."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from django.http import HttpResponse
from django.urls import Resolver404, resolve
from resiliparse.parse.html import DOMNode, HTMLTree

HERE = "http://testserver"


@dataclass
class Answers:
    """What a walk saw: the answer of each address, the routes that links led to, the forms that change things."""

    pages: dict[str, HttpResponse] = field(default_factory=dict)
    routes: Counter[str] = field(default_factory=Counter)
    posts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Address of a form's action -> its fields as they stand."""

    def html(self) -> Iterator[tuple[str, str]]:
        """Yield (address, words) of the pages."""
        for address, answer in self.pages.items():
            if is_html(answer):
                yield address, answer.read.decode()

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield (address, content) of what is no page."""
        for address, answer in self.pages.items():
            if not is_html(answer) and not address.startswith("/assets/"):
                yield address, answer.read.decode("utf-8", "replace")


def whole(answer: Any) -> Any:
    """Return the answer with its content read, so that no file stays open."""
    if answer.streaming:
        content = b"".join(answer.streaming_content)
        for close in answer._resource_closers:  # answer.close() would end the connection to the database too
            close()
        answer.read = content
    else:
        answer.read = answer.content
    return answer


def is_html(answer: Any) -> bool:
    return str(answer.get("Content-Type", "")).startswith("text/html")


def elements(page: str) -> Iterator[DOMNode]:
    """Yield every element that a browser makes of a page."""
    root = HTMLTree.parse(page).document
    return (node for node in root if node.type == 1)


def route_of(address: str) -> str | None:
    try:
        return resolve(urlsplit(address).path).url_name
    except Resolver404:
        return None


def walk(browser: Any, starts: Iterable[str] = ("/",), most: int = 12, more: dict[str, int] | None = None) -> Answers:
    """Follow every link and send every form that only asks.

    Args:
        browser: a test client, signed in or not.
        starts: where to begin.
        most: pages looked at of each route; the links of those left out are not seen.
        more: route -> another number of pages.
    """
    seen, ahead, queued = Answers(), deque(starts), set(starts)
    while ahead:
        address = ahead.popleft()
        route = route_of(address)
        if route is None:
            raise AssertionError(f"a link leads to {address}, which is no page")
        if seen.routes[route] >= (more or {}).get(route, most):
            continue
        seen.routes[route] += 1
        answer = seen.pages[address] = whole(browser.get(address))
        found = [answer["Location"]] if answer.status_code in (301, 302) else []
        if is_html(answer) and answer.status_code == 200:
            found += list(_leads(address, answer.content.decode(), seen))
        for link in found:
            target = urljoin(HERE + address, link).partition("#")[0]
            if target.startswith(HERE + "/"):
                target = target.removeprefix(HERE)
                if target not in queued and "language=" not in target:
                    queued.add(target)
                    ahead.append(target)
    return seen


def _leads(address: str, page: str, seen: Answers) -> Iterator[str]:
    """Yield what the links and the asking forms of a page lead to; note the others."""
    for node in HTMLTree.parse(page).body.query_selector_all("a[href], form"):
        if node.tag == "a":
            yield node.getattr("href") or ""
        else:
            fields = fields_of(node)
            target = node.getattr("action") or address
            if (node.getattr("method") or "get").lower() == "post":
                seen.posts.setdefault(target, fields)
            else:
                yield f"{target.partition('?')[0]}?{urlencode(fields)}"


def fields_of(form: DOMNode) -> dict[str, str]:
    """Return the fields of a form as a browser sends them untouched."""
    fields = {}
    for one in form.query_selector_all("input[name], select[name], textarea[name], button[name]"):
        name, kind = one.getattr("name"), (one.getattr("type") or "").lower()
        if one.tag == "select":
            chosen = one.query_selector("option[selected]") or one.query_selector("option")
            if chosen is not None:
                fields[name] = chosen.getattr("value") if chosen.hasattr("value") else chosen.text
        elif one.tag == "textarea":
            fields[name] = one.text
        elif one.tag == "button":
            fields.setdefault(name, one.getattr("value") or "")
        elif kind not in ("radio", "checkbox") or one.hasattr("checked"):
            fields[name] = one.getattr("value") or ""
    return fields


def cookies_of(answer: Any) -> list[str]:
    """Return the cookies of an answer as they are sent."""
    return [re.sub(r"^Set-Cookie: ", "", morsel.output()) for morsel in answer.cookies.values()]


# ---- what must not be in a page --------------------------------------------------------------------------

FORBIDDEN = {
    "animate", "applet", "audio", "base", "embed", "foreignobject", "frame", "frameset", "iframe", "image", "img", "marquee",
    "math", "object", "portal", "script", "set", "source", "style", "template", "track", "video",
}  # fmt: skip
SPOKEN = {"value", "href", "action", "title", "aria-label", "lang", "placeholder", "alt", "content"}
"""Attributes whose values are words or addresses, which may come from outside."""


def faults(page: str, mark: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return what a page holds that only an attack could have brought.

    Args:
        page: as sent.
        mark: what attacks carry in the names and values they would add.
        allowed: forbidden elements that a page that stands for itself may have (`style`).
    """
    found, ids = [], Counter[str]()
    for node in elements(page):
        tag = node.tag
        if tag == "img" and re.fullmatch(r"data:image/(?:png|svg\+xml)[;,][^<>\"']*", node.getattr("src") or ""):
            continue  # a code to scan, drawn here; pictures of svg run nothing
        if (tag in FORBIDDEN and tag not in allowed) or mark in tag:
            found.append(f"<{tag}>")
        for name in node.attrs:
            value = node.getattr(name) or ""
            if name.startswith("on") or mark in name or not re.fullmatch(r"[a-zA-Z][a-zA-Z:-]*", name):
                found.append(f"<{tag} {name!r}>")
            elif name in ("style", "srcdoc", "ping", "background", "formaction", "srcset", "http-equiv", "is"):
                if (tag, name, value) != ("meta", "http-equiv", "Content-Security-Policy"):
                    found.append(f"<{tag} {name}={value!r}>")
            elif mark in value and name not in SPOKEN:
                found.append(f"<{tag} {name}={value!r}>")
            elif name in ("href", "src", "xlink:href") and tag != "link":
                found += [f"<{tag} {name}={value!r}>"] if not is_harmless(value, node) else []
            elif name == "action" and not re.match(r"/(?!/)|$", value):
                found.append(f"<form action={value!r}>")
            elif name == "href" and not re.match(r"/assets/[0-9a-f]{16}/\w+\.css$|data:,$", value):
                found.append(f"<link href={value!r}>")
            elif name == "id":
                ids[value] += 1
    return found + [f"{n} elements with the id {name!r}" for name, n in ids.items() if n > 1]


def is_harmless(address: str, node: DOMNode) -> bool:
    """Tell whether a link leads to a page here, or outward over http without saying where from."""
    if re.match(r"https?:", address):
        return bool(re.match(r"https?://[^\s/\\]", address)) and "noreferrer" in (node.getattr("rel") or "")
    return bool(re.match(r"/(?![/\\])|[?#]|otpauth://totp/bastau:|data:text/plain;charset=utf-8,", address))
