import duckdb
import pytest
from report_world import ERASED, MIDDLE, OLD, RU, canonical, connect, sign, world_tables

from bastau.hashing import format_id
from bastau.report.search import Found, find


def seek(con: duckdb.DuckDBPyConnection, query: str) -> Found:
    return find(con, query, canonical=canonical, sign=sign)


def main_id(con: duckdb.DuckDBPyConnection) -> str:
    return con.execute("select narrative_id from narratives order by n_posts desc limit 1").fetchall()[0][0]


def test_a_narrative_is_found_by_its_id(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, main_id(con))
    assert (found.how, found.best.narrative_id, found.others) == ("narrative", main_id(con), ())


def test_an_old_id_leads_through_a_rename_and_a_split_to_all_that_became_of_it(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, OLD)
    assert (found.how, found.best.narrative_id, len(found.others)) == ("old_id", main_id(con), 1)
    assert seek(con, MIDDLE).best == found.best


def test_an_erased_id_and_an_id_never_given_out_are_told_apart(con: duckdb.DuckDBPyConnection) -> None:
    assert seek(con, ERASED).suggestions == ("erased",)
    assert seek(con, format_id("n", 99)).suggestions == ("not_stored_id",)


def test_a_ring_of_old_ids_ends() -> None:
    tables = world_tables()
    rows = [{"old_id": a, "new_id": b, "change": "renamed", "generation": 1} for a, b in ((OLD, MIDDLE), (MIDDLE, OLD))]
    tables["narrative_changes"] = type(tables["narrative_changes"]).from_pylist(
        rows, schema=tables["narrative_changes"].schema
    )
    assert seek(connect(tables), OLD).best is None


def test_a_post_is_found_by_its_id_and_leads_to_its_narrative(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "telegram:w4")
    assert (found.how, found.best.narrative_id) == ("post", main_id(con))


def test_a_post_in_no_narrative_is_found_too(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "telegram:l0")
    assert (found.how, found.best.narrative_id, found.best.n_posts) == ("post", None, 1)
    assert "дождь" in found.best.text


def test_an_address_is_compared_in_canonical_form(con: duckdb.DuckDBPyConnection) -> None:
    assert seek(con, "https://telegram.example/w4?utm_source=x").how == "url"


def test_an_address_nobody_posted_leads_to_those_who_link_to_it(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "https://vodokanal.example/notice")
    assert (found.how, found.best.narrative_id) == ("link", None)


def test_an_unknown_address_is_not_searched_as_words(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "https://nowhere.example/voda")
    assert (found.how, found.best, found.suggestions[0]) == ("none", None, "not_stored_url")


def test_the_exact_text_is_found_whatever_its_case_and_marks(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, RU.upper().replace(".", " !"))
    assert (found.how, found.best.narrative_id, found.best.likeness) == ("text", main_id(con), 1.0)


def test_a_similar_text_is_found_with_its_likeness(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "В Сункарлы завтра отключат воду на три дня, сделайте хотя бы небольшой запас воды")
    assert (found.how, found.best.narrative_id) == ("near_copy", main_id(con))
    assert 0.5 < found.best.likeness < 1


def test_a_shared_band_without_a_similar_text_is_no_near_copy(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "В Сункарлы завтра " + " ".join(f"совершенно{i} иначе{i}" for i in range(30)))
    assert found.how != "near_copy"


def test_words_are_found_at_the_beginning_of_stored_words_and_rare_ones_count_more(
    con: duckdb.DuckDBPyConnection,
) -> None:
    found = seek(con, "leopard park")
    assert (found.how, found.best.text[:12]) == ("words", "Snow leopard")
    assert seek(con, "eopards").best is None


def test_half_a_query_of_unknown_words_is_no_hit(con: duckdb.DuckDBPyConnection) -> None:
    assert seek(con, "park qwertyzz asdfghzz").suggestions == ("other_words",)


def test_rivals_of_an_ambiguous_query_are_listed(con: duckdb.DuckDBPyConnection) -> None:
    found = seek(con, "қала")
    assert len({hit.narrative_id for hit in (found.best, *found.others)}) == 1 + len(found.others)


@pytest.mark.parametrize(("query", "why"), [("а", "too_short"), ("", "too_short"), ("%_ '; --", "too_short")])
def test_a_query_without_words_says_so(con: duckdb.DuckDBPyConnection, query: str, why: str) -> None:
    assert seek(con, query).suggestions == (why,)


def test_an_empty_store_says_so() -> None:
    con = connect({})
    assert seek(con, "something spreading").suggestions == ("nothing_stored",)
    assert seek(con, "telegram:1").best is None


def test_a_found_text_holds_no_pseudonym(con: duckdb.DuckDBPyConnection) -> None:
    assert "p~" not in seek(con, "telegram:w1").best.text
