import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.evaluate.simulation import score_coordination, score_narratives, score_origins


def predicted(**narratives: str | None) -> pa.Table:
    return pa.table({"post_id": list(narratives), "narrative_id": pa.array(list(narratives.values()), pa.string())})


def truth(**versions: str | None) -> pa.Table:
    values = pa.array(list(versions.values()), pa.string())
    return pa.table({"post_id": list(versions), "narrative": values, "version": values})


class TestNarratives:
    def test_the_figures_are_those_worked_out_by_hand(self) -> None:
        # true {a b c} {d e} {f}; found {a b} {c d} {e} {f}
        figures = score_narratives(
            predicted(a="1", b="1", c="2", d="2", e=None, f=None), truth(a="x", b="x", c="x", d="y", e="y", f=None)
        )

        assert (figures.n_posts, figures.n_unmatched) == (6, 0)
        # one of two found pairs is true, one of four true pairs is found
        assert (figures.pair_precision, figures.pair_recall) == (1 / 2, 1 / 4)
        assert figures.pair_f1 == pytest.approx(1 / 3)
        # expected 4 * 2 / 15, best (4 + 2) / 2
        assert figures.ari == pytest.approx((1 - 8 / 15) / (3 - 8 / 15))
        # a 1, b 1, c 1/2, d 1/2, e 1, f 1
        assert figures.b_cubed_precision == pytest.approx(5 / 6)
        # a 2/3, b 2/3, c 1/3, d 1/2, e 1/2, f 1
        assert figures.b_cubed_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2 + 1) / 6)

    def test_dropping_singletons_leaves_out_posts_that_are_alone_in_truth(self) -> None:
        found, labels = predicted(a="1", b="1", c="1"), truth(a="x", b="x", c=None)

        assert score_narratives(found, labels).pair_precision == 1 / 3
        assert score_narratives(found, labels, singletons="dropped").pair_precision == 1
        assert score_narratives(found, labels, singletons="dropped").n_posts == 2

    def test_posts_that_were_not_imported_are_counted_apart(self) -> None:
        figures = score_narratives(predicted(a="1", b="1"), truth(a="x", b="x", c="x"))

        assert (figures.n_posts, figures.n_unmatched, figures.pair_recall) == (2, 1, 1)

    def test_nulls_are_each_alone(self) -> None:
        figures = score_narratives(predicted(a=None, b=None), truth(a="x", b="x"))

        assert (figures.pair_precision, figures.pair_recall, figures.pair_f1) == (1, 0, 0)

    def test_nothing_compares_as_perfect(self) -> None:
        assert score_narratives(predicted(), truth()).b_cubed_f1 == 1

    @given(st.lists(st.sampled_from([None, "x", "y", "z"]), max_size=12))
    def test_the_truth_itself_is_perfect_under_any_names(self, labels: list[str | None]) -> None:
        names = [f"p{i}" for i in range(len(labels))]
        renamed = dict(zip(names, [label and label * 2 for label in labels], strict=True))
        figures = score_narratives(predicted(**renamed), truth(**dict(zip(names, labels, strict=True))))

        assert figures.ari == figures.pair_f1 == figures.b_cubed_f1 == 1

    @given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("123")), min_size=2, max_size=12))
    def test_pairs_equal_the_obvious_count(self, labels: list[tuple[str, str]]) -> None:
        names = [f"p{i}" for i in range(len(labels))]
        figures = score_narratives(
            predicted(**dict(zip(names, (guess for _, guess in labels), strict=True))),
            truth(**dict(zip(names, (true for true, _ in labels), strict=True))),
        )
        pairs = [(a, b) for i, a in enumerate(labels) for b in labels[:i]]
        hits = sum(a == b for a, b in pairs)
        found = sum(a[1] == b[1] for a, b in pairs)

        assert figures.pair_precision == (hits / found if found else 1)


def first(version: str, source: str, *, publisher: bool = True, withheld: bool = False) -> dict:
    return {
        "narrative": version,
        "version": version,
        "source": source,
        "is_publisher": publisher,
        "withheld": withheld,
    }


def narrative(name: str, posts: str, *candidates: str, abstained: bool = False) -> dict:
    origin = {"abstained": abstained, "candidates": [{"source": source} for source in candidates]}
    return {"narrative_id": name, "post_ids": list(posts), "origin": origin}


class TestOrigins:
    def test_first_third_abstained_and_missed_are_told_apart(self) -> None:
        labels = truth(a="v1", b="v1", c="v2", d="v2", e="v3", f="v3", g="v4", h="v4")
        figures = score_origins(
            [
                narrative("1", "ab", "right"),
                narrative("2", "cd", "wrong", "wrong too", "right"),
                narrative("3", "ef", "right", abstained=True),
            ],
            labels,
            pa.Table.from_pylist([first(f"v{i}", "right") for i in (1, 2, 3, 4)]),
        )

        assert (figures.n_observed, figures.n_first, figures.n_in_three) == (3, 1, 2)
        assert (figures.n_wrongly_abstained, figures.n_not_found) == (1, 1)

    def test_abstaining_is_right_where_the_beginning_was_withheld(self) -> None:
        labels = truth(a="v1", b="v1", c="v2", d="v2")
        figures = score_origins(
            [narrative("1", "ab", abstained=True), narrative("2", "cd", "somebody")],
            labels,
            pa.Table.from_pylist([first("v1", "gone", withheld=True), first("v2", "gone", withheld=True)]),
        )

        assert (figures.n_withheld, figures.n_rightly_abstained, figures.n_observed) == (2, 1, 0)

    def test_naming_a_private_account_is_counted(self) -> None:
        labels = truth(a="v1", b="v1", c="v2", d="v2")
        figures = score_origins(
            [narrative("1", "ab", "me"), narrative("2", "cd", "outlet")],
            labels,
            pa.Table.from_pylist([first("v1", "me", publisher=False), first("v2", "me", publisher=False)]),
        )

        assert (figures.n_private, figures.n_private_named) == (2, 1)

    def test_the_narrative_with_most_of_the_posts_answers_and_single_posts_ask_nothing(self) -> None:
        labels = truth(a="v1", b="v1", c="v1", d="v2")
        figures = score_origins(
            [narrative("1", "a", "wrong"), narrative("2", "bc", "right")],
            labels,
            pa.Table.from_pylist([first("v1", "right"), first("v2", "right")]),
        )

        assert (figures.n_observed, figures.n_first, figures.n_not_found) == (1, 1, 0)

    def test_whole_narratives_are_judged_by_their_own_row(self) -> None:
        labels = pa.table({"post_id": ["a", "b"], "narrative": ["n", "n"], "version": ["n1", "n2"]})
        rows = [
            {**first("n", "origin"), "version": None},
            {**first("n", "origin"), "version": "n1"},
            {**first("n", "retold"), "version": "n2"},
        ]
        figures = score_origins([narrative("1", "ab", "origin")], labels, pa.Table.from_pylist(rows), level="narrative")

        assert (figures.n_observed, figures.n_first) == (1, 1)


class TestCoordination:
    def test_pairs_are_counted_and_look_alikes_named(self) -> None:
        # true a-b a-c b-c; found a-b and d-e-f (3 pairs)
        figures = score_coordination(
            [{"sources": ["a", "b"]}, {"sources": ["f", "d", "e"]}],
            {"g": ["a", "b", "c"]},
            {"wire": ["d", "e", "x"], "greeting": ["a", "b"]},
        )

        assert (figures.n_true_pairs, figures.n_predicted_pairs) == (3, 4)
        assert (figures.pair_precision, figures.pair_recall) == (1 / 4, 1 / 3)
        assert (figures.flagged, figures.n_lookalikes, figures.n_flagged, figures.flagged_share) == (
            {"wire": 1},
            2,
            1,
            0.5,
        )

    def test_private_members_are_not_asked_for(self) -> None:
        figures = score_coordination([{"sources": ["a", "b"]}], {"g": ["a", "b", "me"]}, {}, unnamed=["me"])

        assert (figures.pair_recall, figures.n_true_pairs) == (1, 1)
