import ast
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import bastau.report
from bastau.errors import ConfigError
from bastau.report.locale import LOCALES, load

FOLDER = Path(bastau.report.__file__).parent
PLURALS = {"kk": {"other"}, "ru": {"one", "few", "many"}, "en": {"one", "other"}}
AT = datetime(2026, 3, 3, 9, 5, tzinfo=UTC)


def entries(node: dict[str, Any], forms: set[str], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield each key with its wordings; plural forms are one key."""
    for name, value in node.items():
        key = f"{path}{name}"
        if isinstance(value, dict) and set(value) == forms:
            yield key, list(value.values())
        elif isinstance(value, dict):
            yield from entries(value, forms, f"{key}.")
        else:
            yield key, value if isinstance(value, list) else [value]


def wordings(code: str) -> dict[str, list[str]]:
    return dict(entries(load(code).texts, PLURALS[code]))


def slots(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


def mentioned() -> tuple[set[str], set[str]]:
    """Return the literal keys of the code and the beginnings of keys that it completes at run time."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "name":
                begun |= {f"{arg.value}." for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return whole, {start for start in begun if re.fullmatch(r"[a-z_]+\.[a-z_]*", start)}


@pytest.mark.parametrize("code", LOCALES)
def test_every_key_exists_in_every_language_with_the_same_slots(code: str) -> None:
    here, english = wordings(code), wordings("en")
    assert here.keys() == english.keys()
    for key, texts in here.items():
        assert set().union(*map(slots, texts)) == set().union(*map(slots, english[key])), key


@pytest.mark.parametrize("code", LOCALES)
def test_no_wording_is_empty_or_holds_markup(code: str) -> None:
    texts = [text for found in wordings(code).values() for text in found]
    assert all(texts)
    assert not [text for text in texts if set(text) & set('<>&"')]


def test_no_key_is_unused() -> None:
    whole, begun = mentioned()
    # Lists and units are read inside locale.py by their last part.
    unused = [
        key
        for key in wordings("en")
        if key not in whole and not key.startswith(tuple(begun)) and not key.startswith("form.")
    ]
    assert unused == []


def test_every_literal_key_of_the_code_exists() -> None:
    groups = set(load("en").texts)
    known = set(wordings("en")) | {f"{group}.{name}" for group in groups for name in load("en").texts[group]}
    files = r"\.(py|toml|css)$"
    keys = {w for w in mentioned()[0] if re.fullmatch(r"[a-z_]+\.[a-z_]*[a-z]", w) and not re.search(files, w)}
    assert {key for key in keys if key.split(".")[0] in groups} <= known


@pytest.mark.parametrize(
    ("code", "forms"),
    [
        ("en", {0: "0 posts", 1: "1 post", 2: "2 posts", 21: "21 posts"}),
        (
            "ru",
            {
                0: "0 постов",
                1: "1 пост",
                2: "2 поста",
                5: "5 постов",
                11: "11 постов",
                21: "21 пост",
                112: "112 постов",
            },
        ),
        ("kk", {0: "0 жазба", 1: "1 жазба", 2: "2 жазба", 21: "21 жазба"}),
    ],
)
def test_nouns_agree_with_their_number(code: str, forms: dict[int, str]) -> None:
    assert {n: load(code).count("count.posts", n) for n in forms} == forms


def test_dates_and_numbers_are_written_as_the_language_does() -> None:
    local = AT.astimezone(timezone(timedelta(hours=5)))
    assert [load(code).moment(local) for code in LOCALES] == [
        "2026 ж. 3 наурыз, 09:05 UTC",
        "3 марта 2026 г., 09:05 UTC",
        "3 March 2026, 09:05 UTC",
    ]
    assert [load(code).number(1234567.5, 1) for code in LOCALES] == ["1\u00a0234\u00a0567,5"] * 2 + ["1,234,567.5"]


def test_every_month_has_a_name() -> None:
    for code in LOCALES:
        assert len({load(code).date(AT.replace(month=m)) for m in range(1, 13)}) == 12
        assert len({load(code).short_date(AT.replace(month=m)) for m in range(1, 13)}) == 12


def test_a_share_that_is_not_all_or_nothing_never_reads_as_it() -> None:
    locale = load("en")
    assert [locale.percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "1%", "50%", "99%", "100%"]


def test_lengths_of_time_read_naturally() -> None:
    locale = load("en")
    lengths = {
        0.4: "0 seconds",
        61: "1 minute 1 second",
        3600: "1 hour",
        9000: "2 hours 30 minutes",
        200_000: "2 days 7 hours",
    }
    assert {seconds: locale.duration(seconds) for seconds in lengths} == lengths
    assert locale.duration(400_000) == "4 days"


def test_unknown_codes_stand_for_themselves_and_close_languages_are_both_named() -> None:
    assert load("en").name("platform", "newplace") == "newplace"
    assert load("en").language("kk|ky") == "Kazakh/Kyrgyz"
    assert load("ru").language("zh-Hans") == "китайский"


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="kk, ru, en"):
        load("xx")
