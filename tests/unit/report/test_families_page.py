from datetime import UTC, datetime
from typing import Any

import pytest

from bastau.families import Dossier, Family, Ignored, Near, Note, Seen, Signal
from bastau.report.families_page import SMALL_STORE, dossier_json, dossier_lines, families_page, unknowns
from bastau.report.locale import LOCALES, load
from bastau.sources.families.kinds import NOTES, kinds

AT = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
ATTACK = '"><script>alert(1)</script>\u202e'


def dossier(**changes: Any) -> Dossier:
    seen = tuple(Seen(source, AT, AT, 3, f"https://{source}/1") for source in ("one.example", "two.example"))
    signals = (Signal("ga_property", "G-4XK2PQ9RTZ", "analytics", 1, 9.2, AT, AT, seen),)
    family = Family(
        "f0123456789abc", ("one.example", "two.example"), 3e-8, ("analytics", "registration"), signals, 1, 1
    )
    fields: dict[str, Any] = {
        "asked": None,
        "families": (family,),
        "ignored": (Ignored("adsense", "77", "service", 4, ("x.example",)),),
        "near": (Near("one.example", "three.example", "own_accounts", 0.02, (("gtm", "GTM-1"),)),),
        "notes": (Note("one.example", "html_cut", 2),),
        "n_sites": 40,
        "n_pages": 120,
        "first_look": AT,
        "last_look": AT,
        "max_sites": 20,
        "slack_days": 45,
        "n_families": 1,
    }
    return Dossier(**(fields | changes))


@pytest.mark.parametrize("code", LOCALES)
class TestPage:
    def test_names_each_signal_with_where_and_when(self, code: str) -> None:
        page = families_page(dossier(), load(code))
        for part in ("G-4XK2PQ9RTZ", "one.example", "two.example", "https://two.example/1", "2025-01-02T03:04:00Z"):
            assert part in page

    def test_says_what_was_ignored_and_why_and_what_was_not_linked(self, code: str) -> None:
        locale = load(code)
        page = families_page(dossier(), locale)
        for key in ("kin_ignored.service", "kin_why.own_accounts", "kin_note.html_cut", "kin.unknown_registry"):
            assert locale.text(key).split("'")[0] in page

    def test_lets_nothing_in_and_nothing_run(self, code: str) -> None:
        signal = Signal("title", ATTACK, "content", 3, 1.0, AT, AT, (Seen(ATTACK, AT, AT, 1, f"javascript:{ATTACK}"),))
        family = Family("f0", (ATTACK, "two.example"), 0.5, ("content",), (signal,), 1, 1)
        shown = dossier(families=(family,), ignored=(Ignored("ip", ATTACK, ATTACK, 2, (ATTACK,)),), asked=ATTACK)
        page = families_page(shown, load(code))
        assert "<script" not in page
        assert "javascript:" not in page
        assert "default-src &#x27;none&#x27;" in page
        assert "src=" not in page.split("</style>")[1]

    def test_every_kind_note_and_reason_has_words(self, code: str) -> None:
        locale = load(code)
        assert all(locale.has(f"kin_signal.{name}") for name in kinds())
        assert all(locale.has(f"kin_note.{name}") for name in NOTES if name != "page")
        assert all(locale.has(f"kin_area.{kind.area}") for kind in kinds().values())

    def test_the_terminal_says_the_same(self, code: str) -> None:
        said = "\n".join(dossier_lines(dossier(), load(code)))
        assert "G-4XK2PQ9RTZ" in said
        assert "three.example" in said
        assert load(code).text("kin.unknown") in said


def test_a_site_without_a_family_is_not_called_independent() -> None:
    said = families_page(dossier(families=(), asked="one.example"), load("en"))
    assert "That does not mean that it has none" in said


def test_a_small_store_says_that_rarity_is_assumed() -> None:
    small, large = (unknowns(dossier(n_sites=n), load("en")) for n in (SMALL_STORE - 1, SMALL_STORE))
    assert len(small) == len(large) + 1


def test_families_that_are_not_listed_are_counted() -> None:
    assert "321 families" in families_page(dossier(n_families=321), load("en"))


def test_json_has_times_in_utc() -> None:
    answer = dossier_json(dossier())
    assert answer["families"][0]["signals"][0]["seen_from"] == "2025-01-02T03:04:00Z"
