from collections.abc import Iterator
from typing import Any

import ibis
import pytest
from sources_world import key, post, world

from bastau.sources.relations import Keep
from bastau.sources.wires import agencies, agency_of, printed, wire_copies, wires

Rows = list[dict[str, Any]]


def found(con: ibis.BaseBackend, keep: Keep, rows: Rows) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    tables = world(con, rows)
    prints = keep(printed(tables.posts, tables.members, tables.narratives, keep=keep))
    known = keep(wires(prints, keep=keep))
    copies = wire_copies(prints, known, keep=keep).to_pyarrow().to_pylist()
    return known.to_pyarrow().to_pylist(), {row["narrative_key"]: row for row in copies}


@pytest.mark.parametrize(
    ("words", "agency"),
    [
        ("москва, 5 марта — риа новости. текст", "РИА Новости"),
        ("reuters: something happened", "Reuters"),
        ("some news (reuters) - the minister", "Reuters"),
        ("алматы. казинформ – бүгін жаңбыр жауады", "Қазақпарат"),
        ("жаңбыр жауады, деп хабарлайды қазақпарат тілшісі", "Қазақпарат"),
        ("бұл туралы «интерфакс» хабарлады", "Интерфакс"),
        ("заголовок\nоб этом сообщает тасс", "ТАСС"),
        ("пожар потушен, передает tengrinews.kz", "Tengrinews"),
        ("a fire is out, afp reported", None),
        ("a fire is out (afp)", "AFP"),
        ("тасс снова соврал", None),
        ("the reuters building was hit", None),
        ("sputnik v is a vaccine", None),
        ("kabarett am abend", None),
    ],
)
def test_a_byline_is_told_from_a_mention(words: str, agency: str | None) -> None:
    assert agency_of(words) == agency


def test_every_agency_of_the_list_is_found_by_its_own_signature() -> None:
    for agency in agencies():
        assert agency_of(f"some words ({agency.names[0]})") == agency.name


def prints(
    agency: str, n_texts: int, printers: list[str], named: bool, gap_s: float = 400.0
) -> Iterator[dict[str, Any]]:
    """``agency`` is first with texts that changing printers run at changing delays."""
    for text in range(n_texts):
        at = text * 50_000.0
        yield post(f"{agency}{text}", at, agency, f"t{text}", platform="web")
        for i, printer in enumerate(printers):
            if (i + text) % 3:
                words = f"{agency}: t{text}" if named and (i + text) % 2 else f"t{text}"
                delay = gap_s * (1 + (i * 5 + text * 3) % 9)
                yield post(f"{printer}{text}", at + delay, printer, f"t{text}", text=words, platform="web")


PRINTERS = [f"paper{i}.example" for i in range(8)]


def test_a_publisher_whose_texts_many_print_under_its_name_is_a_wire(con: ibis.BaseBackend, keep: Keep) -> None:
    known, copies = found(con, keep, list(prints("agentur", 4, PRINTERS, named=True)))
    (wire,) = known
    assert (wire["source"], wire["is_listed"], wire["n_texts"]) == ("agentur", False, 4)
    assert wire["n_copiers"] == 8
    assert wire["n_copies"] > wire["n_named"] >= 4
    assert {row["agency"] for row in copies.values()} == {"agentur"}
    assert len(copies) == 4


@pytest.mark.parametrize(
    "rows",
    [
        list(prints("agentur", 4, PRINTERS, named=False)),
        list(prints("agentur", 2, PRINTERS, named=True)),
        list(prints("agentur", 4, PRINTERS[:4], named=True)),
        list(prints("agentur", 4, PRINTERS, named=True, gap_s=1.0)),
    ],
    ids=["nobody names it", "too few texts", "too few printers", "in lockstep"],
)
def test_whose_texts_are_only_copied_is_none(con: ibis.BaseBackend, keep: Keep, rows: Rows) -> None:
    assert found(con, keep, rows) == ([], {})


def test_a_listed_agency_is_known_from_its_first_print(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        post("a", 0, "tass.ru", "n", platform="web"),
        post("b", 500, "paper.example", "n", platform="web"),
        post("c", 0, "tass.ru", "alone", platform="web"),
    ]
    known, copies = found(con, keep, rows)
    assert [(row["source"], row["agency"], row["is_listed"]) for row in known] == [("tass.ru", "ТАСС", True)]
    assert list(copies) == [key("n")]
    assert copies[key("n")] | {"n_publishers": 2, "is_by_wire": True, "agency": "ТАСС"} == copies[key("n")]


@pytest.mark.parametrize(("n_naming", "n", "is_wire"), [(1, 4, True), (1, 5, False), (2, 12, True), (0, 4, False)])
def test_an_agency_that_was_not_collected_is_known_by_name(
    con: ibis.BaseBackend, keep: Keep, n_naming: int, n: int, is_wire: bool
) -> None:
    texts = ["Words (Reuters)"] * n_naming + ["Words"] * (n - n_naming)
    rows = [post(f"p{i}", i * 300.0, f"p{i}.example", "n", text=text, platform="web") for i, text in enumerate(texts)]
    _, copies = found(con, keep, rows)
    assert (key("n") in copies) == is_wire


def test_private_accounts_make_no_wire_and_no_print(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = list(prints("p~agentur", 4, PRINTERS, named=True)) + list(
        prints("agentur", 4, [f"p~{i}" for i in range(8)], named=True)
    )
    for row in rows[len(rows) // 2 :]:
        row["narrative"] = f"other {row['narrative']}"
    known, _ = found(con, keep, rows)
    assert not [row for row in known if row["source"] == "p~agentur"]
