from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from sources_world import HOUR, T0, World, key, post, world

from bastau.schemas import LOOKS, ORIGINS, SIGHTINGS
from bastau.settings import Sources
from bastau.sources.beginnings import clock_shifts
from bastau.sources.copies import copies
from bastau.sources.firstseen import REASONS, origins, starts_with_data
from bastau.sources.relations import Keep

WATCHED = [post(f"w{h}", h * HOUR - 90 * HOUR, "watch") for h in range(100)]
"""A post every hour from 90 hours before T0, so that the lead-in is covered."""


def origin(
    con: ibis.BaseBackend,
    keep: Keep,
    rows: list[dict[str, Any]],
    looks: list[dict[str, Any]] | None = None,
    sightings: list[dict[str, Any]] | None = None,
    **given: Any,
) -> dict[str, Any]:
    tables: World = world(con, rows)
    seen = [
        None if given_rows is None else ibis.memtable(pa.Table.from_pylist(given_rows, schema))
        for given_rows, schema in ((looks, LOOKS), (sightings, SIGHTINGS))
    ]
    edges = keep(copies(tables.posts, tables.readings, tables.members, keep=keep, clock_error_s=60))
    settings = Sources(**given)
    table = origins(
        tables.posts,
        tables.readings,
        tables.members,
        tables.narratives,
        edges,
        None,
        *seen,
        keep=keep,
        settings=settings,
    )
    assert table.schema == ORIGINS
    (row,) = [row for row in table.to_pylist() if row["narrative_key"] == key("n")]
    assert row["reason"] is None or row["reason"] in REASONS
    return row


def confidences(row: dict[str, Any]) -> dict[str, float]:
    return {candidate["source"]: candidate["confidence"] for candidate in row["candidates"]}


def spread(n: int, of: str, start: float = 600) -> list[dict[str, Any]]:
    """``n`` channels forward what ``of`` posted, ten minutes apart."""
    return [post(f"f{i}", start + 600 * i, f"F{i}", "n", forwarded_from=of) for i in range(n)]


def test_a_first_publisher_that_others_forward_is_named_with_confidence(con: ibis.BaseBackend, keep: Keep) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 10, "A", "n"), *spread(6, "A")])
    assert (row["abstained"], row["reason"], row["coverage"], row["to_collect"]) == (False, None, 1.0, [])
    assert row["candidates"][0]["source"] == "A"
    assert row["candidates"][0]["post_id"] == "telegram:a"
    assert row["candidates"][0]["confidence"] > 0.9


def test_the_interval_runs_from_the_last_earlier_hour_looked_at_to_the_first_post(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    row = origin(con, keep, [*WATCHED, post("x", -30, "X"), post("a", 10, "A", "n")])
    assert row["seen_by"].timestamp() == T0 + 10
    # T0 is 800 seconds into its hour: both the watched post at T0 and x lie in the same hour as a
    assert row["seen_after"].timestamp() == T0 - HOUR


def test_confidences_sum_to_at_most_one_and_the_earlier_of_two_equals_leads(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, post("a", 0, "A", "n"), post("b", 60, "B", "n"), post("c", 180, "C", "n")]
    row = origin(con, keep, rows, min_confidence=0.0)
    found = confidences(row)
    assert list(found) == ["A", "B", "C"]
    assert sum(found.values()) <= 1
    assert row["reason"] == "rivals"


@pytest.mark.parametrize("n_forwards", [1, 3, 9])
def test_more_forwards_of_a_candidate_never_lower_it(con: ibis.BaseBackend, keep: Keep, n_forwards: int) -> None:
    def of_a(n: int) -> float:
        rows = [*WATCHED, post("a", 0, "A", "n"), post("b", 300, "B", "n"), *spread(n, "A")]
        return confidences(origin(con, keep, rows, min_confidence=0.0))["A"]

    assert of_a(n_forwards) >= of_a(n_forwards - 1)


def test_little_coverage_of_the_lead_in_makes_it_abstain(con: ibis.BaseBackend, keep: Keep) -> None:
    first, story = post("w", -200 * HOUR, "watch"), [post("a", 0, "A", "n"), *spread(6, "A")]
    half = origin(con, keep, [first, *WATCHED[18:90:4], *WATCHED[19:90:4], *WATCHED[20:90:4], *story])
    assert half["coverage"] == pytest.approx(0.75, abs=0.02)
    assert half["reason"] == "partial_coverage"
    poor = origin(con, keep, [first, *WATCHED[18:90:4], *story])
    assert (poor["abstained"], poor["reason"], poor["candidates"]) == (True, "low_coverage", [])
    (hours,) = poor["to_collect"]
    assert (hours["what"], hours["platform"]) == ("hours", "telegram")
    assert hours["to"].timestamp() == T0


def test_a_narrative_that_begins_with_the_data_has_no_named_origin(con: ibis.BaseBackend, keep: Keep) -> None:
    row = origin(con, keep, [*WATCHED[60:], post("a", 0, "A", "n"), post("b", 900, "B", "n")])
    assert (row["abstained"], row["reason"], row["candidates"]) == (True, "starts_with_data", [])
    assert starts_with_data(*(pa.array([x]).to_numpy() for x in (11 * HOUR, 5)), 72 * HOUR).all()
    assert not starts_with_data(*(pa.array([x]).to_numpy() for x in (13 * HOUR, 5)), 72 * HOUR).any()


def test_private_posts_before_take_their_share_and_are_only_counted(con: ibis.BaseBackend, keep: Keep) -> None:
    private = [post(f"p{i}", i, "p~" + str(i), "n") for i in range(3)]
    rows = [*WATCHED, *private, post("a", 500, "A", "n")]
    row = origin(con, keep, rows, min_confidence=0.0)
    assert (row["n_earlier_private"], row["reason"]) == (3, "private_earlier")
    alone = confidences(origin(con, keep, [*WATCHED, post("a", 500, "A", "n")], min_confidence=0.0))
    assert set(confidences(row)) <= {"A"}
    assert confidences(row).get("A", 0) < alone["A"] / 2
    assert origin(con, keep, rows)["abstained"]


def test_a_narrative_of_private_posts_names_nobody(con: ibis.BaseBackend, keep: Keep) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 0, "p~a", "n"), post("b", 5, "p~b", "n")], min_confidence=0.0)
    assert (row["abstained"], row["reason"], row["candidates"], row["to_collect"]) == (True, "only_private", [], [])


@pytest.mark.parametrize(
    ("declared", "what", "value"),
    [({"repost_of": "unseen"}, "post", "telegram:unseen"), ({"forwarded_from": "unseen"}, "source", "unseen")],
)
def test_a_first_post_taken_from_somewhere_unobserved_is_no_origin_and_names_what_to_collect(
    con: ibis.BaseBackend, keep: Keep, declared: dict[str, str], what: str, value: str
) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 0, "A", "n", **declared), post("b", 90, "B", "n", **declared)])
    assert (row["abstained"], row["reason"], row["candidates"]) == (True, "origin_unobserved", [])
    assert (row["to_collect"][0]["what"], row["to_collect"][0]["value"]) == (what, value)


def test_a_private_origin_is_never_among_what_to_collect(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, *(post(f"a{i}", i, f"A{i}", "n", forwarded_from="p~someone") for i in range(3))]
    row = origin(con, keep, rows)
    assert row["abstained"]
    assert [wanted["value"] for wanted in row["to_collect"]] == [None]


def test_copies_of_something_unobserved_make_it_abstain_though_the_first_declares_nothing(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 0, "A", "n"), *spread(5, "unseen")])
    assert (row["abstained"], row["reason"]) == (True, "points_outside")
    assert row["to_collect"][0]["value"] == "unseen"


def test_a_first_post_whose_declared_origin_is_observed_ranks_below_it(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, post("a", 0, "A", "n", forwarded_from="B"), post("b", 30, "B", "n"), *spread(4, "B")]
    row = origin(con, keep, rows, min_confidence=0.0)
    assert row["candidates"][0]["source"] == "B"


def test_a_page_dated_back_is_found_by_when_it_was_collected(con: ibis.BaseBackend, keep: Keep) -> None:
    def site(name: str, at: float, collected: float, **more: Any) -> dict[str, Any]:
        return post(name, at, "site", platform="web", collected=collected, **more)

    usual = [site(f"s{i}", -(9 - i) * 8 * HOUR, -(9 - i) * 8 * HOUR + 600) for i in range(9)]
    story = [post("a", 0, "A", "n"), *spread(5, "A")]
    forged = site("forged", -20 * HOUR, 3 * HOUR, narrative="n")
    row = origin(con, keep, [*WATCHED, *usual, forged, *story])
    assert (row["abstained"], row["candidates"][0]["source"]) == (False, "A")


def look(name: str, after: float | None, at: float, place: str = "https://site.kz/feed") -> dict[str, Any]:
    def time(seconds: float | None) -> Any:
        return None if seconds is None else round((T0 + seconds) * 1_000_000)

    return {"post_id": name, "post_key": key(name), "place": place, "looked_after": time(after), "looked_at": time(at)}


FORGED = [
    *WATCHED,
    *(post(f"v{h}", h * HOUR - 110 * HOUR, "web-watch", platform="web") for h in range(120)),
    post("forged", -20 * HOUR, "site", "n", platform="web", collected=-20 * HOUR),
    post("a", 0, "A", "n"),
    *spread(5, "A"),
]


def test_a_post_its_place_did_not_have_yet_is_dated_back(con: ibis.BaseBackend, keep: Keep) -> None:
    believed = origin(con, keep, FORGED, min_confidence=0.0)
    found_out = origin(con, keep, FORGED, looks=[look("web:forged", 3 * HOUR, 3 * HOUR + 600)], min_confidence=0.0)
    assert confidences(believed).get("site", 0.0) > confidences(found_out).get("site", 0.0)
    assert found_out["candidates"][0]["source"] == "A"


@pytest.mark.parametrize(
    "looks",
    [
        [look("web:forged", None, 3 * HOUR)],  # a first visit says nothing
        [look("web:forged", 3 * HOUR, 4 * HOUR), look("web:forged", -21 * HOUR, -20 * HOUR, "https://site.kz/other")],
        [look("web:forged", -20 * HOUR + 900, -20 * HOUR + 1800)],  # a feed that lags
    ],
    ids=["first visit", "seen elsewhere before", "lag"],
)
def test_looks_that_fit_its_date_change_nothing(con: ibis.BaseBackend, keep: Keep, looks: list[dict[str, Any]]) -> None:
    assert confidences(origin(con, keep, FORGED, looks=looks)) == confidences(origin(con, keep, FORGED))


def test_the_interval_begins_at_the_last_look_without_the_first_post(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, post("a", 1000, "A", "n"), *spread(4, "A", 2000)]
    row = origin(con, keep, rows, looks=[look("telegram:a", 400, 1300)])
    assert (row["seen_after"].timestamp(), row["seen_by"].timestamp()) == (T0 + 400, T0 + 1000)


def sighting(kind: str, said: float | None = None, value: str | None = None) -> dict[str, Any]:
    said_at = None if said is None else round((T0 + said) * 1_000_000)
    row = {"post_id": "web:forged", "url": "https://site.kz/1", "source": "site.kz", "kind": kind, "said_at": said_at}
    return {**row, "value": value, "seen_at": round((T0 + 5 * HOUR) * 1_000_000)}


@pytest.mark.parametrize("kind", ["news_date", "page_date"])
def test_a_post_is_not_older_than_its_own_page_and_sitemap_say(con: ibis.BaseBackend, keep: Keep, kind: str) -> None:
    row = origin(con, keep, FORGED, sightings=[sighting(kind, 2 * HOUR)], min_confidence=0.0)
    assert row["candidates"][0]["source"] == "A"


def test_an_address_that_leads_to_another_site_is_a_copy(con: ibis.BaseBackend, keep: Keep) -> None:
    plain = origin(con, keep, FORGED, min_confidence=0.0)
    led = origin(con, keep, FORGED, sightings=[sighting("redirect", value="https://other.kz/1")], min_confidence=0.0)
    same = origin(
        con, keep, FORGED, sightings=[sighting("redirect", value="https://www.site.kz/2")], min_confidence=0.0
    )
    assert confidences(led).get("site", 0.0) < confidences(plain)["site"] == confidences(same)["site"]


def test_a_clock_that_is_behind_is_known_from_what_its_posts_point_at(con: ibis.BaseBackend, keep: Keep) -> None:
    older = [post(f"o{i}", -50 * HOUR + i * HOUR, f"O{i}", url=f"o{i}") for i in range(4)]
    late = [post(f"l{i}", -50 * HOUR + i * HOUR - 1800, "late", urls=[f"o{i}"], collected=5 * HOUR) for i in range(4)]
    story = [post("copy", -900, "late", "n", collected=5 * HOUR), post("a", 0, "A", "n"), *spread(5, "A")]
    row = origin(con, keep, [*WATCHED, *older, *late, *story])
    assert row["candidates"][0]["source"] == "A"
    assert confidences(row)["A"] > 0.8


def test_a_clock_is_told_from_a_slow_collector_by_the_other_sources_of_its_platform() -> None:
    def shifts(least: list[int]) -> list[int]:
        n = len(least)
        lags = pa.table(
            {"source": [f"s{i}" for i in range(n)], "n": [40] * n, "n_seen": [40] * n}
            | {"least_s": least, "mean_extra_s": [60.0] * n}
        )
        empty = pa.table({"from_source": [], "to_source": [], "n": [], "least_s": [], "most_s": []})
        return clock_shifts(lags, empty, np.zeros(n, np.int64)).tolist()

    # what is left of 60 s of looking: 2 * 60 / 41 s
    assert shifts([3, 3, 3, 3, 3, 3, 1803, -597]) == [0, 0, 0, 0, 0, 0, 1800, -599]
    assert shifts([3603] * 7 + [5403]) == [0] * 7 + [1800]
    assert shifts([3603, 3603]) == [0, 0]


def test_a_telegram_post_dated_before_lower_numbers_is_dated_after_them(con: ibis.BaseBackend, keep: Keep) -> None:
    channel = [post(f"c/{i}", -i * 10, "C") for i in range(3, 0, -1)]
    numbered = [{**row, "name": f"c/{n}"} for n, row in enumerate(channel, 1)]
    story = [post("c/4", -5 * HOUR, "C", "n"), post("a", -300, "A", "n"), *spread(5, "A")]
    row = origin(con, keep, [*WATCHED, *numbered, *story])
    assert row["candidates"][0]["source"] == "A"


def test_a_post_that_points_elsewhere_is_no_stronger_but_its_own_address_is_not_elsewhere(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rest = [*WATCHED, *spread(4, "A")]
    own = origin(con, keep, [*rest, post("a", 0, "A", "n", url="u", urls=["u"])], min_confidence=0.0)
    other = origin(con, keep, [*rest, post("a", 0, "A", "n", url="u", urls=["v"])], min_confidence=0.0)
    assert confidences(other)["A"] <= confidences(own)["A"]
    assert other["reason"] == "points_elsewhere"


def test_many_copies_that_point_at_nobody_name_nobody(con: ibis.BaseBackend, keep: Keep) -> None:
    def row(n: int) -> dict[str, Any]:
        return origin(
            con, keep, [*WATCHED, *(post(f"c{i}", 600 * i, f"C{i}", "n") for i in range(n))], min_confidence=0.3
        )

    assert not row(19)["abstained"]
    assert (row(20)["abstained"], row(20)["reason"]) == (True, "unsure")


def test_a_source_is_one_candidate_however_often_it_posts(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        *WATCHED,
        *(post(f"a{i}", i, "A", "n") for i in range(9)),
        *(post(f"c{i}", i, f"C{i}", "n") for i in range(9)),
    ]
    row = origin(con, keep, rows, min_confidence=0.0)
    sources = [candidate["source"] for candidate in row["candidates"]]
    assert len(sources) == len(set(sources)) <= 5
