import string
from datetime import timedelta

import pytest
from shield_entries import NOW, document, entry, one_of_each

from bastau.errors import InputError
from bastau.schemas import ACTS
from bastau.shield.commands import _texts, look_up, why
from bastau.shield.forms.prefixes import expressions

LOCALES = ("kk", "ru", "en")
FIRST = document(*one_of_each(), entry(9, act="glorify", rule_version="", ground="{appeal.__class__}"))
SECOND = document(
    {**one_of_each()[0], "retracted_at": NOW, "retraction_reason": "overturned"}, *one_of_each()[1:],
    previous=FIRST, now=NOW + timedelta(hours=1),
)  # fmt: skip


@pytest.mark.parametrize("locale", LOCALES)
def test_it_says_the_ground_the_reason_the_time_and_where_to_appeal(locale):
    text = why(FIRST, "e0000000000003", locale)
    for said in (
        "bad-3.kz",
        "It calls for an attack",
        "Policy, section 2",
        "2026-10-01",
        "https://watch.example/appeal",
    ):
        assert said in text
    assert "{" not in text


def test_braces_in_a_ground_are_words_and_nothing_else():
    assert "{appeal.__class__}" in why(FIRST, "e0000000000009", "en")


@pytest.mark.parametrize("locale", LOCALES)
def test_what_ceased_to_stand_is_explained_and_not_named(locale):
    text = why(SECOND, "e0000000000001", locale)
    assert _texts(locale)["reasons"]["overturned"] in text
    assert "example-1" not in text


@pytest.mark.parametrize("locale", LOCALES)
def test_an_unknown_entry_is_said_to_be_unknown(locale):
    assert "e0000000000077" in why(FIRST, "e0000000000077", locale)


def test_all_languages_have_the_same_words_with_the_same_slots():
    shapes = []
    for locale in LOCALES:
        texts = _texts(locale)
        slots = {
            n: sorted(s for _, s, _, _ in string.Formatter().parse(t) if s)
            for n, t in texts.items()
            if isinstance(t, str)
        }
        shapes.append((slots, {n: sorted(t) for n, t in texts.items() if isinstance(t, dict)}))
    assert shapes[0] == shapes[1] == shapes[2]
    assert set(_texts("en")["acts"]) == set(ACTS)


def test_looking_up_finds_pages_hosts_domains_and_hashes():
    def ids(what):
        (found,) = look_up(FIRST, [what], NOW)
        return [int(e["entry_id"][1:]) for e in found["entries"]]

    assert ids("https://example-1.kz/page/1?utm_source=x") == [1]
    assert ids("https://h2.example-2.kz/") == [2]
    assert ids("https://x.h2.example-2.kz/") == []
    assert ids("https://any.bad-3.kz/where") == [3]
    assert ids(f"{4:064X}") == [4]
    assert ids("nothing like it") == []
    assert ids("https://www.example-1.kz/page/1") == [1]
    assert ids("https://blog.example-1.kz/page/1") == []  # another site: a page means its own host


@pytest.mark.parametrize("address", ["https://t.me/somechannel", "https://t.me/s/SomeChannel/17"])
def test_an_account_is_found_once(address):
    made = document(entry(1, "url", "https://t.me/somechannel"))
    assert len(look_up(made, [address], NOW)[0]["entries"]) == 1


def test_looking_up_says_nothing_of_what_has_expired():
    made = document(entry(1), entry(2, expires_at=NOW + timedelta(hours=1)))
    later = NOW + timedelta(hours=1)
    assert [bool(a["entries"]) for a in look_up(made, ["bad-1.kz", "bad-2.kz"], NOW)] == [True, True]
    assert [bool(a["entries"]) for a in look_up(made, ["bad-1.kz", "bad-2.kz"], later)] == [True, False]
    with pytest.raises(InputError, match="was valid until"):
        look_up(made, ["bad-1.kz"], NOW + timedelta(days=7))


def test_every_address_has_expressions_to_be_found_by():
    assert expressions(entry(1, "url")) == ["example-1.kz/page/1"]
    assert expressions(entry(1, "domain")) == ["bad-1.kz/"]
