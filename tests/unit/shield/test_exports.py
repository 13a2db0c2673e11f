import csv
import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.errors import ConfigError, ContractError, DiskFull
from bastau.schemas import POST_FORMAT, TABLES
from bastau.shield import exports, graphs
from bastau.shield.exports import WHAT, export
from bastau.shield.queries import neutral_cells

NOON = datetime(2024, 3, 22, 12, tzinfo=UTC)
PRIVATE = "p~k7q2m9x4"
SECRET_TEXT = "Көктем келді\n=2+2"


def post(key: int, source: str, **columns: Any) -> dict[str, Any]:
    return {
        "post_key": key,
        "content_key": key,
        "post_id": f"telegram:{key}",
        "platform": "telegram",
        "source": source,
        "source_kind": "channel",
        "is_publisher": True,
        "published_at": NOON + timedelta(minutes=key),
        "collected_at": NOON + timedelta(days=1),
        "text": "Көктем келді",
    } | columns


def tables() -> dict[str, list[dict[str, Any]]]:
    """A narrative of three posts: two channels and a private account; one more post stands alone."""
    hour = timedelta(hours=1)
    return {
        "posts": [
            post(1, "aldymen", source_name="Алдымен", links=["https://a.example/1"], views=10),
            post(2, "keyin", media=[{"url": "https://a.example/p.png", "sha256": None, "pdq": None}]),
            post(3, PRIVATE, is_publisher=False, text=SECRET_TEXT),
            post(4, "keyin", text="=HYPERLINK(1)", published_at=NOON + timedelta(microseconds=5)),
        ],
        "imports": [
            {"batch": "b", "file": "f.ndjson", "format": "post_ndjson", "n_posts": 4, "n_repeats": 0, "n_rejects": 1}
            | {"min_audience": 5000, "imported_at": NOON}
        ],
        "rejects": [
            {"file": "f.ndjson", "line": 9, "reason": "bad_time", "detail": "write RFC 3339", "rejected_at": NOON}
        ],
        "members": [
            {"post_key": 1, "narrative_key": 7, "text_key": 70, "joined_by": "text"},
            {"post_key": 2, "narrative_key": 7, "text_key": 71, "joined_by": "near_copy"},
            {"post_key": 3, "narrative_key": 7, "text_key": 70, "joined_by": "text"},
            {"post_key": 4},
        ],
        "text_pairs": [{"text_a": 70, "text_b": 71, "similarity": 0.75}],
        "narratives": [
            {"narrative_key": 7, "narrative_id": "n0000000000007", "first_post_key": 1, "first_seen_at": NOON}
            | {"last_seen_at": NOON + hour, "n_posts": 3, "n_texts": 2, "n_sources": 3, "n_publishers": 2}
            | {"languages": ["kk"], "platforms": ["telegram"], "text": "Көктем келді"},
            {"narrative_key": 8, "narrative_id": "n0000000000008", "first_post_key": 4, "first_seen_at": NOON}
            | {"last_seen_at": NOON, "n_posts": 1, "n_texts": 1, "n_sources": 1, "n_publishers": 1}
            | {"languages": ["und"], "platforms": ["telegram"], "text": "x"},
        ],
        "origins": [
            {
                "narrative_key": 7,
                "abstained": False,
                "reason": "private_before",
                "seen_after": NOON - hour,
                "seen_by": NOON,
            }
            | {"coverage": 0.5, "n_earlier_private": 1}
            | {
                "to_collect": [
                    {"what": "hours", "platform": "telegram", "value": None, "from": NOON - hour, "to": NOON}
                ]
            }
            | {
                "candidates": [
                    {"source": "aldymen", "post_id": "telegram:1", "published_at": NOON, "confidence": 0.6},
                    {"source": "keyin", "post_id": "telegram:2", "published_at": NOON + hour, "confidence": 0.1},
                ]
            }
        ],
        "amplifiers": [
            {"narrative_key": 7, "source": "keyin", "score": 1, "n_posts": 1, "n_repeats": 1.0},
            {"narrative_key": 7, "source": "aldymen", "score": 2, "n_posts": 2, "n_repeats": 2.0},
            {"narrative_key": None, "source": "aldymen", "score": 2, "n_posts": 2, "n_repeats": 2.0},
        ],
        "copies": [
            copy("aldymen", "keyin", "repost", 60.0, 1.0),
            copy("aldymen", "keyin", "repost", 120.0, 0.5),
            copy("aldymen", "keyin", "link", 60.0, 1.0),
            copy("aldymen", PRIVATE, "near_copy", 60.0, 1.0, both_publishers=False),
        ],
        "co_shares": [co_share("aldymen", "keyin"), co_share("aldymen", PRIVATE), co_share("bolek", "keyin")],
        "coordination": [
            {
                "group_id": "g1",
                "sources": ["aldymen", "keyin"],
                "n_other_accounts": 2,
                "p_value": 0.001,
                "traces": ["link"],
            }
            | {"windows": [{"from": NOON, "to": NOON + hour}], "n_objects": 3}
            | {
                "examples": [
                    {"trace": "link", "object": "https://a.example/1", "post_ids": ["telegram:1", "telegram:2"]}
                ]
            }
        ],
    }


def copy(from_source: str, to_source: str, kind: str, delay_s: float, credit: float, **columns: Any) -> dict[str, Any]:
    row = {
        "narrative_key": 7,
        "from_post": 1,
        "to_post": 2,
        "from_source": from_source,
        "to_source": to_source,
        "kind": kind,
    }
    return row | {"delay_s": delay_s, "credit": credit, "both_publishers": True} | columns


def co_share(source_a: str, source_b: str) -> dict[str, Any]:
    row = {"source_a": source_a, "source_b": source_b, "n_objects": 3, "n_traces": 1}
    return row | {"weight": 4.5, "expected": 0.1, "p_value": 0.001}


def connect(rows: dict[str, list[dict[str, Any]]]) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 1})
    for name, schema in TABLES.items():
        con.register(name, pa.Table.from_pylist(rows.get(name, []), schema))
    return con


@pytest.fixture
def con() -> Any:
    with connect(tables()) as connection:
        yield connection


def write(con: duckdb.DuckDBPyConnection, what: str, path: Path, min_audience: int = 5000) -> dict[str, Any]:
    """Export and return the sidecar."""
    written = export(con, what, path, min_audience=min_audience, now=NOON)
    assert written.path == path
    return json.loads(written.meta_path.read_text())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


FORMS = {
    "posts": (".csv", ".ndjson", ".parquet", ".csv.gz", ".ndjson.zst"),
    "rejects": (".csv", ".ndjson", ".parquet"),
    "near-duplicates": (".csv", ".ndjson", ".parquet"),
    "narratives": (".ndjson", ".parquet"),
    "stories": (".ndjson", ".parquet"),
    "themes": (".ndjson", ".parquet"),
    "versions": (".csv", ".ndjson", ".parquet"),
    "coordination": (".jsonl", ".parquet"),
    "copies": (".csv", ".ndjson", ".parquet"),
    "wires": (".csv", ".ndjson", ".parquet"),
    "influence": (".csv", ".ndjson", ".parquet"),
    "families": (".ndjson", ".parquet"),
    "graph": (".graphml", ".gexf"),
}
EVERY_EXPORT = [(what, ending) for what, endings in FORMS.items() for ending in endings]


@pytest.mark.parametrize(("what", "ending"), EVERY_EXPORT)
class TestEveryExport:
    def test_states_the_threshold_and_the_coverage_beside_the_file(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path, what: str, ending: str
    ) -> None:
        path = tmp_path / f"out{ending}"
        meta = write(con, what, path)
        assert (meta["what"], meta["file"]) == (what, path.name)
        assert (meta["min_audience"], meta["min_audience_at_import"]) == (5000, [5000])
        assert meta["coverage"] == {
            "first_published_at": "2024-03-22T12:00:00.000005Z",
            "last_published_at": "2024-03-22T12:03:00Z",
            "n_posts": 4,
        }
        assert meta["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert "note" not in meta
        assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.meta.json"]

    def test_warns_when_every_account_counts_as_a_publisher(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path, what: str, ending: str
    ) -> None:
        assert "anonymised" in write(con, what, tmp_path / f"out{ending}", min_audience=0)["note"]

    def test_of_nothing_is_an_empty_file_of_its_format(self, tmp_path: Path, what: str, ending: str) -> None:
        with connect({}) as nothing:
            meta = write(nothing, what, tmp_path / f"out{ending}")
        assert meta.get("rows", 0) == meta.get("nodes", 0) == meta.get("edges", 0) == 0

    def test_names_no_private_author_outside_posts(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path, what: str, ending: str
    ) -> None:
        path = tmp_path / f"out{ending}"
        write(con, what, path)
        if ending in {".csv", ".ndjson", ".jsonl", ".graphml", ".gexf"}:
            assert (PRIVATE in path.read_text()) == (what == "posts")
        elif ending == ".parquet":
            assert (PRIVATE in str(pq.read_table(path).to_pylist())) == (what == "posts")


def test_every_format_is_covered_above() -> None:
    assert set(FORMS) == set(exports.endings())
    assert set(FORMS) == set(WHAT)


class TestPosts:
    def test_have_the_columns_of_the_post_format_in_order(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "posts", tmp_path / "p.csv")
        write(con, "posts", tmp_path / "p.ndjson")
        write(con, "posts", tmp_path / "p.parquet")
        with (tmp_path / "p.csv").open(newline="") as file:
            assert next(csv.reader(file)) == POST_FORMAT
        assert list(lines(tmp_path / "p.ndjson")[0]) == POST_FORMAT
        assert pq.read_schema(tmp_path / "p.parquet").names == POST_FORMAT

    def test_come_back_from_parquet_as_they_were(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "posts", tmp_path / "p.parquet")
        stored = pa.Table.from_pylist(tables()["posts"], TABLES["posts"]).select(POST_FORMAT)
        assert pq.read_table(tmp_path / "p.parquet").cast(stored.schema).to_pylist() == stored.to_pylist()

    def test_have_times_in_utc_whatever_the_session_says(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        con.execute("SET TimeZone = 'Asia/Almaty'")
        write(con, "posts", tmp_path / "p.ndjson")
        times = [row["published_at"] for row in lines(tmp_path / "p.ndjson")]
        assert times[0] == "2024-03-22T12:01:00Z"
        assert times[3] == "2024-03-22T12:00:00.000005Z"

    def test_in_csv_start_no_formula(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "posts", tmp_path / "p.csv")
        with (tmp_path / "p.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows[3]["text"] == "'=HYPERLINK(1)"
        assert rows[2]["text"] == SECRET_TEXT
        assert json.loads(rows[0]["links"]) == ["https://a.example/1"]
        assert json.loads(rows[1]["media"])[0]["url"] == "https://a.example/p.png"

    def test_in_ndjson_keep_every_character(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "posts", tmp_path / "p.ndjson")
        assert [row["text"] for row in lines(tmp_path / "p.ndjson")][2:] == [SECRET_TEXT, "=HYPERLINK(1)"]

    def test_are_packed_when_the_name_says_so(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "posts", tmp_path / "p.ndjson")
        write(con, "posts", tmp_path / "p.ndjson.gz")
        assert gzip.decompress((tmp_path / "p.ndjson.gz").read_bytes()) == (tmp_path / "p.ndjson").read_bytes()

    def test_with_a_private_author_under_a_real_name_are_refused(self, tmp_path: Path) -> None:
        rows = tables()
        rows["posts"][2]["source"] = "real_handle"
        with connect(rows) as con, pytest.raises(ContractError, match="1 names are not of publishers") as caught:
            write(con, "posts", tmp_path / "p.csv")
        assert "real_handle" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8))
    def test_in_csv_are_safe_and_otherwise_unchanged(self, text: str) -> None:
        ((cell,),) = duckdb.execute(neutral_cells("SELECT ? AS text", {"text": "VARCHAR"}), [text]).fetchall()
        assert cell in (text, f"'{text}")
        assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")


class TestNarratives:
    def test_hold_posts_in_time_order_and_the_first_sighting(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path
    ) -> None:
        write(con, "narratives", tmp_path / "n.ndjson")
        first, second = lines(tmp_path / "n.ndjson")
        assert first["post_ids"] == ["telegram:1", "telegram:2", "telegram:3"]
        assert first["origin"] == {
            "abstained": False,
            "reason": "private_before",
            "coverage": 0.5,
            "seen_after": "2024-03-22T11:00:00Z",
            "seen_by": "2024-03-22T12:00:00Z",
            "n_earlier_private": 1,
            "candidates": [
                {
                    "source": "aldymen",
                    "post_id": "telegram:1",
                    "published_at": "2024-03-22T12:00:00Z",
                    "confidence": 0.6,
                },
                {"source": "keyin", "post_id": "telegram:2", "published_at": "2024-03-22T13:00:00Z", "confidence": 0.1},
            ],
            "to_collect": [
                {
                    "what": "hours",
                    "platform": "telegram",
                    "value": None,
                    "from": "2024-03-22T11:00:00Z",
                    "to": "2024-03-22T12:00:00Z",
                }
            ],
        }
        assert first["amplifiers"] == [
            {"source": "aldymen", "score": 2, "influence": None},
            {"source": "keyin", "score": 1, "influence": None},
        ]
        assert (first["claims"], first["suggestions"]) == ([], [])
        assert (second["narrative_id"], second["post_ids"]) == ("n0000000000008", [])

    def test_without_an_examined_origin_abstain(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "narratives", tmp_path / "n.ndjson")
        origin = lines(tmp_path / "n.ndjson")[1]["origin"]
        assert origin["abstained"] is True
        assert origin["candidates"] == []

    @pytest.mark.parametrize("table", ["origins", "amplifiers"])
    def test_that_would_rank_a_private_author_are_refused(self, tmp_path: Path, table: str) -> None:
        rows = tables()
        if table == "origins":
            rows["origins"][0]["candidates"][1]["source"] = PRIVATE
        else:
            rows["amplifiers"][0]["source"] = PRIVATE
        with connect(rows) as con, pytest.raises(ContractError):
            write(con, "narratives", tmp_path / "n.ndjson")


class TestCoordination:
    def test_names_publishers_and_counts_the_rest(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "coordination", tmp_path / "c.ndjson")
        (group,) = lines(tmp_path / "c.ndjson")
        assert (group["sources"], group["n_other_accounts"]) == (["aldymen", "keyin"], 2)
        assert group["windows"] == [{"from": "2024-03-22T12:00:00Z", "to": "2024-03-22T13:00:00Z"}]

    def test_that_would_name_a_private_author_is_refused(self, tmp_path: Path) -> None:
        rows = tables()
        rows["coordination"][0]["sources"].append(PRIVATE)
        with connect(rows) as con, pytest.raises(ContractError):
            write(con, "coordination", tmp_path / "c.ndjson")


class TestNearDuplicates:
    def test_are_pairs_of_posts_with_the_earlier_first(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "near-duplicates", tmp_path / "d.ndjson")
        assert sorted(map(tuple, (row.values() for row in lines(tmp_path / "d.ndjson")))) == [
            ("telegram:1", "telegram:2", 0.75, "near_copy"),
            ("telegram:1", "telegram:3", 1.0, "same_text"),
        ]


class TestGraph:
    KINDS = (
        ("aldymen", "keyin", "co_share", 4.5),
        ("aldymen", "keyin", "link", 1.0),
        ("aldymen", "keyin", "repost", 1.5),
        ("keyin", "aldymen", "co_share", 4.5),
    )

    def test_in_graphml_has_publishers_and_edges_by_kind(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        meta = write(con, "graph", tmp_path / "g.graphml")
        ns = {"g": "http://graphml.graphdrawing.org/xmlns"}
        root = ElementTree.parse(tmp_path / "g.graphml").getroot()
        keys = {key.get("id") for key in root.findall("g:key", ns)}
        assert {data.get("key") for data in root.iterfind(".//g:data", ns)} <= keys
        nodes = {node.get("id") for node in root.iterfind(".//g:node", ns)}
        assert nodes == {"aldymen", "keyin"}
        found = []
        for edge in root.iterfind(".//g:edge", ns):
            assert {edge.get("source"), edge.get("target")} <= nodes
            data = {d.get("key"): d.text for d in edge}
            weight = float(data["edge.weight"] or "")
            found.append((edge.get("source"), edge.get("target"), data["edge.kind"], weight))
        assert tuple(found) == self.KINDS
        assert (meta["nodes"], meta["edges"]) == (2, 4)
        assert root.find("g:graph/g:data[@key='graph.min_audience']", ns).text == "5000"  # type: ignore[union-attr]

    def test_in_gexf_has_publishers_and_edges_by_kind(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        write(con, "graph", tmp_path / "g.gexf")
        ns = {"g": "http://gexf.net/1.3"}
        root = ElementTree.parse(tmp_path / "g.gexf").getroot()
        assert [(n.get("id"), n.get("label")) for n in root.iterfind(".//g:node", ns)] == [
            ("aldymen", "Алдымен"),
            ("keyin", "keyin"),
        ]
        edges = root.findall(".//g:edge", ns)
        found = tuple((e.get("source"), e.get("target"), e.get("kind"), float(e.get("weight") or "")) for e in edges)
        assert found == self.KINDS
        assert len({edge.get("id") for edge in edges}) == len(edges)
        assert "min_audience: 5000" in (root.findtext("g:meta/g:description", "", ns))

    @pytest.mark.parametrize("ending", ["graphml", "gexf"])
    def test_opens_in_networkx(self, con: duckdb.DuckDBPyConnection, tmp_path: Path, ending: str) -> None:
        networkx = pytest.importorskip("networkx", reason="networkx is not a dependency; the XML is checked above")
        write(con, "graph", tmp_path / f"g.{ending}")
        read = networkx.read_graphml if ending == "graphml" else networkx.read_gexf
        options = {} if ending == "graphml" else {"version": "1.3"}
        graph = read(tmp_path / f"g.{ending}", **options)
        found = sorted((a, b, d["kind"], d["weight"]) for a, b, d in graph.edges(data=True))
        assert tuple(found) == self.KINDS
        assert graph.nodes["aldymen"]["n_posts"] == 1

    @pytest.mark.parametrize("ending", ["graphml", "gexf"])
    def test_survives_names_that_xml_cannot_hold(self, tmp_path: Path, ending: str) -> None:
        rows = tables()
        odd = "a<b>&\"'\x0b\ufffe"
        rows["posts"][0] |= {"source": odd, "source_name": odd}
        rows["copies"] = [copy(odd, "keyin", "repost", 1.0, 1.0)]
        rows["coordination"] = []
        with connect(rows) as con:
            write(con, "graph", tmp_path / f"g.{ending}")
        ids = [e.get("id") for e in ElementTree.parse(tmp_path / f"g.{ending}").iter() if e.tag.endswith("}node")]
        assert ids == ["a<b>&\"'\ufffd\ufffd", "keyin"]

    def test_that_would_name_a_private_author_is_refused(self, tmp_path: Path) -> None:
        rows = tables()
        rows["copies"][3]["both_publishers"] = True
        with connect(rows) as con, pytest.raises(ContractError):
            write(con, "graph", tmp_path / "g.gexf")


class TestRefusals:
    @pytest.mark.parametrize(
        ("what", "name", "message"),
        [
            ("everything", "x.csv", "nothing called 'everything' to export; known: posts, rejects"),
            ("posts", "p.xlsx", r"p.xlsx: export posts to a file that ends in .ndjson, .jsonl, .csv, .parquet"),
            ("narratives", "n.csv", "ends in .ndjson, .jsonl, .parquet"),
            ("posts", "p.parquet.gz", "ends in"),
            ("posts", "missing/p.csv", "no such folder"),
        ],
    )
    def test_say_what_to_do(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path, what: str, name: str, message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            write(con, what, tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_not_overwritten(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        (tmp_path / "p.csv").mkdir()
        with pytest.raises(ConfigError, match="not a regular file"):
            write(con, "posts", tmp_path / "p.csv")


class TestHalfWrittenFiles:
    @pytest.mark.parametrize("ending", ["csv", "graphml"])
    def test_never_replace_a_whole_one(
        self, con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
    ) -> None:
        path, what = tmp_path / f"out.{ending}", "posts" if ending == "csv" else "graph"
        path.write_text("the old one")

        def fail(*_: object) -> Any:
            raise duckdb.IOException('Could not write file "out": No space left on device')

        monkeypatch.setattr(exports if ending == "csv" else graphs, "_copy" if ending == "csv" else "_data", fail)
        with pytest.raises(DiskFull):
            write(con, what, path)
        assert path.read_text() == "the old one"
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
        # the connection is not left in the middle of a result
        assert con.execute("SELECT 1").fetchall() == [(1,)]

    def test_a_link_is_followed_not_replaced(self, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
        real, link = tmp_path / "real.csv", tmp_path / "link.csv"
        real.write_text("")
        link.symlink_to(real)
        written = export(con, "rejects", link, min_audience=5000, now=NOON)
        assert link.is_symlink()
        assert written.path == real
        assert "bad_time" in real.read_text()


def test_a_parquet_file_states_its_threshold_inside(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    write(con, "narratives", tmp_path / "n.parquet")
    inside = pq.read_schema(tmp_path / "n.parquet").metadata
    assert (inside[b"bastau.min_audience"], inside[b"bastau.what"]) == (b"5000", b"narratives")


def test_the_same_lake_gives_the_same_bytes(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for what, endings in FORMS.items():
        a, b = (write(con, what, tmp_path / f"{n}{endings[0]}")["sha256"] for n in "ab")
        assert a == b, what
