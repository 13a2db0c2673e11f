"""The page of one trace."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from bastau.report import charts, document, exhibits, wording
from bastau.report.charts import Caption
from bastau.report.differences import Piece
from bastau.report.document import Link, paragraph, table
from bastau.report.locale import Locale
from bastau.report.queries import shorten
from bastau.report.timeline import Coverage
from bastau.report.trace import Group, Post, Suggested, Trace

_MOST_ROWS = 12
"""Rows of a list that stand open; longer lists fold the rest."""


def trace_page(trace: Trace, locale: Locale) -> str:
    """Return the trace as one self-contained HTML page in the locale's language."""
    words = document.heading_words(trace.narrative.text) or locale.text("page.single")
    parts = trace_parts(trace, locale)
    heads = [(ident, head) for ident, head, _ in parts]
    main = "".join(document.section(ident, head, body) for ident, head, body in parts)
    title = locale.text("page.trace_title", words=shorten(words, 70))
    header = trace_header(trace, quoted(words, trace.narrative.language, locale), heads, locale)
    return document.page(locale, title, header, main, _footer(trace, locale))


def trace_parts(trace: Trace, locale: Locale, link: Link = document.nowhere) -> list[tuple[str, str, str]]:
    """Return the sections of the page as (ident, heading, markup)."""
    parts = [
        ("first", "first.head", _first_seen(trace, locale, link)),
        ("unknown", "unknown.head", _unknown(trace, locale)),
        ("time", "time.head", _over_time(trace, locale)),
        ("spread", "spread.head", _spread(trace, locale, link)),
        ("earliest", "earliest.head", _earliest(trace, locale, link)),
        ("versions", "versions.head", _versions(trace, locale, link)),
        ("story", "story.head", _story(trace, locale, link)),
        ("publishers", "publishers.head", _publishers(trace, locale, link)),
        ("amplifiers", "amplifiers.head", _amplifiers(trace, locale, link)),
        ("groups", "groups.head", _groups(trace, locale, link)),
        ("kin", "kin.title", _kin(trace, locale, link)),
        ("found", "found.head", _found(trace, locale)),
        ("checked", "checked.head", _fact_checks(trace, locale)),
        ("evidence", "evidence.head", _evidence(trace, locale, link)),
    ]
    return [(ident, locale.text(key), body) for ident, key, body in parts]


def quoted(words: str, language: str, locale: Locale) -> str:
    """Return the words of a post in quotation marks, as markup."""
    before, after = locale.text("form.quote", words="\0").split("\0")
    return f"{before}{document.foreign(words, language)}{after}"


def trace_header(trace: Trace, title: str, heads: Sequence[tuple[str, str]], locale: Locale) -> str:
    """Return the top of the page; ``title`` is the markup of what stands for the narrative."""
    narrative = trace.narrative
    ident = f" · {escape(narrative.narrative_id)}" if narrative.narrative_id else ""
    span = (narrative.last_seen_at - narrative.first_seen_at).total_seconds()
    pairs = [
        (locale.text("label.posts"), locale.number(narrative.n_posts)),
        (locale.text("label.publishers"), locale.number(narrative.n_publishers)),
        (locale.text("label.versions"), locale.number(narrative.n_texts)),
        (locale.text("label.languages"), locale.listing([locale.language(tag) for tag in narrative.languages[:4]])),
        (locale.text("label.platforms"), locale.listing([locale.name("platform", p) for p in narrative.platforms[:5]])),
        (locale.text("label.span"), locale.duration(span)),
    ]
    return (
        f'<p class="kicker"><b>bastau</b> · {locale.text("page.trace")}{ident}</p><h1>{title}</h1>'
        f"{paragraph(wording.headline(trace, locale), 'lede')}{paragraph(wording.open_questions(trace, locale), 'open')}"
        f"{paragraph(wording.extent(trace, locale))}{paragraph(wording.how_found(trace, locale), 'note')}"
        f"{_others(trace, locale)}{document.figures(pairs)}{document.contents(locale, heads)}"
    )


def _others(trace: Trace, locale: Locale) -> str:
    if not trace.others:
        return ""
    items = []
    for other in trace.others:
        facts = [escape(other.narrative_id or locale.text("page.single")), locale.count("count.posts", other.n_posts)]
        if trace.how in ("near_copy", "words"):
            facts.append(locale.percent(other.likeness))
        items.append(f'{document.foreign(other.text, "und")} <span class="facts">{" · ".join(facts)}</span>')
    return document.folded(f"{locale.text('how.others')} ({len(items)})", document.listing(items))


def _first_seen(trace: Trace, locale: Locale, link: Link) -> str:
    first = trace.first_seen
    body = [paragraph(wording.interval(trace, locale))]
    if first.coverage is not None:
        body.append(paragraph(locale.text("first.coverage", share=locale.percent(first.coverage))))
    share = (first.seen_by - trace.coverage.starts[0]).total_seconds()
    share /= trace.coverage.bin_s * len(trace.coverage.starts)
    body.append(_coverage(trace.coverage, locale, min(1.0, max(0.0, share))))
    if not first.candidates:
        reason = wording.reason(first.reason, locale)
        body.append(paragraph(f"{locale.text('first.no_candidates')} {locale.text('label.reason')}: {reason}"))
        wanted = [f"<li>{escape(wording.wanted_line(w, locale))}</li>" for w in first.to_collect]
        if wanted:
            body.append(f"<p>{escape(locale.text('collect.head'))}:</p><ul>{''.join(wanted)}</ul>")
        return "".join(body)
    if first.reason:
        body.append(paragraph(locale.text("first.lowered", reason=wording.reason(first.reason, locale))))
    lines = [
        [
            document.linked(wording.label(c.source, c.source_name, locale), link("source", c.source)),
            _meter(c.confidence, locale),
            document.when(c.published_at, locale),
            escape(locale.name("platform", c.platform)),
            document.outward(c.url) or document.name(c.post_id),
        ]
        for c in first.candidates
    ]
    lines.append([escape(locale.text("label.somebody_else")), _meter(first.unobserved, locale), "", "", ""])
    heads = [
        (locale.text("label.source"), ""),
        (locale.text("label.confidence"), "t"),
        (locale.text("label.time"), "t"),
        (locale.text("label.platform"), ""),
        (locale.text("label.address"), "id"),
    ]
    body.append(f"<h3>{locale.text('first.candidates')}</h3>{paragraph(locale.text('first.candidates_note'), 'note')}")
    body.append(table(locale.text("first.candidates"), heads, lines))
    return "".join(body)


def _meter(share: float, locale: Locale) -> str:
    return f"{charts.meter(share)}{escape(locale.percent(share))}"


def _coverage(coverage: Coverage, locale: Locale, mark: float) -> str:
    gaps = wording.gaps(coverage, locale)
    description = locale.text(
        "first.coverage_chart_desc",
        platforms=locale.listing([locale.name("platform", p) for p in coverage.platforms]),
        bin=locale.duration(coverage.bin_s),
        gaps=gaps,
    )
    title = locale.text("first.coverage_chart")

    def draw(width: float, suffix: str) -> str:
        return charts.coverage_strip(
            Caption(f"coverage-{suffix}", title, description),
            coverage.starts,
            coverage.counts,
            width=width,
            tick=lambda at: locale.tick(at, coverage.bin_s),
            mark=mark,
            mark_label=locale.text("first.first_mark"),
        )

    return f"<h3>{escape(title)}</h3>{document.chart(draw)}{paragraph(description, 'note')}"


def _unknown(trace: Trace, locale: Locale) -> str:
    return document.listing([escape(wording.unknown_line(u, locale)) for u in trace.not_known], "unknown")


def _over_time(trace: Trace, locale: Locale) -> str:
    line = trace.timeline
    names = {tag: locale.language(tag) for tag in line.by_language}
    totals = [sum(counts) for counts in zip(*line.by_language.values(), strict=True)]
    peak = max(range(len(totals)), key=lambda i: totals[i])
    caption = locale.text("time.chart")
    description = locale.text(
        "time.chart_desc",
        posts=locale.count("count.posts", trace.narrative.n_posts),
        start=locale.moment(trace.narrative.first_seen_at),
        end=locale.moment(trace.narrative.last_seen_at),
        bin=locale.duration(line.bin_s),
        peak=locale.moment(line.starts[peak]),
        most=locale.number(totals[peak]),
    )
    platforms = {p: locale.name("platform", p) for p in line.by_platform}
    return (
        exhibits.timeline_chart(
            line, line.by_language, names, caption, description, "time", locale, trace.coverage.gaps
        )
        + document.folded(
            locale.text("label.as_table"), exhibits.timeline_table(line, line.by_language, names, caption, locale)
        )
        + document.folded(
            locale.text("time.by_platform"),
            exhibits.timeline_table(line, line.by_platform, platforms, locale.text("time.by_platform"), locale),
        )
    )


def _spread(trace: Trace, locale: Locale, link: Link) -> str:
    if not trace.copies and len(trace.spread.posts) < 2:
        return paragraph(locale.text("spread.nobody"))
    body = []
    if len(trace.spread.posts) > 1:
        body.append(_spread_graph(trace, locale, link))
    if trace.copies:
        heads = [
            (locale.text("label.kind"), ""),
            (locale.text("label.copies"), "n"),
            (locale.text("label.named"), "n"),
            (locale.text("label.median_delay"), "n"),
        ]
        lines = [
            [
                escape(locale.name("kind", c.kind)),
                locale.number(c.n),
                locale.number(c.n_named),
                escape(wording.delay(c.median_delay_s, locale)),
            ]
            for c in trace.copies
        ]
        body.append(f"<h3>{locale.text('spread.kinds')}</h3>{table(locale.text('spread.kinds'), heads, lines)}")
        if any(c.n > c.n_named for c in trace.copies):
            body.append(paragraph(locale.text("spread.hidden"), "note"))
        body.append(_delays(trace, locale))
    if trace.edges:
        body.append(document.folded(locale.text("spread.edges"), _edges(trace, locale, link)))
    return "".join(body)


def _spread_graph(trace: Trace, locale: Locale, link: Link) -> str:
    spread = trace.spread
    start: datetime = spread.posts[0].published_at
    kinds = [copy.kind for copy in trace.copies if any(edge.kind == copy.kind for edge in spread.edges)]
    dots = [
        charts.Dot(
            post.lane,
            (post.published_at - start).total_seconds(),
            f"{spread.lanes[post.lane]} · {locale.moment(post.published_at)}",
            link("post", post.ref),
        )
        for post in spread.posts
    ]
    lines = [charts.Line(edge.origin, edge.copy, edge.kind) for edge in spread.edges]
    description = locale.text(
        "spread.graph_desc",
        dots=locale.count("count.posts", len(dots)),
        lines=locale.count("count.copies", len(lines)),
        first=dots[0].label,
    )

    def draw(width: float, suffix: str) -> str:
        return charts.spread_graph(
            Caption(f"spread-{suffix}", locale.text("spread.graph"), description),
            spread.lanes,
            dots,
            lines,
            width=width,
            offset=lambda s: f"+{locale.short_duration(s)}" if s else locale.short_moment(start),
            addresses=[link("source", source) for source in spread.lanes],
        )

    legend = [f"{charts.key_line(kind)}{escape(locale.name('kind', kind))}" for kind in kinds]
    note = locale.text("spread.note")
    if spread.n_publishers_left_out:
        note = f"{note} {locale.count('count.left_out', spread.n_publishers_left_out)}"
    return (
        f"<h3>{locale.text('spread.graph')}</h3>{document.listing(legend, 'legend')}{document.chart(draw)}"
        f"{paragraph(note, 'note')}"
    )


def _delays(trace: Trace, locale: Locale) -> str:
    labels, counts = wording.delay_classes(trace.delays, locale)
    title = locale.text("spread.delays")
    description = locale.text("spread.delays_desc", median=wording.delay(trace.copies[0].median_delay_s, locale))

    def draw(width: float, suffix: str) -> str:
        caption = Caption(f"delays-{suffix}", title, description)
        return charts.histogram(caption, labels, counts, width=min(width, 620.0), number=locale.number)

    return f"<h3>{escape(title)}</h3>{document.chart(draw)}{paragraph(description, 'note')}"


def _edges(trace: Trace, locale: Locale, link: Link) -> str:
    heads = [
        (locale.text("label.from"), ""),
        (locale.text("label.to"), ""),
        (locale.text("label.kind"), ""),
        (locale.text("label.copies"), "n"),
        (locale.text("label.delay"), "n"),
    ]
    lines = [
        [
            document.linked(edge.from_source, link("source", edge.from_source)),
            document.linked(edge.to_source, link("source", edge.to_source)),
            escape(locale.name("kind", edge.kind)),
            locale.number(edge.n),
            escape(wording.delay(edge.delay_s, locale)),
        ]
        for edge in trace.edges
    ]
    return table(locale.text("spread.edges"), heads, lines) + _more(trace.n_more_edges, locale)


def _more(n: int, locale: Locale) -> str:
    return paragraph(locale.count("count.more", n), "note") if n else ""


def _earliest(trace: Trace, locale: Locale, link: Link) -> str:
    items = "".join(f"<li>{_post(post, locale, link)}</li>" for post in trace.earliest)
    return f'{paragraph(locale.text("earliest.note"), "note")}<ol class="posts">{items}</ol>'


def _post(post: Post, locale: Locale, link: Link) -> str:
    address = link("source", post.source) if post.source else None
    source = document.linked(wording.label(post.source, post.source_name, locale), address)
    by = (
        f'<div class="by">{document.when(post.published_at, locale)}{source}<br>'
        f'<span class="quiet">{escape(locale.name("platform", post.platform))} · {escape(locale.language(post.language))}'
        f"</span><br>{document.outward(post.url, 40)}</div>"
    )
    tag = f'<span class="tag">{escape(wording.version_line(post, locale))}</span>'
    if not post.is_first_of_version:
        return f"{by}<div>{tag}</div>"
    if not post.differences:
        return f"{by}<div>{tag}{_words(escape(post.text), post.language)}</div>"
    return f"{by}<div>{tag}{_words(_marked(post.differences), post.language)}</div>"


def _marked(pieces: Sequence[Piece]) -> str:
    marks = {"same": "{}", "added": "<ins>{}</ins>", "removed": "<del>{}</del>"}
    return "".join(marks[piece.kind].format(escape(piece.text)) for piece in pieces)


def _versions(trace: Trace, locale: Locale, link: Link) -> str:
    if not trace.versions:
        return paragraph(locale.text("versions.none"), "note")
    items = []
    for one in trace.versions:
        source = escape(locale.text("versions.private"))
        if one.source:
            source = document.linked(one.source, link("source", one.source))
        by = (
            f'<div class="by">{document.when(one.first_seen_at, locale)}{source}<br>'
            f'<span class="quiet">{escape(locale.count("count.posts", one.n_posts))} · '
            f"{escape(locale.language(one.language))}</span></div>"
        )
        tag = f'<span class="tag">{escape(wording.version_heading(one, locale))}</span>'
        words = _marked(one.differences) if one.differences else escape(one.text)
        items.append(f"<li>{by}<div>{tag}{_words(words, one.language)}</div></li>")
    note = paragraph(locale.text("versions.note"), "note")
    more = trace.narrative.n_texts - len(trace.versions)
    return f'{note}<ol class="posts">{"".join(items)}</ol>{_more(more, locale) if more > 0 else ""}'


def _story(trace: Trace, locale: Locale, link: Link) -> str:
    body = []
    if trace.curated:
        lines = [
            f"{document.foreign(one.title, 'und')} ({escape(one.curated_id)}), {escape(locale.percent(one.score))}: "
            f"{document.foreign(one.proposition, 'und')}"
            for one in trace.curated
        ]
        body += [f"<h3>{escape(locale.text('story.curated'))}</h3>", document.listing(lines)]
        body.append(paragraph(locale.text("story.curated_note"), "note"))
    if trace.theme is not None:
        body += [
            f"<h3>{escape(locale.text('story.theme_head'))}</h3>",
            paragraph(wording.theme_line(trace.theme, locale)),
            document.listing([document.foreign(trace.theme.text, trace.theme.language)]),
            paragraph(locale.text("story.theme_note"), "note"),
        ]
    if trace.story is None:
        return "".join([*body, paragraph(locale.text("story.none"), "note")])
    body += [paragraph(wording.story_line(trace.story, locale)), paragraph(locale.text("story.note"), "note")]
    items = []
    for other in trace.story.others:
        facts = [
            document.linked(other.narrative_id, link("narrative", other.narrative_id))
            if other.narrative_id
            else escape(locale.text("page.single")),
            escape(locale.count("count.posts", other.n_posts)),
            escape(locale.moment(other.first_seen_at)),
            escape(locale.language(other.language)),
            *([escape(locale.text("story.reworded"))] if other.is_reworded else []),
        ]
        items.append(f'{document.foreign(other.text, other.language)} <span class="facts">{" · ".join(facts)}</span>')
    more = trace.story.n_tellings - 1 - len(items)
    return "".join([*body, document.listing(items), _more(more, locale) if more > 0 else ""])


def _words(markup: str, language: str) -> str:
    lang = "" if language == "und" or "|" in language else language
    return f'<blockquote class="words" lang="{escape(lang)}" dir="auto">{markup}</blockquote>'


def _publishers(trace: Trace, locale: Locale, link: Link) -> str:
    heads = [
        (locale.text("label.source"), ""),
        (locale.text("label.platform"), ""),
        (locale.text("label.first_post"), "t"),
        (locale.text("label.posts"), "n"),
        (locale.text("label.repeated"), "n"),
        (locale.text("label.audience"), "n"),
    ]
    lines = [
        [
            document.linked(wording.label(p.source, p.source_name, locale), link("source", p.source)),
            escape(locale.name("platform", p.platform)),
            document.when(p.first_at, locale),
            locale.number(p.n_posts),
            locale.number(p.n_repeated),
            "—" if p.audience is None else locale.number(p.audience),
        ]
        for p in trace.publishers
    ]
    n_private = trace.narrative.n_sources - trace.narrative.n_publishers
    private = paragraph(locale.count("count.accounts", n_private), "note") if n_private else ""
    if not lines:
        return private
    head, rest = lines[:_MOST_ROWS], lines[_MOST_ROWS:]
    caption = locale.text("publishers.head")
    body = paragraph(locale.text("publishers.note"), "note") + table(caption, heads, head)
    if rest:
        summary = f"{locale.text('label.show_all')} ({locale.number(len(lines))})"
        body += document.folded(summary, table(caption, heads, rest))
    return body + _more(trace.n_more_publishers, locale) + private


def _amplifiers(trace: Trace, locale: Locale, link: Link) -> str:
    if not trace.amplifiers:
        nobody = paragraph(locale.text("amplifiers.nobody"))
        return nobody + exhibits.influence_table(trace.influence, locale)
    heads = [
        (locale.text("label.source"), ""),
        (locale.text("label.fib"), "n"),
        (locale.text("label.fib_overall"), "n"),
        (locale.text("label.posts"), "n"),
        (locale.text("label.repeats"), "n"),
        (locale.text("label.set_off"), "n"),
    ]
    lines = [
        [
            document.linked(a.source, link("source", a.source)),
            locale.number(a.score),
            "—" if a.score_overall is None else locale.number(a.score_overall),
            locale.number(a.n_posts),
            locale.number(round(a.n_repeats)),
            "—" if a.influence is None else locale.number(round(a.influence)),
        ]
        for a in trace.amplifiers
    ]
    body = paragraph(locale.text("amplifiers.note"), "note") + table(locale.text("amplifiers.head"), heads, lines)
    return body + exhibits.influence_table(trace.influence, locale)


def _groups(trace: Trace, locale: Locale, link: Link) -> str:
    printed = paragraph(locale.text("groups.agency", agency=trace.agency.name)) if trace.agency else ""
    if not trace.groups:
        return printed + paragraph(locale.text("groups.nobody"))
    items = [_group(group, locale, link) for group in trace.groups]
    return printed + paragraph(locale.text("groups.note"), "note") + document.listing(items, "cards")


def _group(group: Group, locale: Locale, link: Link) -> str:
    here = "".join([locale.text("groups.sources_here", sources=locale.listing(list(group.sources_here)))])
    body = [f"<h3>{escape(here)}</h3>", exhibits.group_facts(group, locale)]
    if group.n_examples_here:
        body.append(paragraph(locale.count("groups.examples_here", group.n_examples_here), "facts"))
    body.append(exhibits.group_examples(group.examples, locale))
    summary = f"{locale.text('groups.sources_all')} ({locale.number(len(group.sources))})"
    names = ", ".join(document.linked(source, link("source", source)) for source in group.sources)
    body.append(document.folded(summary, f"<p>{names}</p>"))
    if page := link("group", group.group_id):
        body.append(f'<p><a href="{escape(page)}">{escape(locale.text("groups.page"))}</a></p>')
    return "".join(body)


def _kin(trace: Trace, locale: Locale, link: Link) -> str:
    if not trace.kin:
        return paragraph(locale.text("kin.in_trace_none"))
    lines = [
        f"{escape(wording.kin(kin, locale))} {document.linked(kin.family_id, link('family', kin.family_id))}"
        for kin in trace.kin
    ]
    return paragraph(locale.text("kin.note"), "note") + document.listing(lines)


def _found(trace: Trace, locale: Locale) -> str:
    items = [_suggested(one, locale) for one in trace.suggested]
    for entry in trace.known:
        name = locale.text("found.known", signal=locale.name("signal", entry.signal), list=entry.list)
        facts = f"{entry.entry} · {locale.count('count.posts', entry.n_posts)} · {wording.gates(entry.gates, locale)}"
        items.append(f"<h3>{escape(name)}</h3>{paragraph(facts, 'facts')}")
    if not items:
        return paragraph(locale.text("found.nothing"))
    return paragraph(locale.text("found.note"), "note") + document.listing(items, "cards")


def _fact_checks(trace: Trace, locale: Locale) -> str:
    if not trace.fact_checks:
        return paragraph(locale.text("checked.nothing"))
    items = []
    for one in trace.fact_checks:
        claim = quoted(one.claim, one.language or "und", locale)
        body = [f"<h3>{claim}</h3>", paragraph(wording.checked_by(one, locale), "facts")]
        if one.verdict:
            verdict = quoted(one.verdict, one.language or "und", locale)
            body.append(f"<p>{escape(locale.text('checked.verdict'))}: {verdict}</p>")
        if one.title:
            body.append(f"<p>{document.foreign(one.title, one.language or 'und')}</p>")
        body.append(f"<p>{document.outward(one.url) or document.name(one.claim_id)}</p>")
        items.append("".join(body))
    return paragraph(locale.text("checked.note"), "note") + document.listing(items, "cards")


def _suggested(one: Suggested, locale: Locale) -> str:
    facts = (
        f"{one.rule} {one.version} · {locale.count('count.posts', one.n_posts)} · {wording.gates(one.gates, locale)}"
    )
    body = f"<h3>{escape(locale.name('act', one.act))}</h3>{paragraph(facts, 'facts')}"
    if one.example:
        words = "".join(f"<mark>{escape(m.text)}</mark>" if m.is_match else escape(m.text) for m in one.example)
        body += document.folded(locale.text("found.example"), f'<p class="words" lang="" dir="auto">{words}</p>')
    return body


def _evidence(trace: Trace, locale: Locale, link: Link) -> str:
    evidence = trace.evidence
    heads = [
        (locale.text("label.post_id"), "id"),
        (locale.text("label.source"), ""),
        (locale.text("label.time"), "t"),
        (locale.text("label.collected"), "t"),
        (locale.text("label.address"), "id"),
    ]
    lines = [
        [
            document.linked(post.post_id, link("post", post.ref)),
            document.linked(post.source, link("source", post.source)),
            document.when(post.published_at, locale),
            document.when(post.collected_at, locale),
            document.outward(post.url) or "—",
        ]
        for post in evidence.posts
    ]
    body = [paragraph(locale.text("evidence.note"), "note")]
    if lines:
        shown = locale.count("count.posts", len(lines))
        body.append(
            document.folded(shown, table(locale.text("evidence.head"), heads, lines) + _more(evidence.n_more, locale))
        )
    if evidence.n_private:
        body.append(paragraph(f"{locale.text('evidence.private')} ({locale.number(evidence.n_private)})", "note"))
    if evidence.files:
        body.append(document.folded(locale.text("evidence.files"), _files(trace, locale)))
    return "".join(body)


def _files(trace: Trace, locale: Locale) -> str:
    heads = [
        (locale.text("label.file"), "id"),
        (locale.text("label.format"), ""),
        (locale.text("label.posts"), "n"),
        (locale.text("label.rejects"), "n"),
        (locale.text("label.imported"), "t"),
    ]
    lines = [
        [
            document.name(file.file),
            escape(file.format),
            locale.number(file.n_posts),
            locale.number(file.n_rejects),
            document.when(file.imported_at, locale),
        ]
        for file in trace.evidence.files
    ]
    return table(locale.text("evidence.files"), heads, lines) + _more(trace.evidence.n_more_files, locale)


def _footer(trace: Trace, locale: Locale) -> str:
    posts = locale.count("count.posts", trace.n_posts_stored)
    made = locale.text("page.made_from_some", posts=posts)
    if trace.stored_until is not None:
        made = locale.text("page.made_from", posts=posts, moment=locale.moment(trace.stored_until))
    return (
        paragraph(locale.text("page.method"))
        + paragraph(wording.threshold(trace.min_audience, locale))
        + paragraph(made)
    )
