import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from review_cases import ALWAYS, LEFT, NOON, Desk, opened, subject, suggestion, verdict

from bastau.review.log import publish
from bastau.review.transparency import report, rows

END = NOON + timedelta(days=30)


def page(at: Desk, n: int, act: str = "incite") -> None:
    at.do(opened(subject(value=f"https://site.kz/{n}", languages=("ru",)), suggestion(act=act)))


def month() -> Desk:
    """Five decisions: two released, one of them overturned; one disagreement with a panel; one case waits."""
    at = Desk()
    for n in (1, 2):
        page(at, n)
        at.judge("aigul")
        at.release("bolat", number=n)
    at.appeal(2)
    at.answer("dana", is_overturned=True)
    page(at, 3)
    at.judge("aigul", LEFT)
    page(at, 4)
    at.judge("aigul", rates=ALWAYS)
    at.judge("bolat")
    page(at, 5)
    at.judge("aigul", rates=ALWAYS)
    at.judge("bolat", LEFT)
    at.convene("dana")
    for name, seat, vote in (("erlan", "law", LEFT), ("farida", "religion", LEFT), ("gulnar", "sociology", verdict())):
        at.judge(name, vote, seat=seat)
    page(at, 6, "glorify")
    return at


FIGURES: dict[str, Any] = report(month().lines, NOON, END)


def test_decisions_are_counted() -> None:
    said = FIGURES["decisions"]
    assert (FIGURES["n_cases_opened"], said["n"], said["n_listed"], said["n_left"]) == (6, 5, 3, 2)
    assert said["by_act"] == {"incite": 3, "none": 2}
    assert (said["by_ground"], said["by_language"]) == ({"law": 3}, {"ru": 5})
    assert (said["begun_by_machine"]["share"], said["decided_by_machine"]["share"]) == (1.0, 0.0)


def test_rates_come_with_their_intervals() -> None:
    assert FIGURES["appeals"]["overturn_rate"] == {"n_hits": 1, "n": 1, "share": 1.0, "low": 0.2065, "high": 1.0}
    assert (FIGURES["entries"]["error_rate"]["n_hits"], FIGURES["entries"]["error_rate"]["n"]) == (1, 2)
    assert (FIGURES["suggestions"]["error_rate"]["n_hits"], FIGURES["suggestions"]["error_rate"]["n"]) == (2, 5)
    assert (
        FIGURES["second_opinions"]["disagreement_rate"]["n_hits"],
        FIGURES["second_opinions"]["disagreement_rate"]["n"],
    ) == (1, 2)


def test_times_lists_panels_gaps_and_what_waits() -> None:
    assert FIGURES["time_to_decide"] == {"n": 5, "median_s": 60.0, "p90_s": 360.0, "max_s": 360.0}
    assert (FIGURES["entries"]["n_released"], FIGURES["entries"]["n_standing"]) == (2, 1)
    assert FIGURES["entries"]["retracted_by_reason"] == {"overturned": 1}
    assert FIGURES["panels"]["n"] == 1
    assert FIGURES["waiting"]["n_cases"] == 3 - 1
    (gap,) = FIGURES["gaps"]
    assert gap["until_at"] == END.isoformat()


def test_a_reader_recomputes_it_from_the_published_log() -> None:
    lines = month().lines
    assert report(publish(lines, b"k" * 32), NOON, END) == FIGURES


def test_what_happened_at_the_end_or_later_is_left_out() -> None:
    assert report(month().lines, NOON, NOON)["decisions"]["n"] == 0
    assert report([], NOON, END)["appeals"]["overturn_rate"]["share"] is None


def test_rows_fit_a_csv_and_hold_every_figure() -> None:
    made = rows(FIGURES)
    out = io.StringIO()
    writer = csv.DictWriter(out, ["figure", "value", "low", "high", "n"])
    writer.writeheader()
    writer.writerows(made)
    read = {row["figure"]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}
    assert read["decisions.by_act.incite"]["value"] == "3"
    assert read["appeals.overturn_rate"]["low"] == "0.2065"
    assert len(read) == len(made)


def test_nothing_is_counted_by_reviewer_region_or_age(tmp_path: Path) -> None:
    said = str(rows(FIGURES))
    assert not [name for name in ("aigul", "bolat", "dana", "region", "age_group", "person", "account") if name in said]
