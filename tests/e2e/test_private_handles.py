"""A private person marked in every place of every format, then looked for byte by byte in all that bastau keeps or says."""

import base64
import gzip
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote_to_bytes

import bad_cases
import marked_files as marked
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bastau import plugins
from bastau.home import Home
from bastau.intake import import_file
from bastau.shield.exports import endings

NAME_WORDS = marked.NAME.split()


# ---- looking -----------------------------------------------------------------------------------------------


def _packed(word: str) -> Iterator[bytes]:
    """Yield what base64 makes of a word at each of its three alignments, less the ends that neighbours change."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + word.encode()).decode()
        yield whole[(shift * 8 + 5) // 6 : len(whole) // 4 * 4 - 4].encode()


MARKS = [word.lower().encode() for word in (marked.HANDLE, marked.NUMBER, *NAME_WORDS)]
PACKED_MARKS = [
    packed
    for word in (marked.HANDLE, marked.SHOWN, marked.HANDLE.upper(), marked.NUMBER, marked.NAME)
    for packed in _packed(word)
]


def found_in(content: bytes) -> list[bytes]:
    """Return the marks in ``content``: in any case, percent-encoded, as UTF-16, or in base64."""
    plain = content.lower()
    shapes = [plain, unquote_to_bytes(plain), plain.replace(b"\0", b"")]
    return [m for m in MARKS if any(m in shape for shape in shapes)] + [m for m in PACKED_MARKS if m in content]


def strings_of(column: pa.ChunkedArray | pa.Array) -> Iterator[bytes]:
    """Yield every string and binary value in a column, however deep."""
    for array in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if isinstance(array, pa.DictionaryArray):
            yield from strings_of(array.dictionary)
        elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            yield from strings_of(array.flatten())
        elif pa.types.is_struct(array.type):
            for i in range(array.type.num_fields):
                yield from strings_of(pc.struct_field(array, i))
        elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_binary(array.type):
            # The whole buffer: also what stands behind nulls and outside slices.
            yield from (buffer.to_pybytes() for buffer in array.buffers()[2:] if buffer is not None)
        else:
            assert not pa.types.is_nested(array.type), array.type


def contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file; of Parquet also the unpacked columns and the metadata, of packed files what is in them."""
    yield path.read_bytes()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes())
    if path.suffix == ".wacz":
        with zipfile.ZipFile(path) as package:
            for name in package.namelist():
                data = package.read(name)
                yield gzip.decompress(data) if name.endswith(".gz") else data
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield repr(file.schema_arrow.metadata).encode() + repr(file.metadata.metadata).encode()
        for column in file.read().columns:
            yield from strings_of(column)


def places(folder: Path) -> dict[str, list[bytes]]:
    """Return the marks by file below ``folder``."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        marks = {mark for content in contents(path) for mark in found_in(content)}
        marks |= set(found_in(path.name.encode()))
        if marks:
            found[str(path.relative_to(folder))] = sorted(marks)
    return found


class TestLooking:
    """The search itself must find, or the test below says nothing."""

    @pytest.mark.parametrize(
        "hidden",
        [
            "ZHASYRYN_qz7",
            "zhasyryn%5Fqz7",
            "%7a%68asyryn_qz7",
            base64.b64encode(b"@zhasyryn_qz7!").decode(),
            base64.b64encode(b"a zhasyryn_qz7").decode(),
            base64.b64encode(b"by zhasyryn_qz7").decode(),
            "zhasyryn_qz7".encode("utf-16-le").decode("latin-1"),
        ],
    )
    def test_every_disguise_is_seen(self, hidden: str) -> None:
        assert found_in(f"before {hidden} after".encode())
        assert not found_in(b"before zhasyryn, q7 after")

    def test_web_archives_and_their_packages_are_seen_through(self, tmp_path: Path) -> None:
        (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b"other record") + gzip.compress(marked.SHOWN.encode() * 99))
        with zipfile.ZipFile(tmp_path / "a.wacz", "w") as package:
            package.write(tmp_path / "a.warc.gz", "archive/a.warc.gz")
        assert list(places(tmp_path)) == ["a.wacz", "a.warc.gz"]

    def test_compressed_columns_and_their_depths_are_seen(self, tmp_path: Path) -> None:
        inner = [[{"url": f"{i * 7919} {marked.SHOWN}"}] for i in range(500)]
        pq.write_table(pa.table({"a": inner}), tmp_path / "deep.parquet", compression="zstd", write_statistics=False)
        assert marked.SHOWN.encode() not in (tmp_path / "deep.parquet").read_bytes()
        assert list(places(tmp_path)) == ["deep.parquet"]


# ---- everything once -----------------------------------------------------------------------------------------


@dataclass
class World:
    """A home into which every file went, what was said on the way, and what was given out."""

    folder: Path
    said: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def bastau(self, *arguments: str | Path, code: int = 0) -> str:
        done = bad_cases.run([*arguments, "--verbose"], bad_cases.Place(self.folder, self.folder))
        assert done.code == code, done.said
        self.said[f"{len(self.said)} {arguments[0]}"] = done.said
        return done.stdout

    def export(self, what: dict[str, Path]) -> None:
        """Write every export by one process of its own: starting thirty takes a minute."""
        lines = [["export", kind.split(" ")[0], "-o", str(path)] for kind, path in what.items()]
        lines = [[*line, "--home", str(self.home), "--verbose"] for line in lines]
        script = (
            "import json, sys; from bastau.cli import main; sys.exit(max(main(line) for line in json.load(sys.stdin)))"
        )
        done = subprocess.run(
            [sys.executable, "-B", "-c", script],
            input=json.dumps(lines),
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert all(path.name in done.stdout for path in what.values())
        self.said["exports"] = done.stdout + done.stderr

    def table(self, name: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = Home.open(self.home).connect().sql(f"FROM {name}").to_arrow_table().to_pylist()
        return rows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("marked"))
    world.out.mkdir()
    paths = []
    for name, (_, content) in marked.FILES.items():
        paths.append(world.folder / name)
        paths[-1].write_bytes(content)
        assert found_in(content), name
    known = [path for path in paths if marked.FILES[path.name][0] != "mapped"]
    mapping = [part for pair in marked.MAPPING.items() for part in ("--map", "=".join(pair))]
    world.bastau("import", *known)
    world.bastau("import", *(path for path in paths if path not in known), *mapping)
    (world.folder / "torn.json").write_bytes(marked.FILES["07.json"][1][:-900])
    world.bastau("import", world.folder / "torn.json", code=2)
    world.bastau("run")
    world.bastau("import", paths[0])
    world.export({f"{what} {e}": world.out / f"{what}{e}" for what, forms in endings().items() for e in forms})
    period = ("--from", "2024-04-28", "--to", "2024-05-08")
    world.bastau("report", "-o", world.out / "brief.html", "--traces", *period)
    world.bastau("report", "--json", *period)
    world.bastau("trace", "көлдің суы көтерілді", "--html", world.out / "trace.html")
    world.bastau("trace", "көлдің суы көтерілді", "--json")
    world.bastau("status", "--json")
    world.bastau("doctor")
    world.bastau("compact")
    return world


def test_every_format_was_imported_and_refused_some_rows(world: World) -> None:
    formats = {row["file"]: row["format"] for row in world.table("imports") if row["file"] != "torn.json"}
    assert formats == {name: format_name for name, (format_name, _) in marked.FILES.items()}
    # `claims` is what --claims says of a file; it is then read as one of the others.
    assert set(formats.values()) == set(plugins.names("formats")) - {"claims"}
    assert {row["reason"] for row in world.table("rejects")} >= {
        "bad_json",
        "bad_csv",
        "bad_time",
        "bad_value",
        "bad_number",
        "missing_field",
        "too_long",
        "duplicate_id",
        "not_public",
        "changed_format",
        "social_page",
        "unsupported_platform",
    }


def test_the_marks_are_in_no_file_of_the_home_folder(world: World) -> None:
    stored = {path.relative_to(world.home).parts[0] for path in world.home.rglob("*") if path.is_file()}
    assert {"lake", "generations", "keys", "lock"} <= stored
    assert places(world.home) == {}


def test_the_marks_are_in_no_export_and_on_no_page(world: World) -> None:
    written = {path.suffix for path in world.out.rglob("*") if path.is_file()}
    assert written >= {".html", ".json", ".csv", ".ndjson", ".parquet", ".graphml", ".gexf"}
    assert places(world.out) == {}


def test_the_marks_are_in_no_word_said_or_logged(world: World) -> None:
    assert any("stored batch" in said for said in world.said.values())
    assert {name: found for name, said in world.said.items() if (found := found_in(said.encode()))} == {}


def test_what_was_not_a_name_is_still_there(world: World) -> None:
    texts = [str(row["text"]) for row in world.table("posts")]
    assert sum("көлдің суы көтерілгенін көрдім" in text for text in texts) > 10
    assert sum("деп жазды @p~" in text for text in texts) > 20


# ---- the key -------------------------------------------------------------------------------------------------


def _author(number: int, **changes: object) -> dict[str, object]:
    return {
        "post_id": f"x:{marked.HANDLE}/{number}",
        "platform": "x",
        "source": marked.SHOWN,
        "published_at": "2024-05-01T10:00:00Z",
        "text": f"Жазба {number}",
    } | changes


def _import(home: Home, name: str, rows: list[dict[str, object]], now: datetime) -> None:
    path = home.folder.parent / name
    path.write_bytes(bad_cases.lines(rows))
    with home.locked():
        import_file(home, path, now=now)


def _stored(home: Home) -> dict[str, dict[str, object]]:
    rows = home.lake.read("posts").to_pylist()
    return {re.sub(r"p~\w+", "~", row["post_id"]): row for row in rows}


def test_reposts_join_across_files_while_the_key_lives(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", create=True)
    start = datetime(2024, 6, 1, tzinfo=UTC)
    repost = _author(1, post_id="x:tau/2", source="tau", source_kind="outlet", repost_of=f"x:{marked.SHOWN}/1", text=f"RT @{marked.HANDLE.upper()}: Жазба 1")  # fmt: skip
    _import(home, "a.ndjson", [_author(1)], start)
    _import(home, "b.ndjson", [repost, _author(3)], start + timedelta(days=29))
    stored = _stored(home)
    own, again, by_outlet = stored["x:~/1"], stored["x:~/3"], stored["x:tau/2"]
    assert own["source"] == again["source"]
    assert by_outlet["repost_of"] == own["post_id"] == f"x:{own['source']}/1"
    assert by_outlet["text"] == f"RT @{own['source']}: Жазба 1"


def test_after_a_month_the_old_key_is_nowhere_and_the_author_is_somebody_else(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", create=True)
    start = datetime(2024, 6, 1, tzinfo=UTC)
    _import(home, "a.ndjson", [_author(1)], start)
    (key_file,) = home.keys.glob("*.key")
    written = key_file.read_bytes()
    key = bytes.fromhex(written.decode("ascii"))
    forms = [key, written, written.upper(), base64.b64encode(key), base64.b32encode(key), key[:16], key[16:]]
    assert _has(home.folder, forms)
    _import(home, "b.ndjson", [_author(2)], start + timedelta(days=31))
    assert not _has(home.folder, forms)
    assert [path.name for path in home.keys.glob("*.key")] == [key_file.name]
    stored = _stored(home)
    assert stored["x:~/1"]["source"] != stored["x:~/2"]["source"]
    assert key_file.stat().st_mode & 0o077 == 0


def _has(folder: Path, forms: list[bytes]) -> bool:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return any(form in content for path in files for content in contents(path) for form in forms)


def test_settings_never_quote_a_handle_back(tmp_path: Path) -> None:
    """`known` may name a person by mistake; an error about another setting must not repeat it."""
    place = bad_cases.Place(tmp_path, tmp_path)
    place.settings(f'[publishers]\nknown = ["{marked.HANDLE}"]\nmin_audience = -1\n')
    done = bad_cases.run(["import", place.file("a.ndjson", [_author(1)])], place)
    assert done.code == 2
    assert json.dumps(done.said).count("min_audience") == 1
    assert not found_in(done.said.encode())
