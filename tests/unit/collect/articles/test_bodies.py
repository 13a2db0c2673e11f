"""The body of an article is found on its page, and what stands beside it is left out."""

import gc
import threading
import time

import pytest

from bastau.collect.articles import read_article
from bastau.collect.articles.boilerplate import is_boilerplate, kind_of
from bastau.collect.articles.likeness import likeness

KAZAKH = "Облыс орталығында су деңгейі екі метрге көтеріліп, жағалаудағы үйлерді су басты, деп хабарлады жедел штаб. "
RUSSIAN = (
    "В областном центре уровень воды поднялся на два метра, и прибрежные дома подтопило, сообщил оперативный штаб. "
)
OTHER = "Қалада жаңа кітапхана ашылды, оған бір мыңнан астам оқырман келді, деп жазды басқа бір мақала. "


def text_of(body: str, head: str = "") -> str:
    return read_article(f"<html><head>{head}</head><body>{body}</body></html>", "https://tau.example/a").text


def paragraphs(text: str, n: int = 4) -> str:
    return "".join(f"<p>{text * 2}{i}.</p>" for i in range(n))


@pytest.mark.parametrize(
    "line",
    [
        "Оқи отырыңыз: Алматыда жаңа көпір ашылды",
        "Сондай-ақ оқыңыз: Ауа райы қандай болады",
        "Telegram арнамызға жазылыңыз!",
        "Жаңалықтардан қалыс қалмау үшін біздің Telegram арнамызға жазылып қойыңыз",
        "Достарыңызбен бөлісіңіз:",
        "Бөлісу",
        "Пікірлер (12)",
        "Фото: облыс әкімдігі",
        "Мәтіннен қате тапсаңыз, белгілеп, Ctrl+Enter басыңыз",
        "© 2026 Tau. Барлық құқықтар қорғалған.",
        "Авторы: Айгүл Сапарова",
        "Қаралды: 1250",
        "Автор: Иван Петров",
        "Оригинал статьи: https://tau.example/a",
        "Читайте также: В Астане открыли мост",
        "→ Читайте ещё: погода на выходные",
        "Подписывайтесь на наш Telegram-канал и узнавайте новости первыми",
        "Поделиться",
        "Комментарии: 3",
        "Нашли ошибку? Выделите её и нажмите Ctrl + Enter",
        "Фото: пресс-служба акимата",
        "Read more: A bridge opens in Almaty",
        "Sign up for our morning newsletter",
    ],
)
def test_calls_captions_and_notices_are_no_part_of_an_article(line: str) -> None:
    assert is_boilerplate(line)
    found = text_of(f"<main><h1>Су тасқыны</h1>{paragraphs(KAZAKH)}<p>{line}</p>{paragraphs(RUSSIAN)}</main>")
    assert line not in found
    assert KAZAKH.strip() in found
    assert RUSSIAN.strip() in found


@pytest.mark.parametrize(
    "line",
    [
        "Бөлісу экономикасы елімізде жылдан жылға дамып келеді.",
        "Комментарии экспертов разошлись: одни ждут роста, другие падения.",
        "Поделился он и тем, как вода пришла ночью.",
        "Жарнама нарығы биыл он пайызға өсті.",
        "Реклама подорожала на десять процентов.",
        "Поделиться своим мнением решил и министр.",
        "Наш канал закрыли без объяснений, сообщил владелец.",
        "Фото с места взрыва появилось в сети через час.",
        "Маңызды жаңалықтар топтамасы кеше шықты.",
        "The company changed its privacy policy on Monday.",
        "Related to the flood, three roads were closed.",
        "Подписывайтесь или нет, решает каждый сам, сказал он. " + RUSSIAN * 4,
    ],
)
def test_sentences_that_use_the_same_words_stay(line: str) -> None:
    assert not is_boilerplate(line)


def test_names_of_elements_are_read_apart_and_shared_parts_do_not_count() -> None:
    assert kind_of("c-inlineSignup__blurb") == "beside"
    assert kind_of("onetrust-consent-sdk") == "never"
    assert kind_of("article-body broad") is None  # no "ad", no "bro"
    assert kind_of("hidden md:block") is None
    assert kind_of("hidden") == "beside"


def test_boxes_beside_the_body_are_left_out_and_a_wrapper_of_everything_is_not() -> None:
    beside = (
        f"<div class='related-news'>{paragraphs(OTHER, 2)}</div><div id='cookie-consent'>{paragraphs(OTHER, 3)}</div>"
    )
    found = text_of(f"<div class='has-comments page'><div class='text'>{paragraphs(KAZAKH, 6)}{beside}</div></div>")
    assert OTHER.strip() not in found
    assert KAZAKH.strip() in found


def test_another_column_of_teasers_is_not_read() -> None:
    column = "".join(f"<div class='card'><p><a href='/{i}'>{OTHER}</a></p></div>" for i in range(5))
    found = text_of(f"<div><div class='left'>{paragraphs(RUSSIAN, 6)}</div><div class='right'>{column}</div></div>")
    assert RUSSIAN.strip() in found
    assert OTHER.strip() not in found


def test_the_lead_between_headline_and_body_belongs_to_the_article() -> None:
    lead = "Түнде өзен арнасынан асып, қаланың төменгі бөлігін су басты, тұрғындар мектепке көшірілді"
    page = (
        f"<article><header><h1>Су тасқыны</h1><div class='teaser-text'>{lead}</div></header>"
        f"<div class='share'>Бөлісу осы жерден: желілер тізімі, жазылу, тағы басқалары бар қатар</div>"
        f"<div class='text'>{paragraphs(KAZAKH, 6)}</div></article>"
    )
    found = text_of(page)
    assert found.startswith(lead)
    assert "желілер" not in found


def test_text_in_loose_lines_without_paragraphs_is_read_line_by_line() -> None:
    found = text_of(f"<nav>Басты бет</nav><div class='news_text'>{KAZAKH}<br><br>{RUSSIAN}<br>{KAZAKH * 2}</div>")
    assert found.split("\n") == [KAZAKH.strip(), RUSSIAN.strip(), (KAZAKH * 2).strip()]


def test_lists_and_quotations_of_an_article_stay_and_lists_of_links_go() -> None:
    links = "".join(f"<li><a href='/{i}'>Жаңалық {i} туралы мақала</a></li>" for i in range(4))
    body = f"<ul><li>Жылы киім</li><li>Ауыз су</li></ul><blockquote><p>Көмек күтеміз.</p></blockquote><ul>{links}</ul>"
    found = text_of(f"<main>{paragraphs(KAZAKH)}{body}{paragraphs(KAZAKH)}</main>")
    assert "Жылы киім" in found
    assert "Көмек күтеміз." in found
    assert "туралы мақала" not in found


def test_a_paragraph_of_many_links_stays_and_one_that_is_a_link_goes() -> None:
    towns = ", ".join(f"<a href='/tag/{name}'>{name} қаласы</a>" for name in ("Орал", "Атырау", "Ақтөбе", "Қостанай"))
    found = text_of(f"<main>{paragraphs(KAZAKH)}<p>Су басқан: {towns}.</p><p><a href='/x'>{OTHER}</a></p></main>")
    assert "Су басқан: Орал қаласы, Атырау қаласы" in found
    assert OTHER.strip() not in found


def test_text_hidden_until_a_script_runs_is_read() -> None:
    found = text_of(f"<main><p>{RUSSIAN}</p><div class='paywall' hidden>{paragraphs(KAZAKH, 6)}</div></main>")
    assert KAZAKH.strip() in found


def test_names_behind_profile_links_are_not_read_in_the_lead_either() -> None:
    lead = "<p>Бұл туралы <a href='https://t.me/aigerim_private'>Айгерім Сәрсенова</a> өз парақшасында кеше кешке толығырақ жазып, суретін де салды.</p>"
    found = text_of(f"<article><h1>Су тасқыны</h1>{lead}<div>{paragraphs(KAZAKH, 6)}</div></article>")
    assert "Бұл туралы" in found
    assert "Айгерім" not in found


def test_a_page_of_thousands_of_nested_elements_is_read() -> None:
    found = text_of("<div>" * 3000 + paragraphs(KAZAKH) + "</div>" * 3000)
    assert isinstance(found, str)


def test_nothing_of_a_tree_waits_for_another_thread() -> None:
    failures = []
    gc.disable()
    try:
        thread = threading.Thread(target=lambda: failures.append(text_of(f"<main>{paragraphs(KAZAKH)}</main>") == ""))
        thread.start()
        thread.join()
        gc.collect()  # pytest turns what cannot be told here into an error
    finally:
        gc.enable()
    assert failures == [False]


def test_a_careful_reading_takes_what_a_second_one_confirms() -> None:
    pytest.importorskip("trafilatura")
    page = f"<html><body><main><h1>Су тасқыны</h1>{paragraphs(KAZAKH, 6)}</main></body></html>"
    fast, careful = (read_article(page, "https://tau.example/a", careful=care) for care in (False, True))
    assert careful.text == fast.text
    assert KAZAKH.strip() in careful.text


def test_likeness_counts_word_grams_as_often_as_they_stand_there() -> None:
    assert likeness(KAZAKH, KAZAKH) == 1
    assert likeness(KAZAKH, OTHER) == 0
    assert 0.4 < likeness(KAZAKH * 2, KAZAKH) < 0.6
    assert likeness("", "") == 0


@pytest.mark.parametrize("name", ["div", "span", "ul"])
def test_elements_nested_to_exhaust_the_reader_do_not(name: str) -> None:
    start = time.process_time()
    text_of(f"<{name}>" * 30_000 + "<p>Мәтін.</p>")
    assert time.process_time() - start < 5
