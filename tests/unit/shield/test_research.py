"""A researchers' export: publishers in full, private accounts as cells of ten and more, and nothing that leads to a person."""

import hashlib
import itertools
import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bastau.errors import ConfigError, ContractError
from bastau.home import Home
from bastau.schemas import TABLES
from bastau.shield import research
from bastau.shield.cells import K
from bastau.shield.research import Release, export_research, read_release
from bastau.shield.research_tables import ATTRIBUTES
from bastau.shield.research_tables import TABLES as DESCRIBED

NOON = datetime(2024, 3, 22, 12, tzinfo=UTC)
RELEASE = Release("Example | Watch", "data@watch.example.org", "CC-BY-NC-4.0", "To see how narratives spread.")
KEY = bytes(32)
SECRET = "qupiya soz"
PRIVATE_URL = "https://www.youtube.com/watch?v=QUPIYAvideo"


def private(i: int) -> str:
    return f"p~{'abcdefghijklmnop'[i % 16]}{'q' * 13}{'234567'[i // 16]}7"


def post(key: int, source: str, **columns: Any) -> dict[str, Any]:
    return {
        "post_key": key,
        "content_key": key,
        "post_id": f"telegram:{source}/{key}",
        "platform": "telegram",
        "source": source,
        "source_kind": "channel",
        "is_publisher": not source.startswith("p~"),
        "published_at": NOON + timedelta(minutes=key),
        "collected_at": NOON + timedelta(days=1),
        "url": f"https://t.me/{source}/{key}",
        "text": f"{SECRET} {key}" if source.startswith("p~") else f"Көктем келді {key}",
    } | columns


def reading(post: dict[str, Any]) -> dict[str, Any]:
    urls, keys = post.pop("urls", []), post.pop("url_keys", [])
    return {"post_key": post["post_key"], "folded": "", "n_words": 3, "urls": urls, "url_keys": keys} | {
        "own_url_key": post["post_key"] + 1000, "mentions": [], "hashtags": [], "detected_language": "kk", "language_score": 1.0, "script": "Cyrl"
    }  # fmt: skip


def made(folder: Path, posts: list[dict[str, Any]], *, n_imports: int = 1, **derived: list[dict[str, Any]]) -> Home:
    """A processed home in which these posts were stored at noon, the first half of them in narrative n1."""
    home = Home.open(folder, create=True)
    readings = [reading(row) for row in posts]
    edits = derived.pop("edits", [])
    for name, rows in {"posts": posts, "readings": readings, "edits": edits}.items():
        if rows:
            home.lake.commit(name, "batch", pa.Table.from_pylist(rows, TABLES[name]), NOON.date())
    for i in range(n_imports):
        row = {"batch": "batch", "file": "f", "format": "f", "n_posts": len(posts), "n_repeats": 0, "n_rejects": 0}
        row |= {"min_audience": 5000, "imported_at": NOON + timedelta(hours=i)}
        home.lake.commit("imports", f"batch{i}", pa.Table.from_pylist([row], TABLES["imports"]), NOON.date())
    half = posts[: len(posts) // 2]
    generation = home.new_generation(1)
    tables = {
        "narratives": [
            {"narrative_key": 7, "narrative_id": "n0000000000007", "first_post_key": 1, "first_seen_at": NOON, "last_seen_at": NOON}
            | {"n_posts": 1, "n_texts": 1, "n_sources": 1, "n_publishers": 1, "languages": ["kk"], "platforms": ["telegram"], "text": SECRET}
        ],
        "members": [{"post_key": row["post_key"], "narrative_key": 7 if row in half else None} for row in posts],
    }  # fmt: skip
    for name, rows in (tables | derived).items():
        generation.write(name, pa.Table.from_pylist(rows, TABLES[name]))
    home.put_in_force(generation, {})
    return home


def crowd(n: int, *, first: int = 100, **columns: Any) -> list[dict[str, Any]]:
    return [post(first + i, private(i), **columns) for i in range(n)]


def publishers() -> list[dict[str, Any]]:
    return [
        post(1, "aldymen", text=f"RT @{private(0)}: көктем", repost_of=f"telegram:{private(0)}/100", forwarded_from=private(0)),
        post(2, "keyin", repost_of="telegram:aldymen/1", forwarded_from="aldymen"),
        post(
            3, "keyin", text=f"Qarańyz: {PRIVATE_URL} jáne https://a.example/1", urls=[PRIVATE_URL, "https://a.example/1"], url_keys=[1100, 5]
        ),
        post(4, "keyin", urls=[f"https://x.com/{private(1)}"], url_keys=[6], reply_to="telegram:somebody/1"),
    ]  # fmt: skip


def write(home: Home, folder: Path, key: bytes = KEY, texts: str = "publishers") -> dict[str, list[dict[str, Any]]]:
    export_research(home, folder, RELEASE, texts=texts, key=key, now=NOON)
    return {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in DESCRIBED}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made(tmp_path_factory.mktemp("research") / "home", publishers() + crowd(26))


@pytest.fixture(scope="module")
def folder(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "out"
    export_research(home, folder, RELEASE, key=KEY, now=NOON)
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in DESCRIBED}


class TestFolder:
    def test_holds_tables_a_card_metadata_and_sums(self, folder: Path) -> None:
        names = {path.name for path in folder.iterdir()}
        assert names == {*(f"{name}.parquet" for name in DESCRIBED), "README.md", "croissant.json", "SHA256SUMS"}
        lines = (folder / "SHA256SUMS").read_text().splitlines()
        sums = {line[66:]: line[:64] for line in lines}
        assert sums == {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names - {"SHA256SUMS"}}

    def test_is_read_by_others_with_the_columns_that_are_described(self, folder: Path) -> None:
        for name, (_, columns) in DESCRIBED.items():
            frame, table = pl.read_parquet(folder / f"{name}.parquet"), pq.read_table(folder / f"{name}.parquet")
            assert frame.columns == table.column_names == list(columns)
            assert frame.height == table.num_rows
            assert table.schema.metadata[b"bastau.min_audience"] == b"5000"

    def test_is_new_or_empty(self, home: Home, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        write(home, tmp_path / "out")
        with pytest.raises(ConfigError, match="is there already"):
            write(home, tmp_path / "out")
        with pytest.raises(ConfigError, match="make it first"):
            write(home, tmp_path / "none" / "out")

    def test_appears_whole_or_not_at_all(self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> str:
            raise ContractError("no")

        monkeypatch.setattr(research, "croissant", fail)
        with pytest.raises(ContractError):
            write(home, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


class TestPrivateAccounts:
    def test_are_nowhere_by_name_id_address_or_word(
        self, folder: Path, tables: dict[str, list[dict[str, Any]]]
    ) -> None:
        everything = str(tables) + (folder / "README.md").read_text() + (folder / "croissant.json").read_text()
        assert "Көктем келді 2" in everything
        for trace in ("p~a", SECRET, "QUPIYA", "telegram:somebody", "n0000000000007", "telegram:p~"):
            assert trace not in everything, trace

    def test_are_shown_by_the_attributes_that_cells_are_formed_of_and_no_others(self) -> None:
        assert list(DESCRIBED["private_posts"][1]) == [*ATTRIBUTES, "author"]

    def test_have_other_names_in_every_export_and_cell(self, home: Home, folder: Path, tmp_path: Path) -> None:
        again = write(home, tmp_path / "again")
        other = write(home, tmp_path / "other", key=b"\1" * 32)
        mine = pq.read_table(folder / "private_posts.parquet").to_pylist()
        assert again["private_posts"] == mine
        assert not {row["author"] for row in mine} & {row["author"] for row in other["private_posts"]}
        ids = {row["narrative_id"] for row in mine} - {"none", None}
        assert len(ids) == 1
        assert not ids & {row["narrative_id"] for row in other["private_posts"]}
        assert ids == {row["narrative_id"] for row in again["narratives"]}
        cells = defaultdict(set)
        for row in mine:
            cells[row["narrative_id"]].add(row["author"])
        assert not set.intersection(*cells.values())

    def test_of_fewer_than_ten_are_not_there(self, tmp_path: Path) -> None:
        few = write(made(tmp_path / "few", publishers() + crowd(9)), tmp_path / "a")
        assert (few["private_posts"], len(few["counts"])) == ([], 1)
        assert len(write(made(tmp_path / "ten", publishers() + crowd(10)), tmp_path / "b")["private_posts"]) == 10

    def test_are_counted_twice_at_most_where_keys_may_have_changed(self, tmp_path: Path) -> None:
        for n, shown in ((18, 0), (19, 19)):
            home = made(tmp_path / str(n), publishers() + crowd(n), n_imports=2)
            assert len(write(home, tmp_path / f"out{n}")["private_posts"]) == shown

    def test_who_deleted_a_post_are_not_shown_with_it(self, tmp_path: Path) -> None:
        gone = {"post_id": "telegram:x/100", "post_key": 100, "kind": "deleted", "seen_at": NOON}
        back = gone | {"post_key": 101, "post_id": "telegram:x/101"}
        edits = [gone, back, back | {"kind": "back", "seen_at": NOON + timedelta(hours=1)}, gone | {"post_key": 2}]
        told = write(made(tmp_path / "home", publishers() + crowd(12), edits=edits), tmp_path / "out")
        assert len(told["private_posts"]) == 11
        assert [row["deleted_at"] for row in told["posts"]] == [None, NOON, None, None]

    def test_no_figure_and_no_difference_is_of_one_to_nine(self, tmp_path: Path) -> None:
        posts = []
        for i in range(400):
            account = (i * i + 3 * i) % 60
            columns: dict[str, Any] = {"published_at": NOON + timedelta(hours=(7 * i) % 100), "platform": "xyz"[i % 3]}
            posts.append(post(100 + i, private(account), source_kind=("account", "page", None)[i % 5 % 3], **columns))
        told = write(made(tmp_path / "home", publishers() + posts), tmp_path / "out")
        shown = told["private_posts"]
        assert len(shown) == 400
        assert any(row["hour"] for row in shown) or any(row["day"] for row in shown)
        # Cells are all that can be counted: a reader's question by any columns joins whole ones.
        cells: dict[tuple[object, ...], set[str]] = defaultdict(set)
        for row in shown:
            cells[tuple(row[name] for name in ATTRIBUTES)].add(row["author"])
        assert min(map(len, cells.values())) >= K
        by = ("month", "day", "language", "platform", "source_kind")
        counted = {tuple(row[name] for name in by): row for row in told["counts"] if not row["is_publisher"]}
        for place, row in counted.items():
            inside = [row for row in shown if tuple(row[name] for name in by) == place]
            assert row["n_posts"] == len(inside)
            assert row["n_authors"] == max(
                len(authors)
                for cell, authors in cells.items()
                if tuple(dict(zip(ATTRIBUTES, cell, strict=True))[n] for n in by) == place
            )
        assert sum(row["n_posts"] for row in counted.values()) == 400
        (narrative,) = told["narratives"]
        in_it = [row for row in shown if row["narrative_id"] == narrative["narrative_id"]]
        assert (narrative["n_private_posts"] or 0) == len(in_it)


class TestPublishers:
    def test_are_in_full_but_for_private_persons(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        first, second, third, fourth = tables["posts"]
        assert (first["text"], first["repost_of"], first["forwarded_from"]) == ("RT @…: көктем", None, None)
        assert (second["repost_of"], second["forwarded_from"]) == ("telegram:aldymen/1", "aldymen")
        assert (third["text"], third["links"]) == ("Qarańyz: … jáne …", ["https://a.example/1"])
        assert (fourth["links"], fourth["reply_to"]) == ([], None)
        assert second["published_at"] == NOON + timedelta(minutes=2)

    def test_are_without_words_on_request(self, home: Home, tmp_path: Path) -> None:
        told = write(home, tmp_path / "out", texts="none")
        assert "Көктем" not in str(told)
        assert told["posts"][1]["url"] == "https://t.me/keyin/2"
        assert "without their words" in (tmp_path / "out" / "README.md").read_text()

    def test_are_counted_exactly(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        (row,) = [row for row in tables["counts"] if row["is_publisher"]]
        assert (row["n_posts"], row["n_authors"], row["day"]) == (4, 2, "2024-03-22")

    def test_begin_and_end_a_narrative_alone(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        (narrative,) = tables["narratives"]
        assert (narrative["first_post_id"], narrative["text"]) == ("telegram:aldymen/1", "RT @…: көктем")
        assert (narrative["n_posts"], narrative["n_publishers"]) == (4, 2)
        assert (narrative["n_private_posts"], narrative["n_private_authors"]) == (11, 11)
        assert narrative["last_seen_at"] == NOON + timedelta(minutes=4)

    @pytest.mark.parametrize(("n", "told"), [(9, None), (10, 10)])
    def test_move_together_with_ten_private_accounts_or_with_nobody_said(
        self, tmp_path: Path, n: int, told: int | None
    ) -> None:
        group = {
            "group_id": "g1",
            "sources": ["aldymen", "keyin"],
            "n_other_accounts": n,
            "p_value": 0.001,
            "traces": ["link"],
        }
        group |= {
            "windows": [{"from": NOON, "to": NOON}],
            "n_objects": 3,
            "test": "pairs",
            "median_delay_s": 1.0,
            "n_wire_copies": 0,
        }
        group["examples"] = [{"trace": "link", "object": "o", "post_ids": ["telegram:aldymen/1"], "posts": []}] * 2
        home = made(tmp_path / "home", publishers(), coordination=[group])
        (row,) = write(home, tmp_path / "out")["coordination"]
        assert (row["n_other_accounts"], row["example_post_ids"]) == (told, ["telegram:aldymen/1"])


class TestCard:
    def test_says_what_a_datasheet_says(self, folder: Path) -> None:
        card = (folder / "README.md").read_text()
        for heading in (
            "Motivation",
            "Composition",
            "Collection",
            "Known gaps",
            "Uses",
            "Distribution and upkeep",
            "Columns",
        ):
            assert f"# {heading}\n" in card
        for said in (
            RELEASE.contact,
            RELEASE.licence,
            RELEASE.purpose,
            "Example \\| Watch",
            "Not allowed:",
            "where a person lives",
        ):
            assert said in card
        for name, (_, columns) in DESCRIBED.items():
            assert f"`{name}.parquet`" in card
            assert all(f"| `{column}` |" in card for column in columns)

    def test_tells_that_everybody_is_a_publisher(self, tmp_path: Path) -> None:
        home = made(tmp_path / "home", publishers())
        (home.folder / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n")
        write(Home.open(home.folder), tmp_path / "out")
        assert "right only for simulated" in (tmp_path / "out" / "README.md").read_text()

    def test_no_column_is_of_a_region_or_age(self) -> None:
        names = set(itertools.chain.from_iterable(columns for _, columns in DESCRIBED.values()))
        assert not [name for name in names if re.search(r"region|place|city|geo|(^|_)age(_|$)|sex|gender|birth", name)]

    def test_is_croissant_for_programs(self, folder: Path) -> None:
        known = json.loads((folder / "croissant.json").read_text())
        assert "http://mlcommons.org/croissant/1.0" in known["conformsTo"]
        assert (known["license"], known["publisher"]["name"]) == (RELEASE.licence, RELEASE.publisher)
        for file in known["distribution"]:
            path = folder / file["contentUrl"]
            assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert file["contentSize"] == f"{path.stat().st_size} B"
        for records in known["recordSet"]:
            columns = [field["source"]["extract"]["column"] for field in records["field"]]
            assert columns == pq.read_schema(folder / f"{records['name']}.parquet").names

    @pytest.mark.filterwarnings("ignore")
    def test_is_croissant_to_its_own_library(self, folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
        library = pytest.importorskip("mlcroissant", reason="mlcroissant is no dependency; the form is checked above")
        dataset = library.Dataset(jsonld=str(folder / "croissant.json"))
        assert not dataset.metadata.ctx.issues.errors
        assert not dataset.metadata.ctx.issues.warnings
        for name, rows in tables.items():
            assert len(list(dataset.records(name))) == len(rows)


class TestRelease:
    def test_is_read_from_the_operators_file(self, tmp_path: Path) -> None:
        (tmp_path / "r.toml").write_text('publisher = "W"\ncontact = "c"\nlicence = "l"\npurpose = "p"\nground = "g"\n')
        assert read_release(tmp_path / "r.toml") == Release("W", "c", "l", "p", ground="g")

    def test_says_everything_that_is_wrong_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "r.toml").write_text('publisher = 3\nlicense = "l"\n')
        with pytest.raises(ConfigError) as caught:
            read_release(tmp_path / "r.toml")
        for said in (
            "unknown key 'license'",
            "publisher must be a text",
            "contact is missing",
            "licence is missing",
            "purpose is missing",
        ):
            assert said in str(caught.value)
        with pytest.raises(ConfigError, match="no such file"):
            read_release(tmp_path / "none.toml")
