"""The headline of a page, without the name of its site."""

import json

import pytest

from bastau.collect.articles import read_article

HEADLINE = "Су тасқыны басталды, тұрғындар көшірілді"


def title_of(head: str, body: str = "", url: str = "https://tau.example/a") -> str | None:
    return read_article(f"<html><head>{head}</head><body>{body}<p>Мәтін.</p></body></html>", url).title


def shared(title: str) -> str:
    return f'<meta property="og:title" content="{title}">'


def json_ld(headline: str) -> str:
    data = json.dumps({"@type": "NewsArticle", "headline": headline})
    return f'<script type="application/ld+json">{data}</script>'


@pytest.mark.parametrize(
    "name", [" | Tau News", " — Tau News", " - tau.example", " » Tau", " :: Tau news", "-Tau News"]
)
def test_the_name_of_the_site_goes(name: str) -> None:
    head = f'<meta property="og:site_name" content="Tau News">{shared(HEADLINE + name)}'
    assert title_of(head) == HEADLINE


def test_a_dash_of_the_author_stays() -> None:
    headline = "Өзен деңгейі — рекордтық көрсеткіш"
    assert title_of(shared(headline)) == headline
    assert title_of(shared(headline + " | Tau")) == headline


def test_two_that_agree_outvote_the_third() -> None:
    other = "Тасқын туралы барлық мәлімет осында"
    heading = f"<h1>{HEADLINE}</h1>"
    assert title_of(json_ld(HEADLINE) + shared(other), heading) == HEADLINE
    assert title_of(json_ld(other) + shared(HEADLINE + " | Tau"), heading) == HEADLINE
    assert title_of(json_ld(HEADLINE) + shared(HEADLINE), f"<h1>{other}</h1>") == HEADLINE


def test_where_all_differ_the_page_is_believed_in_its_data_first() -> None:
    head = json_ld(HEADLINE) + shared("Тасқын: не білеміз")
    assert title_of(head, "<h1>Бүгінгі хабарлар тізімі</h1>") == HEADLINE


def test_the_name_of_a_blog_as_a_heading_is_no_headline() -> None:
    head = f'<meta property="og:site_name" content="Дала күнделігі">{shared(HEADLINE)}'
    assert title_of(head, f"<h1>Дала күнделігі</h1><h1>{HEADLINE}</h1>") == HEADLINE
    assert title_of(f"<title>{HEADLINE} | Tau</title>", "<h1>Tau</h1>") == HEADLINE


def test_the_section_inside_a_heading_goes_where_the_page_shares_its_title_without_it() -> None:
    assert title_of(shared(HEADLINE), f"<h1><span>Аймақ</span> {HEADLINE}</h1>") == HEADLINE


def test_styles_inside_a_heading_are_not_read() -> None:
    assert title_of("", f"<h1><style>.a{{color:red}}</style>{HEADLINE}</h1>") == HEADLINE


def test_quotes_and_capitals_do_not_keep_titles_apart() -> None:
    said = "Министр: «Бұл рекорд»"
    assert title_of(json_ld(said) + shared("МИНИСТР: “Бұл рекорд” | Tau")) == said


def test_a_page_without_any_title_has_none() -> None:
    assert title_of("") is None
