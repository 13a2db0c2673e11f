"""A tree of a page can be freed by the thread that made it only, so none may wait for the garbage collection, which any thread runs."""

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bastau.collect.articles import read_article
from bastau.collect.articles.feeds import read_markup
from bastau.collect.collectors.mastodon import read_content
from bastau.collect.collectors.telegram import read_page

PAGE = """<html lang="kk"><head><title>Тау - жаңалықтар</title><meta property="article:published_time" content="2026-11-27T10:00:00Z">
<script type="application/ld+json">{"@type": "NewsArticle", "headline": "Тау", "datePublished": "2026-11-27T10:00:00Z"}</script></head>
<body><nav><a href="/a">A</a><a href="/b">B</a></nav><article><h1>Тау</h1><p>Өзендегі судың деңгейі түнде көтерілді, тұрғындар көшірілді.</p>
<ul><li>бір</li><li>екі</li></ul><blockquote>дәйексөз</blockquote><p>Тағы бір <a href="/c">сөйлем</a> бар.</p></article><footer>2026</footer></body></html>"""
CHANNEL = """<html><body><div class="tgme_channel_info_header_title"><span>Tau</span></div><div class="tgme_widget_message" data-post="tau/1">
<div class="tgme_widget_message_text">Сөз <b>қалың</b><br/><a href="https://tau.kz">tau</a></div>
<a class="tgme_widget_message_date" href="https://t.me/tau/1"><time datetime="2026-11-27T10:00:00+00:00"></time></a></div></body></html>"""


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_article(PAGE, "https://tau.kz/1"),
        lambda: read_article(PAGE, "https://tau.kz/1", careful=True),
        lambda: read_markup("<p>a <b>b</b></p><ul><li>c</li></ul>"),
        lambda: read_content({"content": "<p>a <a href='https://tau.kz'>b</a></p><blockquote>c</blockquote>"}),
        lambda: read_page(CHANNEL),
    ],
    ids=["article", "careful", "markup", "status", "channel"],
)
def test_no_tree_is_left_to_the_garbage_collection(read: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    read()
    gc.collect()
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(str(what.exc_value)))
    gc.disable()
    try:
        found = read()
        collecting = threading.Thread(target=gc.collect)
        collecting.start()
        collecting.join()
    finally:
        gc.enable()
    assert found
    assert told == []
