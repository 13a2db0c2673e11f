"""The page of evidence for website families, and the same as lines and as JSON."""

from collections.abc import Sequence
from datetime import UTC
from html import escape
from math import exp
from typing import Any, cast

import orjson

from bastau.families import Dossier, Family, Signal
from bastau.report import document
from bastau.report.document import Link, paragraph, table
from bastau.report.locale import Locale
from bastau.report.queries import clean, shorten
from bastau.report.wording import p_text

SMALL_STORE = 1000
"""Below so many websites the page says that rarity is mostly assumed."""
_MOST_VALUE = 90


def families_page(dossier: Dossier, locale: Locale) -> str:
    """Return the dossier as one self-contained HTML page in the locale's language."""
    parts = families_parts(dossier, locale)
    header = families_header(dossier, [(ident, head) for ident, head, _ in parts], locale)
    main = "".join(document.section(ident, head, body) for ident, head, body in parts)
    footer = paragraph(locale.text("page.method")) + paragraph(families_method(dossier, locale))
    return document.page(locale, families_title(dossier, locale), header, main, footer)


def families_title(dossier: Dossier, locale: Locale) -> str:
    """Return what the page is called."""
    if dossier.asked is not None:
        return locale.text("kin.title_of", site=dossier.asked)
    return locale.text("kin.title")


def families_method(dossier: Dossier, locale: Locale) -> str:
    """Return how families are found, in words."""
    return locale.text("kin.method", days=dossier.slack_days)


def families_header(dossier: Dossier, heads: Sequence[tuple[str, str]], locale: Locale) -> str:
    """Return the top of the page."""
    return (
        f'<p class="kicker"><b>bastau</b></p><h1>{escape(families_title(dossier, locale))}</h1>'
        f"{paragraph(lede(dossier, locale), 'lede')}{paragraph(_looked(dossier, locale))}"
        f"{paragraph(locale.text('kin.note'), 'note')}{document.contents(locale, heads)}"
    )


def families_parts(
    dossier: Dossier, locale: Locale, link: Link = document.nowhere, *, folds: bool = False
) -> list[tuple[str, str, str]]:
    """Return the sections of the page as (ident, heading, markup); ``folds``: families by their pages, without their evidence."""
    show = _folded if folds else _family
    parts = [
        ("families", locale.text("kin.families"), "".join(show(family, locale, link) for family in dossier.families)),
        ("unknown", locale.text("kin.unknown"), document.listing([escape(line) for line in unknowns(dossier, locale)])),
        ("ignored", locale.text("kin.ignored"), _ignored(dossier, locale)),
        ("near", locale.text("kin.near"), _near(dossier, locale)),
        ("notes", locale.text("kin.notes"), _notes(dossier, locale)),
    ]
    return [(ident, head, body) for ident, head, body in parts if body]


def lede(dossier: Dossier, locale: Locale) -> str:
    """Return what was found, in one sentence or two."""
    if not dossier.families and dossier.asked is not None:
        return locale.text("kin.none_of", site=dossier.asked)
    compared = locale.text(
        "kin.lede",
        sites=locale.count("kin_count.sites", dossier.n_sites),
        pages=locale.count("kin_count.pages", dossier.n_pages),
        families=locale.count("kin_count.found", dossier.n_families),
    )
    return compared if dossier.families else f"{compared} {locale.text('kin.none')}"


def _looked(dossier: Dossier, locale: Locale) -> str:
    if dossier.first_look is None:
        return ""
    return locale.text("kin.looked", start=locale.moment(dossier.first_look), end=locale.moment(dossier.last_look))


def family_line(family: Family, locale: Locale) -> str:
    """Return how many sites a family has, in which areas they agree, and how likely that is by chance."""
    areas = locale.listing([locale.text(f"kin_area.{area}") for area in family.areas])
    return locale.text("kin.family_line", n=locale.number(len(family.sources)), areas=areas, p=p_text(family.p_value))


def unknowns(dossier: Dossier, locale: Locale) -> list[str]:
    """Return what the evidence cannot say."""
    found = [locale.text("kin.unknown_registry"), locale.text("kin.unknown_unseen"), locale.text("kin.unknown_today")]
    found += [locale.text("kin.unknown_copy"), locale.text("kin.unknown_large", n=locale.number(dossier.max_sites))]
    if dossier.n_sites < SMALL_STORE:
        found.insert(0, locale.text("kin.unknown_small", n=locale.number(dossier.n_sites)))
    return found


# ---- parts -------------------------------------------------------------------------------------------------


def _names(family: Family, link: Link) -> str:
    return ", ".join(document.linked(source, link("source", source)) for source in family.sources)


def _folded(family: Family, locale: Locale, link: Link) -> str:
    head = document.linked(family.family_id, link("family", family.family_id))
    return f"<h3>{head}</h3><p>{_names(family, link)}</p>{paragraph(family_line(family, locale))}"


def _family(family: Family, locale: Locale, link: Link) -> str:
    direct = locale.text("kin.pairs", links=locale.number(family.n_links), pairs=locale.number(family.n_pairs))
    heads = [
        (locale.text("kin.signal"), ""),
        (locale.text("kin.value"), "id"),
        (locale.text("kin.area"), ""),
        (locale.text("kin.tier"), "n"),
        (locale.text("kin.times"), "n"),
        (locale.text("kin.n_sites"), "n"),
        (locale.text("kin.period"), "t"),
    ]
    rows = [
        [
            escape(_name(s.signal, locale)),
            _value(s.value),
            escape(locale.text(f"kin_area.{s.area}")),
            str(s.tier),
            locale.number(exp(s.ratio)),
            locale.number(len(s.seen)),
            _days(s, locale),
        ]
        for s in family.signals
    ]
    body = [
        f'<h3 id="{escape(family.family_id)}">{escape(family.family_id)}</h3><p>{_names(family, link)}</p>',
        paragraph(f"{family_line(family, locale)} {direct}"),
        table(locale.text("kin.evidence"), heads, rows),
        document.folded(
            locale.text("kin.where"), "".join(_where(signal, locale) for signal in family.signals if signal.seen)
        ),
    ]
    return "".join(body)


def _days(signal: Signal, locale: Locale) -> str:
    first, last = (
        f'<time datetime="{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}">{escape(locale.date(at))}</time>'
        for at in (signal.seen_from, signal.seen_to)
    )
    return first if signal.seen_from.date() == signal.seen_to.date() else f"{first} – {last}"


def _where(signal: Signal, locale: Locale) -> str:
    heads = [
        (locale.text("kin.site"), ""),
        (locale.text("kin.seen_from"), "t"),
        (locale.text("kin.seen_to"), "t"),
        (locale.text("kin.n_pages"), "n"),
        (locale.text("kin.address"), "id"),
    ]
    rows = [
        [
            document.name(seen.source),
            document.when(seen.seen_from, locale),
            document.when(seen.seen_to, locale),
            locale.number(seen.n_pages),
            document.outward(seen.url) or "—",
        ]
        for seen in signal.seen
    ]
    return table(f"{_name(signal.signal, locale)}: {shorten(clean(signal.value), _MOST_VALUE)}", heads, rows)


def _ignored(dossier: Dossier, locale: Locale) -> str:
    if not dossier.ignored:
        return paragraph(locale.text("kin.ignored_none"))
    heads = [
        (locale.text("kin.signal"), ""),
        (locale.text("kin.value"), "id"),
        (locale.text("kin.n_sites"), "n"),
        (locale.text("kin.reason"), ""),
        (locale.text("kin.members"), ""),
    ]
    rows = [
        [
            escape(_name(one.signal, locale)),
            _value(one.value),
            locale.number(one.n_sources),
            escape(locale.name("kin_ignored", one.reason)),
            ", ".join(document.name(source) for source in one.sources),
        ]
        for one in dossier.ignored
    ]
    return _long_table(locale.text("kin.ignored"), heads, rows, locale)


def _near(dossier: Dossier, locale: Locale) -> str:
    if not dossier.near:
        return paragraph(locale.text("kin.near_none"))
    heads = [
        (locale.text("kin.pair"), ""),
        (locale.text("kin.reason"), ""),
        (locale.text("kin.shared"), ""),
        ("p", "n"),
    ]
    rows = [
        [
            f"{document.name(near.source_a)} · {document.name(near.source_b)}",
            escape(locale.name("kin_why", near.reason)),
            "; ".join(f"{escape(_name(kind, locale))} {_value(value)}" for kind, value in near.signals[:6]) or "—",
            p_text(near.p_value),
        ]
        for near in dossier.near
    ]
    return _long_table(locale.text("kin.near"), heads, rows, locale)


def _notes(dossier: Dossier, locale: Locale) -> str:
    heads = [(locale.text("kin.site"), ""), (locale.text("kin.reason"), ""), (locale.text("kin.n_pages"), "n")]
    rows = [
        [
            document.name(note.source) if note.source else "—",
            escape(locale.name("kin_note", note.code)),
            locale.number(note.n_pages),
        ]
        for note in dossier.notes
    ]
    return _long_table(locale.text("kin.notes"), heads, rows, locale) if rows else ""


def _long_table(caption: str, heads: Sequence[tuple[str, str]], rows: list[list[str]], locale: Locale) -> str:
    body = table(caption, heads, rows[:12])
    if len(rows) > 12:
        summary = f"{locale.text('label.show_all')} ({locale.number(len(rows))})"
        body += document.folded(summary, table(caption, heads, rows[12:]))
    return body


def _name(kind: str, locale: Locale) -> str:
    words = locale.name("kin_signal", kind)
    return words[:1].upper() + words[1:]


def _value(value: str) -> str:
    return document.name(shorten(clean(value), _MOST_VALUE))


# ---- terminal and JSON -------------------------------------------------------------------------------------


def dossier_lines(dossier: Dossier, locale: Locale) -> list[str]:
    """Return the summary: what was found, the evidence of each family, what was not linked, what is not known."""
    lines = [lede(dossier, locale), _looked(dossier, locale)]
    for family in dossier.families[:20]:
        lines += ["", f"{family.family_id}  {', '.join(family.sources)}", f"  {family_line(family, locale)}"]
        lines += [
            f"  {_name(s.signal, locale)}: {shorten(clean(s.value), _MOST_VALUE)}  "
            f"({locale.text('kin_area.' + s.area)}, {locale.short_date(s.seen_from)} – {locale.short_date(s.seen_to)})"
            for s in family.signals[:10]
        ]
    if dossier.near:
        lines += ["", locale.text("kin.near")]
        lines += [f"  {n.source_a} · {n.source_b}: {locale.name('kin_why', n.reason)}" for n in dossier.near[:10]]
    if dossier.ignored:
        lines += ["", locale.text("kin.ignored")]
        lines += [
            f"  {_name(i.signal, locale)} {shorten(clean(i.value), _MOST_VALUE)}: {locale.name('kin_ignored', i.reason)}"
            for i in dossier.ignored[:10]
        ]
    lines += ["", locale.text("kin.unknown"), *(f"  {line}" for line in unknowns(dossier, locale))]
    return [line for line in lines if line is not None]


def dossier_json(dossier: Dossier) -> dict[str, Any]:
    """Return the dossier as JSON values, times in RFC 3339 with ``Z``."""
    return cast(dict[str, Any], orjson.loads(orjson.dumps(dossier, option=orjson.OPT_UTC_Z)))
