"""The words of the pages exist in all three languages, with the same slots, and every one that a page asks for."""

import re
from importlib.resources import files
from string import Formatter

import pytest

from bastau.report.locale import LOCALES
from bastau_web.workbench.words import load


def leaves(node, path=()):
    if isinstance(node, str):
        yield ".".join(path), {name for _, name, _, _ in Formatter().parse(node) if name}
        return
    for key, value in node.items():
        yield from leaves(value, (*path, key))


def plain(key: str) -> str:
    return re.sub(r"\.(one|few|many|other)$", "", key)


@pytest.mark.parametrize("code", ["kk", "ru"])
def test_each_language_says_the_same(workbench, code):
    english = {plain(key): slots for key, slots in leaves(load("en").texts["web"])}
    theirs = {plain(key): slots for key, slots in leaves(load(code).texts["web"])}
    assert theirs == english


def test_plural_forms_are_those_of_the_language(workbench):
    wanted = {"kk": {"other"}, "ru": {"one", "few", "many"}, "en": {"one", "other"}}
    for code in LOCALES:
        forms = {}
        for key, _ in leaves(load(code).texts["web"]):
            if key.rsplit(".", 1)[-1] in ("one", "few", "many", "other") and "." in key:
                forms.setdefault(plain(key), set()).add(key.rsplit(".", 1)[-1])
        forms.pop("source", None)  # `source.other` is a heading
        assert {key: found for key, found in forms.items() if found != wanted[code]} == {}


def test_every_text_that_a_template_names_exists(workbench):
    missing = []
    for template in (files("bastau_web.workbench") / "templates").iterdir():
        for key in re.findall(r"""{%\s*(?:text|count) ["']([\w.]+)["']""", template.read_text("utf-8")):
            locale = load("en")
            if not locale.has(key) and not locale.has(f"{key}.other"):
                missing.append(f"{template.name}: {key}")
    assert missing == []
