"""Changes to the list of sources: which are meant, what becomes of them, out as a table and back."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bastau.collect.watching.store import Source
from bastau.editing import Change, Filter, apply, as_csv, from_csv, tell
from bastau.errors import ConfigError, InputError

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def source(n: int, address: str = "", **values: object) -> Source:
    made = Source(n, "feed", address or f"https://site{n}.kz/feed", n, added_at=NOW.timestamp())
    return replace(made, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Filter(), [1, 2, 3, 4]),
        (Filter(host="Tau.kz"), [2, 3]),
        (Filter(host="news.tau.kz."), [3]),
        (Filter(host="au.kz"), []),
        (Filter(collector="sitemap"), [3]),
        (Filter(trouble="gone"), [4]),
        (Filter(only="failing", host="tau.kz"), []),
        (Filter(only="paused"), [2]),
        (Filter(match="Herald"), [1]),
    ],
    ids=str,
)
def test_filters_say_which_sources_are_meant(chosen: Filter, ids: list[int]) -> None:
    sources = [
        source(1, name="The Herald"),
        source(2, "https://tau.kz/feed", is_paused=True, trouble="timeout"),
        source(3, "https://news.tau.kz/map.xml", collector="sitemap"),
        source(4, trouble="gone"),
    ]
    assert [one.source_id for one in sources if chosen.holds(one, NOW)] == ids


def test_a_change_leaves_what_it_does_not_name_and_what_is_so_already() -> None:
    sources = [
        source(1, options={"full_text": True, "a": 1}),
        source(2, options={"full_text": True, "b": 2}, priority=2),
    ]
    change = Change(priority=2, options={"b": "", "full_text": True})
    changes = apply(change, sources)
    assert [(after.options, after.priority) for _, after in changes] == [
        ({"full_text": True, "a": 1}, 2),
        ({"full_text": True}, 2),
    ]
    assert tell(changes) == [
        "https://site1.kz/feed (feed): priority 0 -> 2",
        "https://site2.kz/feed (feed): b 2 -> none",
    ]
    assert apply(change, [after for _, after in changes]) == []
    with pytest.raises(ConfigError, match="one source"):
        apply(Change(name="x"), sources)


def test_a_table_that_nobody_touched_changes_nothing(tmp_path: Path) -> None:
    sources = [
        source(
            1, name='=HYPERLINK("https://evil")', priority=-1, options={"NAME": "env:OTHER", "back_to": "2024-01-01"}
        ),
        source(2, name="Ақпарат, «жаңалық»", is_paused=True),
        source(3, "@channel"),
    ]
    text = as_csv(sources)
    assert next(row["name"] for row in csv.DictReader(io.StringIO(text))).startswith("'=")
    (tmp_path / "list.csv").write_text(text)
    assert from_csv(tmp_path / "list.csv", sources) == ([], [])


def test_a_table_changes_what_it_names_and_adds_nothing(tmp_path: Path) -> None:
    sources = [source(1, name="one", options={"a": 1}), source(2, name="two"), source(3, name="three")]
    path = tmp_path / "list.csv"
    path.write_text(
        "address,collector,priority,is_paused\nhttps://site1.kz/feed,feed,3,1\nhttps://site2.kz/feed,sitemap,3,1\nhttps://new.kz,feed,,\n"
    )
    changes, unknown = from_csv(path, sources)
    assert [after for _, after in changes] == [replace(sources[0], priority=3, is_paused=True)]
    assert unknown == ["https://site2.kz/feed", "https://new.kz"]
    path.write_text("address,collector,name,options\nhttps://site1.kz/feed,feed,,\n")
    assert [after for _, after in from_csv(path, sources)[0]] == [replace(sources[0], name="", options={})]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("address\nhttps://site1.kz/feed\n", "line 1: columns are"),
        ("address,collector,score\n", "line 1: columns are"),
        (
            "address,collector,priority\nhttps://site1.kz/feed,feed,0\nhttps://site1.kz/feed,feed,9\n",
            "line 3: priority",
        ),
        ("address,collector,is_paused\nhttps://site1.kz/feed,feed,maybe\n", "line 2: is_paused"),
        ("address,collector,options\nhttps://site1.kz/feed,feed,[1]\n", "line 2: options"),
        ("address,collector,name\nhttps://site1.kz/feed,feed," + "x" * 200_000, "no table of comma-separated values"),
    ],
    ids=["collector", "column", "priority", "pause", "options", "endless cell"],
)
def test_a_mistake_in_a_table_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    csv.field_size_limit(1 << 24)  # as another reader of the process may have left it
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        from_csv(tmp_path / "list.csv", [source(1)])
