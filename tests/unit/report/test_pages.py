import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import duckdb
import pytest
from report_world import PRIVATE, at, canonical, connect, locales, sign, world_tables

from bastau.report.brief import brief
from bastau.report.brief_page import brief_page
from bastau.report.build import build_trace
from bastau.report.document import outward
from bastau.report.locale import Locale, load
from bastau.report.search import Found, find
from bastau.report.terminal import brief_lines, trace_lines
from bastau.report.trace import Trace, Unknown
from bastau.report.trace_page import trace_page
from bastau.report.wording import not_found, reason, unknown_line

VOID = {"meta", "link", "br", "rect", "path", "circle"}


class Page(HTMLParser):
    """Reads a page as a browser would, and checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def pages(trace: Trace) -> list[tuple[Locale, str]]:
    """Every kind of page in every language."""
    con = connect(world_tables())
    made = brief(con, at(-1440), at(6 * 1440))
    alone = build_trace(con, find(con, "telegram:l0", canonical=canonical, sign=sign))
    private = build_trace(con, find(con, "snow leopards", canonical=canonical, sign=sign))
    empty = brief(connect({}), at(0), at(1440))
    found = []
    for locale in locales():
        found += [(locale, trace_page(each, locale)) for each in (trace, alone, private)]
        found += [(locale, brief_page(each, locale, lambda n: f"traces/{n}.html")) for each in (made, empty)]
    return found


def test_every_page_is_well_formed_and_safe(pages: list[tuple[Locale, str]]) -> None:
    for locale, text in pages:
        page = Page(text)
        assert page.stack == []
        assert page.all("html") == [{"lang": locale.code}]
        assert not page.all("script")
        assert not [attrs for _, attrs in page.tags if any(name.startswith("on") or name == "style" for name in attrs)]
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        for _, attrs in page.tags:
            assert set((attrs.get("aria-labelledby") or "").split()) <= set(ids)


def test_headings_are_in_order_and_one_is_first(pages: list[tuple[Locale, str]]) -> None:
    for _, text in pages:
        levels = [int(tag[1]) for tag, _ in Page(text).tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_the_policy_allows_the_style_sheet_and_nothing_else(trace: Trace) -> None:
    text = trace_page(trace, load("en"))
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    (policy,) = [m["content"] for m in Page(text).all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "url(http" not in css


def test_links_lead_out_by_http_only_and_tell_nobody_where_from(trace: Trace) -> None:
    links = [a for a in Page(trace_page(trace, load("en"))).all("a") if not a["href"].startswith("#")]
    assert links
    assert all(a["href"].startswith("https://") and "noreferrer" in a["rel"] for a in links)
    assert outward("javascript:alert(1)") == outward(None) == ""
    assert '"' not in outward('https://a.example/"onmouseover="x').split('href="')[1].split('"')[0]


def test_no_page_or_line_holds_a_pseudonym(
    con: duckdb.DuckDBPyConnection, trace: Trace, pages: list[tuple[Locale, str]]
) -> None:
    made = brief(con, at(-1440), at(6 * 1440))
    told = [text for _, text in pages]
    told += ["\n".join([*trace_lines(trace, locale), *brief_lines(made, locale)]) for locale in locales()]
    for text in told:
        assert "p~" not in text
        assert PRIVATE[2:] not in text


def test_the_words_of_posts_carry_their_language_and_find_their_direction(trace: Trace) -> None:
    arabic = replace(trace.earliest[0], text="خبر: الماء <b>", language="ar", differences=())
    page = Page(trace_page(replace(trace, earliest=(arabic, *trace.earliest[1:])), load("en")))
    quotes = page.all("blockquote")
    assert quotes[0] == {"class": "words", "lang": "ar", "dir": "auto"}
    assert all(quote["dir"] == "auto" for quote in quotes)
    assert "خبر: الماء <b>" in page.words


def test_the_top_line_says_observed_how_sure_and_what_is_not_known(trace: Trace) -> None:
    text = " ".join(Page(trace_page(trace, load("en"))).words)
    assert "Earliest observed publisher: Сұңқарлы жаңалықтары (sunkarly_news)" in text
    assert "Confidence 54% (moderate)" in text
    assert "1 post by an account below the audience threshold is dated earlier." in text
    assert "Not known: " in text
    assert "says nothing of intent" in text


def test_an_abstention_names_nobody_as_the_origin(con: duckdb.DuckDBPyConnection) -> None:
    private = build_trace(con, find(con, "snow leopards", canonical=canonical, sign=sign))
    text = " ".join(Page(trace_page(private, load("en"))).words)
    assert "Earliest observed: an account below the audience threshold (X)" in text
    assert "Where it began is not known" in text


def test_a_threshold_of_zero_is_stated(trace: Trace) -> None:
    text = trace_page(replace(trace, min_audience=0), load("en"))
    assert "The audience threshold is set to 0" in text
    assert "The audience threshold is set to 0" not in trace_page(trace, load("en"))


def test_changed_words_are_marked(trace: Trace) -> None:
    text = trace_page(trace, load("ru"))
    assert "<ins>пять</ins>" in text
    assert "<del>три</del>" in text


def test_a_brief_links_to_the_traces_that_exist(con: duckdb.DuckDBPyConnection) -> None:
    made = brief(con, at(-1440), at(6 * 1440))
    first = made.new[0].narrative_id
    page = brief_page(made, load("kk"), lambda n: f'{n}.html?"' if n == first else None)
    targets = {a["href"] for a in Page(page).all("a") if not a["href"].startswith("#")}
    assert targets == {f'{first}.html?"'}


@pytest.mark.parametrize("locale", locales(), ids=lambda locale: locale.code)
def test_every_reason_of_the_analysis_has_words(locale: Locale) -> None:
    codes = ("only_private", "starts_with_data", "low_coverage", "origin_unobserved", "private_earlier")
    codes += ("declared_copy", "points_elsewhere", "rivals", "partial_coverage")
    told = {reason(code, locale) for code in codes}
    assert len(told) == len(codes)
    assert not [words for words in told if any(code in words for code in codes)]
    assert "brand_new" in reason("brand_new", locale)


@pytest.mark.parametrize("locale", locales(), ids=lambda locale: locale.code)
def test_counted_unknowns_agree_with_their_number(locale: Locale) -> None:
    few, many = (unknown_line(Unknown("reposts_of_unseen", {"n": n}), locale) for n in (1, 5000))
    assert "1" in few
    assert locale.number(5000) in many


@pytest.mark.parametrize("locale", locales(), ids=lambda locale: locale.code)
def test_finding_nothing_says_what_to_try(locale: Locale) -> None:
    for code in ("erased", "not_stored_id", "not_stored_url", "too_short", "other_words", "nothing_stored"):
        head, advice = not_found(Found("қайда", "none", None, suggestions=(code,)), locale)
        assert "қайда" in head
        assert len(advice) > 20


def test_terminal_lines_hold_no_control_characters(trace: Trace) -> None:
    for locale in locales():
        assert not [line for line in trace_lines(trace, locale) if re.search(r"[\x00-\x1f\x7f]", line)]


@pytest.mark.parametrize("code", ["kk", "ru", "en"])
def test_what_to_collect_is_told_and_a_pseudonym_never_is(con: duckdb.DuckDBPyConnection, code: str) -> None:
    locale = load(code)
    trace = build_trace(con, find(con, "snow leopards", canonical=canonical, sign=sign))
    told = ["\n".join(trace_lines(trace, locale)), trace_page(trace, locale)]
    for text in told:
        assert locale.text("collect.head") in text
        assert "sunkarly_alys" in text
        assert "p~0123456789abcdef" not in text
