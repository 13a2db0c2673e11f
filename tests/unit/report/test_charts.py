import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bastau.report import charts
from bastau.report.charts import Caption, Dot, Line, Series

NASTY = "<script>\"&'</script>"
CAPTION = Caption("c", NASTY, NASTY)
STARTS = [datetime(2026, 3, 3, tzinfo=UTC) + timedelta(hours=i) for i in range(24)]
SVG = "{http://www.w3.org/2000/svg}"


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def bars(counts: list[int], width: float = 600) -> str:
    series = [Series(NASTY, counts), Series("b", [n // 2 for n in counts])]
    return charts.stacked_bars(
        CAPTION, STARTS[: len(counts)], series, width=width, tick=lambda at: f"{at:%d %b %H:%M}", number=str
    )


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=24), st.sampled_from([320.0, 940.0]))
def test_bars_stay_inside_and_their_heights_are_in_proportion(counts: list[int], width: float) -> None:
    root = parse(bars(counts, width))
    drawn = [r for r in root.iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    assert len(drawn) == sum(n > 0 for n in counts) + sum(n // 2 > 0 for n in counts)
    for rect in drawn:
        assert 0 <= float(rect.get("x")) <= float(rect.get("x")) + float(rect.get("width")) <= width + 0.1
        assert 0 <= float(rect.get("y")) <= 200
    top = charts.round_top(max(n + n // 2 for n in counts))
    total = sum(float(r.get("height")) for r in drawn)
    assert abs(total - 162 * sum(n + n // 2 for n in counts) / top) < 0.11 * len(drawn) + 0.1


def test_every_chart_has_a_title_a_description_and_escaped_words() -> None:
    made = [
        bars([1, 2]),
        charts.coverage_strip(
            CAPTION, STARTS, [1, 0] * 12, width=300, tick=lambda _: NASTY, mark=0.5, mark_label=NASTY
        ),
        charts.histogram(CAPTION, [NASTY, "b"], [3, 0], width=300, number=str),
        charts.spread_graph(CAPTION, [NASTY], [Dot(0, 0, NASTY)], [], width=300, offset=lambda _: NASTY),
    ]
    for svg in made:
        root = parse(svg)
        assert (root.find(f"{SVG}title").text, root.find(f"{SVG}desc").text) == (NASTY, NASTY)
        assert root.get("aria-labelledby") == "c-t c-d"
        assert "<script" not in svg
        assert 'style="' not in svg


def test_gaps_are_hatched_and_filled_hours_are_not() -> None:
    root = parse(charts.coverage_strip(CAPTION, STARTS, [5, 0, 0] * 8, width=300, tick=str))
    classes = [rect.get("class") for rect in root.iter(f"{SVG}rect")]
    assert (classes.count("gap"), classes.count("bar s2")) == (16, 8)


def test_labels_of_an_axis_do_not_touch() -> None:
    for width in (320.0, 940.0):
        root = parse(bars([1] * 24, width))
        labels = [t for t in root.iter(f"{SVG}text") if t.get("class") == "tick" and "Mar" in (t.text or "")]
        assert len(labels) >= 2
        ends = [(float(t.get("x")), float(t.get("x")) + len(t.text) * 6.6) for t in labels]
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
        assert ends[-1][1] <= width


def test_a_copy_is_drawn_as_a_line_of_its_kind_from_left_to_right() -> None:
    dots = [Dot(0, 0, "a"), Dot(1, 600, "b")]
    root = parse(
        charts.spread_graph(CAPTION, ["a", "b"], dots, [Line(0, 1, "forward")], width=940, offset=lambda s: f"{s:g}")
    )
    (edge,) = [p for p in root.iter(f"{SVG}path") if p.get("class") == "edge forward"]
    xs = [float(circle.get("cx")) for circle in root.iter(f"{SVG}circle")]
    assert xs[0] < xs[1]
    assert edge.get("d").startswith(f"M{xs[0]:.1f} ")


@given(st.lists(st.floats(0, 10**8), min_size=1, max_size=30))
def test_the_time_scale_keeps_order_and_fills_the_width(offsets: list[float]) -> None:
    span = max(*offsets, 1.0)
    place = charts.time_scale(offsets, span)
    placed = [place(s) for s in sorted(offsets)]
    assert placed == sorted(placed)
    assert (place(0), round(place(span), 9)) == (0, 1)


@given(st.integers(1, 10**12))
def test_the_top_of_an_axis_is_round_and_near(highest: int) -> None:
    top = charts.round_top(highest)
    assert highest <= top < 3 * highest
    assert top == 1 or top % 2 == 0
