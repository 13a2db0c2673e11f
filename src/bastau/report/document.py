"""The blocks that pages are made of: one self-contained HTML file, no scripts, no network, everything escaped."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files

from bastau.report.charts import patterns
from bastau.report.locale import Locale
from bastau.report.queries import one_line, shorten

WIDE, NARROW = 940.0, 320.0
"""Widths in px that every chart is drawn for; the style sheet shows the one that fits the window."""

Row = Sequence[str]
Link = Callable[[str, str], str | None]
"""(``narrative``, ``source``, ``post``, ``group`` or ``family``; its id, of a post its ``ref``) -> its page's address, or None."""


def nowhere(_what: str, _ident: str) -> str | None:
    """Link to nothing: a page that stands alone."""
    return None


@cache
def _style() -> tuple[str, str]:
    """Return the style sheet and its hash for the content security policy."""
    css = (files("bastau.report") / "page.css").read_text("utf-8")
    return css, base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


def page(locale: Locale, title: str, header: str, main: str, footer: str) -> str:
    """Return the whole file. The policy lets nothing be loaded and nothing run, not even from inside a post."""
    css, digest = _style()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        f'<!DOCTYPE html>\n<html lang="{locale.code}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n'
        f'<a class="skip" href="#main">{locale.text("page.skip")}</a>\n{patterns()}\n<header>{header}</header>\n'
        f'<main id="main">{main}</main>\n<footer>{footer}</footer>\n</body>\n</html>\n'
    )


def section(ident: str, head: str, body: str) -> str:
    """Return a section under a second-level heading; ``head`` is plain text, ``body`` markup."""
    return f'\n<section aria-labelledby="{ident}"><h2 id="{ident}">{escape(head)}</h2>{body}</section>'


def contents(locale: Locale, heads: Sequence[tuple[str, str]]) -> str:
    """Return links to the sections, given as (ident, head)."""
    items = "".join(f'<li><a href="#{ident}">{escape(head)}</a></li>' for ident, head in heads)
    return f'<nav aria-label="{escape(locale.text("page.contents"))}"><ul>{items}</ul></nav>'


def paragraph(text: str, cls: str = "") -> str:
    """Return plain text as a paragraph, nothing for no text."""
    return f"<p{_cls(cls)}>{escape(text)}</p>" if text else ""


def foreign(text: str, language: str, tag: str = "span") -> str:
    """Return the words of a post in their own language and direction."""
    lang = "" if language in ("und", "other") or "|" in language else language
    return f'<{tag} lang="{escape(lang)}" dir="auto">{escape(text)}</{tag}>'


def name(text: str) -> str:
    """Return a source's name, kept from turning the direction of what surrounds it."""
    return f"<bdi>{escape(text)}</bdi>"


def linked(text: str, address: str | None) -> str:
    """Return a name that leads to ``address``, plain where there is none."""
    return f'<a href="{escape(address)}">{name(text)}</a>' if address else name(text)


def when(at: datetime, locale: Locale) -> str:
    """Return a time, readable for people and machines."""
    return f'<time datetime="{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}">{escape(locale.moment(at))}</time>'


def outward(url: str | None, most: int = 72) -> str:
    """Return a link that leads out, its address as its text; http and https only, and no referrer is sent."""
    if not url or not url.lower().startswith(("http://", "https://")):
        return ""
    plain = url.split("://", 1)[1]
    shown = plain if len(plain) <= most else f"{plain[: most * 2 // 3]}…{plain[-most // 4 :]}"
    return f'<a href="{escape(url)}" rel="noreferrer noopener nofollow">{name(shown)}</a>'


def table(caption: str, heads: Sequence[tuple[str, str]], body: Sequence[Row]) -> str:
    """Return a table that scrolls by itself when too wide.

    ``heads`` are (label, class), class ``n`` for numbers, ``t`` for times, ``id`` for ids, or empty; ``body`` holds
    markup. The first cell of each row is its heading.
    """
    head = "".join(f'<th scope="col"{_cls(cls)}>{escape(label)}</th>' for label, cls in heads)
    lines = []
    for row in body:
        cells = "".join(f"<td{_cls(cls)}>{cell}</td>" for cell, (_, cls) in zip(row[1:], heads[1:], strict=True))
        lines.append(f'<tr><th scope="row"{_cls(heads[0][1])}>{row[0]}</th>{cells}</tr>')
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def folded(summary: str, body: str) -> str:
    """Return ``body`` behind a summary that opens it."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def listing(items: Sequence[str], cls: str = "") -> str:
    """Return markup items as a list, nothing for none."""
    return f"<ul{_cls(cls)}>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def chart(draw: Callable[[float, str], str]) -> str:
    """Return a chart twice, for wide and narrow windows; ``draw`` gets the width and a suffix for its ids."""
    return f'<div class="chart wide">{draw(WIDE, "w")}</div><div class="chart narrow">{draw(NARROW, "n")}</div>'


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the row of key figures: (label, plain value)."""
    items = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in pairs)
    return f'<dl class="figures">{items}</dl>'


def heading_words(text: str) -> str:
    """Return a post's text short enough for a heading."""
    return shorten(one_line(text), 150)


def _cls(cls: str) -> str:
    return f' class="{cls}"' if cls else ""
