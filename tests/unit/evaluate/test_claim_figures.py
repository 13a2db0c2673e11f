"""Figures of matching equal hand-made ones, and bad rows are counted and explained."""

from pathlib import Path

import numpy as np
import pytest

from bastau.cli import main
from bastau.errors import InputError
from bastau.evaluate.claims import Post, evaluate_claims, read_claim_file, score_orders
from bastau.factchecks.words import Words

CLAIMS = """claim_id,text,title,published_at
c1,Drinking bleach cures the coronavirus.,Does Bleach Cure COVID-19?,2020-04-01
c2,A photograph shows a shark swimming on a flooded highway in Houston.,,2017-08-30
c3,NATO promised Russia in 1990 that it would never expand to the east.,,not a day
c3,An id that is there already,,
c4,,A claim without words,
,No id,,
"""
POSTS = """post_id,text,author,published_at
p1,a spoon of bleach a day cures coronavirus they say,,2020-03-29
p2,Shark swimming on a flooded highway in Houston!,,2017-08-29
p3,Lovely weather in Almaty today,,
p4,,,
p2,again,,
"""
RELEVANT = "post_id,claim_id\np1,c1\np2,c2\np9,c1\np1,c9\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    paths = []
    for name, text in (("claims", CLAIMS), ("posts", POSTS), ("relevant", RELEVANT)):
        path = tmp_path / f"{name}.csv"
        path.write_text(text, "utf-8")
        paths.append(path)
    return paths[0], paths[1], paths[2]


def post(*relevant: int) -> Post:
    return Post("p", Words("en"), float("nan"), frozenset(relevant))


def test_figures_equal_hand_made_ones() -> None:
    orders = [np.array([3, 1, 2]), np.array([5, 6, 7, 8, 9, 4]), np.array([0])]
    figures = score_orders(orders, [post(1, 2), post(4), post()])
    assert figures["map_5"] == pytest.approx(((1 / 2 + 2 / 3) / 2 + 0) / 2)
    assert figures["p_1"] == 0
    assert figures["mrr"] == pytest.approx((1 / 2 + 1 / 6) / 2)
    assert figures["recall_5"] == pytest.approx((1 + 0) / 2)
    assert figures["recall_50"] == 1


def test_rows_that_cannot_be_used_are_counted_and_explained(files: tuple[Path, Path, Path]) -> None:
    answer, lines = evaluate_claims(*files)
    assert answer["not_used"] == {
        "claims: bad date": 1,
        "claims: repeated id": 1,
        "claims: no text": 1,
        "claims: no id": 1,
        "posts: no text": 1,
        "posts: repeated id": 1,
        "relevant: unknown post": 1,
        "relevant: unknown claim": 1,
    }
    said = "\n".join(lines)
    assert "claims.csv: line 6: text: missing or empty" in said
    assert "relevant.csv: line 4: post_id: no such post" in said


def test_both_columns_are_given_and_copies_are_found(files: tuple[Path, Path, Path]) -> None:
    answer, _ = evaluate_claims(*files)
    assert answer["n_posts_with_claim"] == 2
    assert answer["n_posts_dated"] == 2
    for column in ("bm25", "text only", "with dates"):
        assert answer[column]["map_5"] == 1
        assert set(answer[column]) >= {"map_5", "p_1", "mrr", "recall_5", "recall_50"}
    assert set(answer["text only"]["shown"]) >= {"precision", "coverage", "shown_without_a_claim"}


def test_a_huge_claim_is_left_out_and_said(files: tuple[Path, Path, Path]) -> None:
    with files[0].open("a", encoding="utf-8") as file:
        file.write("c8," + "word " * 2_000_000 + ",,\n")
    assert read_claim_file(files[0]).problems.counts["claims: too long"] == 1


@pytest.mark.parametrize("which", [0, 1, 2])
def test_files_without_anything_usable_say_what_they_need(files: tuple[Path, Path, Path], which: int) -> None:
    files[which].write_text("claim_id,text,post_id\n,,\n", "utf-8")
    with pytest.raises(InputError, match=files[which].stem):
        evaluate_claims(*files)


def test_the_command_asks_for_the_files_it_needs(
    files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "claims", "--claims", str(files[0])]) == 2
    assert "--posts, --relevant" in capsys.readouterr().err
    arguments = [f"--{name}={path}" for name, path in zip(("claims", "posts", "relevant"), files, strict=True)]
    assert main(["evaluate", "claims", *arguments, "--train-posts", str(files[1])]) == 2
    assert "go together" in capsys.readouterr().err
    assert main(["evaluate", "claims", *arguments]) == 0
    assert "map_5: 1.0000" in capsys.readouterr().out
