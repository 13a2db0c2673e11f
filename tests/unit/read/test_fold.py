import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_fold import plain_fold

from bastau.hashing import hash_string
from bastau.read.characters import TABLE_SIZE, character_table, fold_character
from bastau.read.fold import Fold, fold_strings, fold_with_offsets

FRAGMENTS = st.sampled_from(
    [
        "https://",
        "http://",
        "hxxp://",
        "tg://",
        "://",
        "",
        "www.",
        "www.сайт",
        "example.com/",
        "t.me/name",
        ".",
        ":",
        "/",
        "//",
        "(",
        ")",
        "[text](",
        ")",
        "](",
        "",
        "[",
        "]",
        "…",
        "—",
        "«",
        "»",
        "!",
        "?",
        "*",
        "**",
        "***",
        "_",
        "__",
        "~~",
        "||",
        "RT",
        "rt",
        "@user",
        "@p~ab12",
        "@a.bsky.social",
        "@me@host.tld",
        "@",
        "#",
        "#тег",
        "&",
        "&amp;",
        "&amp;quot;",
        "&#39;",
        "&#x41;",
        "&nbsp;",
        "&lt;",
        "<b>",
        "</b>",
        "<br>",
        "<p/>",
        "<unknown>",
        "<",
        ">",
        "Қазақ",
        "іні",
        "һәм",
        "ёж",
        "Ёж",
        "й",
        "ё",
        "за́мок",
        "İ",
        "ı",
        "ß",
        "ﬁ",
        "ﷺ",
        "½",
        "№",
        "™",
        "𝐇𝐢",
        "Ａｂ",
        "㎏",
        "٣",
        "क्षि",
        "ไทย",
        "中文",
        "😀",
        "🇰🇿",
        "\u200b",
        "\xad",
        "\u200c",
        "️",
        "’",
        "'",
        "-",
        "7",
        "́",
        "̈",
        "ệ",
        "̈́",
        "RT\xa0",
        "x",
    ]
).flatmap(lambda piece: st.sampled_from([piece, piece + " ", piece.upper()]))
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.lists(st.one_of(FRAGMENTS, st.text("abhtpsw./:@-_ ТЁé\u0301 ", max_size=6)), max_size=12).map("".join),
)


def fold(text: str | None, title: str | None = None) -> str:
    return fold_strings(pa.array([text], pa.string()), pa.array([title], pa.string()))[0][0].as_py()


@settings(deadline=None, max_examples=400)
@given(TEXTS)
@example("a.b-c.de/x")
@example("https://x.kz/a(b)).")
@example("RT @a: RT @b: c")
@example("i\u0344 o\u0344 a\u0341")
def test_the_kernel_equals_the_obvious_version(text: str) -> None:
    assert fold(text) == plain_fold(text)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert fold(once) == once


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_offsets_point_at_where_each_character_came_from(text: str) -> None:
    folded, origin = fold_with_offsets(text)
    assert folded == fold(text)
    assert len(origin) == len(folded)
    assert all(0 <= o < len(text) for o in origin)
    assert (np.diff(origin) >= 0).all()
    for letter, o in zip(folded, origin, strict=True):
        if "а" <= letter <= "я" and letter not in "её":
            assert letter in fold_character(text[o]) or (letter == "й" and text[o].lower() == "и")


def test_offsets_mark_the_same_words_in_the_original() -> None:
    text = "RT @x: 😀 Ол «ҚАЗАҚ» елі https://a.kz/b бар"
    folded, origin = fold_with_offsets(text)
    start = folded.index("қазақ елі")
    assert text[origin[start] : origin[start + len("қазақ елі") - 1] + 1] == "ҚАЗАҚ» елі"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Қазақстан, ІНІ һәм ӘЖЕ", "қазақстан іні һәм әже"),
        ("Ёлка и Йод, е\u0308лка и\u0306од", "елка и йод елка йод"),
        ("за\u0301мок c\u0327a", "замок ça"),
        ("RT @someone: Сөз", "сөз"),
        ("rt  @a RT @b: слово", "слово"),
        ("@p~k3x9 рахмет @me@mastodon.social!", "рахмет"),
        ("пошта: a@b.kz", "пошта a b kz"),
        ("#Жаңалық_бүгін #news", "жаңалық бүгін news"),
        ("қара https://t.co/AbC… www.site.kz/a?b=c, t.me/chan/5 соңы", "қара соңы"),
        ("сөзhttps://x.kz/жол сөз", "сөз сөз"),
        ("[мәтін](https://x.kz/a_(b)) **қою** __көлбеу__ `код`", "мәтін қою көлбеу код"),
        ("<p>бір<br/>екі</p> ү<b>ш</b> a < b <3", "бір екі үш a b 3"),
        ("Том &amp; Джерри &amp;quot;ой&quot; &#1178;аз", "том джерри ой қаз"),
        ("Ｆｕｌｌ ﬁ 𝕊𝕖𝕔𝕣𝕖𝕥 ①", "full fi secret 1"),
        ("пы\u200bрс\u00adыл 👨\u200d👩\u200d👧 сөз", "пырсыл сөз"),
        ("don't d’accord oʻzbek п'ять", "dont daccord ozbek пять"),
        ("٣ ۴ ५", "3 4 5"),
        ("", ""),
        (None, ""),
        ("https://x.kz", ""),
    ],
)
def test_examples_a_reader_can_check(text: str | None, folded: str) -> None:
    assert fold(text) == folded


def test_title_comes_first_and_is_parted_from_the_text() -> None:
    assert fold("мәтін", "Тақырып") == "тақырып мәтін"
    assert fold(None, "Тақырып") == "тақырып"


def test_latin_and_cyrillic_look_alikes_stay_apart() -> None:
    assert fold("i") != fold("і")
    assert fold("h") != fold("һ")


def test_every_character_the_table_gives_stands_for_itself() -> None:
    table = character_table()
    given_out = {*table.action[table.action > 0].tolist(), *table.sequence_chars.tolist(), *table.pair_chars.tolist()}
    assert all(fold_character(chr(cp)) == chr(cp) for cp in given_out - {0})


def test_every_letter_folds_to_its_first_fold() -> None:
    step = 7  # every seventh character keeps this fast; the classes are long runs
    texts = [chr(cp) for cp in range(0, TABLE_SIZE, step) if not 0xD800 <= cp < 0xE000]
    folded = fold_strings(pa.array(texts))[0].to_pylist()
    assert folded == [plain_fold(text) for text in texts]


def test_rare_characters_that_grow_do_not_overrun() -> None:
    assert fold("ﷺ" * 5000) == fold("ﷺ") * 5000


def test_short_texts_get_no_key_and_equal_folds_share_one() -> None:
    posts = pa.table({"title": pa.nulls(3, pa.string()), "text": ["Қысқа", "Бұл ұзын мәтін, иә!", "бұл ҰЗЫН мәтін иә"]})
    table = Fold(min_chars=10).run(posts)
    assert table["text_key"].to_pylist()[0] is None
    assert table["text_key"].to_pylist()[1] == table["text_key"].to_pylist()[2] == hash_string("бұл ұзын мәтін иә")
    assert table["n_words"].to_pylist() == [1, 4, 4]


def test_a_character_from_beyond_the_end_is_never_read() -> None:
    folded, _, _ = fold_strings(pa.array(["aҚ", "Қ"]).slice(0, 1))
    assert folded.to_pylist() == ["aқ"]


@pytest.mark.shared
def test_real_posts_fold_as_the_obvious_version_does() -> None:
    import gzip
    import json

    root = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[4] / "shared/data"))
    file = root / "telegram-ru-news/messages.ndjson.gz"
    if not file.exists():
        pytest.skip("needs ../shared/data/telegram-ru-news")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(300), strict=False)]
    assert fold_strings(pa.array(texts))[0].to_pylist() == [plain_fold(text) for text in texts]
