"""The page of one brief."""

from collections.abc import Callable, Collection, Sequence
from html import escape

from bastau.report import charts, document, exhibits, wording
from bastau.report.brief import Brief, MovedTogether, Row
from bastau.report.charts import Caption
from bastau.report.document import paragraph
from bastau.report.locale import Locale
from bastau.report.timeline import Coverage

Link = Callable[[str], str | None]
_OPEN_ROWS = 8


def brief_page(brief: Brief, locale: Locale, link: Link) -> str:
    """Return the brief as one self-contained HTML page in the locale's language.

    Args:
        brief: what to show.
        locale: its words.
        link: narrative_id -> address of its trace page, relative or absolute; None for no page.
    """
    span = wording.period(brief.start, brief.end, locale)
    parts = brief_parts(brief, locale, link)
    heads = [(ident, head) for ident, head, _ in parts]
    main = "".join(document.section(ident, head, body) for ident, head, body in parts)
    title = locale.text("page.brief_title", range=span)
    footer = paragraph(locale.text("page.method")) + paragraph(wording.threshold(brief.min_audience, locale))
    return document.page(locale, title, _header(brief, span, heads, locale), main, footer)


def brief_parts(
    brief: Brief,
    locale: Locale,
    link: Link,
    veiled: Collection[str] = (),
    to_group: Link = lambda _: None,
) -> list[tuple[str, str, str]]:
    """Return the sections of the page as (ident, heading, markup); the words of narratives in ``veiled`` are not shown.

    ``to_group``: group id -> address of its page.
    """
    parts = [
        ("volume", "brief.volume", _volume(brief, locale)),
        ("new", "brief.new", _rows(brief.new, brief.n_new, "brief.new_note", locale, link, veiled)),
        ("rising", "brief.rising", _rising(brief, locale, link, veiled)),
        ("coordinated", "brief.coordinated", _coordinated(brief, locale, link, veiled, to_group)),
        ("influence", "influence.head", _influence(brief, locale)),
        (
            "across",
            "brief.across",
            _rows(brief.across_languages, brief.n_across_languages, "brief.across_note", locale, link, veiled),
        ),
        ("coverage", "brief.coverage", _coverage(brief, locale)),
    ]
    return [(ident, locale.text(key), body) for ident, key, body in parts]


def _header(brief: Brief, span: str, heads: Sequence[tuple[str, str]], locale: Locale) -> str:
    lede = locale.text(
        "brief.lede",
        posts=locale.count("count.posts", brief.n_posts),
        publishers=locale.count("count.publishers", brief.n_publishers),
        narratives=locale.count("brief.narratives", brief.n_narratives),
    )
    before = locale.text("brief.lede_before", posts=locale.count("count.posts", brief.n_posts_before))
    pairs = [
        (locale.text("brief.new_count"), locale.number(brief.n_new)),
        (locale.text("brief.rising_count"), locale.number(brief.n_rising)),
        (locale.text("brief.coordinated"), locale.count("count.groups", len(brief.coordinated))),
        (locale.text("brief.in_narratives"), locale.number(brief.n_in_narratives)),
        (locale.text("brief.private_posts"), locale.number(brief.n_private_posts)),
        (locale.text("brief.rejects"), locale.number(brief.n_rejects)),
    ]
    return (
        f'<p class="kicker"><b>bastau</b> · {locale.text("page.brief")}</p><h1>{escape(span)}</h1>'
        f"{paragraph(f'{lede} {before}', 'lede')}{document.figures(pairs)}{document.contents(locale, heads)}"
    )


def _volume(brief: Brief, locale: Locale) -> str:
    line = brief.timeline
    if line is None:
        return paragraph(locale.text("brief.empty"))
    totals = [sum(counts) for counts in zip(*line.by_language.values(), strict=True)]
    peak = max(range(len(totals)), key=lambda i: totals[i])
    names = {tag: locale.language(tag) for tag in line.by_language}
    title = locale.text("time.chart")
    description = locale.text(
        "time.chart_desc",
        posts=locale.count("count.posts", brief.n_posts),
        start=locale.moment(brief.start),
        end=locale.moment(brief.end),
        bin=locale.duration(line.bin_s),
        peak=locale.moment(line.starts[peak]),
        most=locale.number(totals[peak]),
    )
    as_table = exhibits.timeline_table(line, line.by_language, names, title, locale)
    return exhibits.timeline_chart(
        line, line.by_language, names, title, description, "volume", locale
    ) + document.folded(locale.text("label.as_table"), as_table)


def _rows(rows: Sequence[Row], n: int, note: str, locale: Locale, link: Link, veiled: Collection[str]) -> str:
    if not rows:
        return paragraph(locale.text("brief.nothing"))
    items = [_row(row, locale, link, veiled) for row in rows]
    body = paragraph(locale.text(note), "note") + document.listing(items[:_OPEN_ROWS], "cards")
    if len(items) > _OPEN_ROWS:
        more = locale.count("count.more", len(items) - _OPEN_ROWS)
        body += document.folded(more, document.listing(items[_OPEN_ROWS:], "cards"))
    if n > len(items):
        body += paragraph(locale.text("brief.not_shown", n=locale.number(n - len(items))), "note")
    return body


def _row(row: Row, locale: Locale, link: Link, veiled: Collection[str]) -> str:
    facts = [
        locale.count("count.posts", row.n_posts),
        locale.count("count.publishers", row.n_publishers),
        locale.listing([locale.language(tag) for tag in row.languages[:4]]),
        locale.listing([locale.name("platform", platform) for platform in row.platforms[:4]]),
    ]
    rise = f"<p><strong>{escape(wording.rise(row.rise, locale))}</strong></p>" if row.rise else ""
    return (
        f"<h3>{_title(row.narrative_id, row.text, row.language, link, locale, veiled)}</h3>{rise}"
        f"{paragraph(_earliest(row, locale))}{paragraph(' · '.join(facts), 'facts')}"
    )


def _title(narrative_id: str, text: str, language: str, link: Link, locale: Locale, veiled: Collection[str]) -> str:
    words = document.foreign(document.heading_words(text) or narrative_id, language)
    if narrative_id in veiled:
        words = escape(f"{narrative_id} · {locale.text('brief.veiled')}")
    address = link(narrative_id)
    return f'<a href="{escape(address)}">{words}</a>' if address else words


def _earliest(row: Row, locale: Locale) -> str:
    seen = locale.text("brief.first_seen", moment=locale.moment(row.first_seen_at))
    if row.earliest is None or row.confidence is None:
        return f"{locale.text('brief.earliest_unknown')}; {seen}"
    named = locale.text(
        "brief.earliest",
        source=row.earliest,
        confidence=locale.percent(row.confidence),
        level=wording.level(row.confidence, locale),
    )
    return f"{named}; {seen}"


def _rising(brief: Brief, locale: Locale, link: Link, veiled: Collection[str]) -> str:
    if not brief.n_posts_before:
        return paragraph(locale.text("brief.rising_blind"))
    return _rows(brief.rising, brief.n_rising, "brief.rising_note", locale, link, veiled)


def _coordinated(brief: Brief, locale: Locale, link: Link, veiled: Collection[str], to_group: Link) -> str:
    if not brief.coordinated:
        return paragraph(locale.text("brief.nothing"))
    items = [_group(group, locale, link, veiled, to_group) for group in brief.coordinated]
    return paragraph(locale.text("groups.note"), "note") + document.listing(items, "cards")


def _influence(brief: Brief, locale: Locale) -> str:
    if not brief.influence:
        return paragraph(locale.text("brief.nothing"))
    return exhibits.influence_table(brief.influence, locale)


def _group(group: MovedTogether, locale: Locale, link: Link, veiled: Collection[str], to_group: Link) -> str:
    shown = list(group.sources[:6])
    if rest := len(group.sources) - len(shown):
        shown.append(locale.text("count.sources_more", n=locale.number(rest)))
    body = [f"<h3>{escape(locale.listing(shown))}</h3>", exhibits.group_facts(group, locale)]
    body.append(exhibits.group_examples(group.examples, locale))
    if group.narratives:
        titles = [_title(narrative_id, text, "und", link, locale, veiled) for narrative_id, text in group.narratives]
        body.append(paragraph(locale.text("groups.touched"), "facts") + document.listing(titles))
    if page := to_group(group.group_id):
        body.append(f'<p><a href="{escape(page)}">{escape(locale.text("groups.page"))}</a></p>')
    return "".join(body)


def _coverage(brief: Brief, locale: Locale) -> str:
    body = [paragraph(locale.text("brief.coverage_note"), "note")]
    body += [_platform(i, coverage, locale) for i, coverage in enumerate(brief.coverage)]
    if brief.n_rejects:
        reasons = ", ".join(f"{reason} {locale.number(n)}" for reason, n in brief.reject_reasons)
        body.append(paragraph(f"{locale.count('count.rejects', brief.n_rejects)} {reasons}", "note"))
    return "".join(body)


def _platform(i: int, coverage: Coverage, locale: Locale) -> str:
    platform = locale.name("platform", coverage.platforms[0])
    title = locale.text("brief.coverage_chart", platform=platform)
    description = locale.text(
        "brief.coverage_desc",
        posts=locale.count("count.posts", sum(coverage.counts)),
        bin=locale.duration(coverage.bin_s),
        gaps=wording.gaps(coverage, locale),
    )

    def draw(width: float, suffix: str) -> str:
        return charts.coverage_strip(
            Caption(f"coverage{i}-{suffix}", title, description),
            coverage.starts,
            coverage.counts,
            width=width,
            tick=lambda at: locale.tick(at, coverage.bin_s),
        )

    return f"<h3>{escape(platform)}</h3>{document.chart(draw)}{paragraph(description, 'note')}"
