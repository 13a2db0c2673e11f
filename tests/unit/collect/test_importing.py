"""Bad input: told, counted and survived."""

import gzip
import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import collect_samples as samples
import orjson
import pytest

from bastau.collect import lines, unpacking
from bastau.collect.importing import Chunk, read_file, recognise
from bastau.errors import ConfigError, InputError
from bastau.settings import Lake, Settings

GOOD: dict[str, Any] = {
    "post_id": "web:1",
    "platform": "web",
    "source": "steppe.example",
    "published_at": "2024-05-01T10:00:00Z",
    "text": "Көл",
}


def posts(tmp_path: Path, *changes: dict[str, Any] | bytes, name: str = "p.ndjson") -> Path:
    rows = [
        c if isinstance(c, bytes) else orjson.dumps({**GOOD, "post_id": f"web:{i}", **c}) for i, c in enumerate(changes)
    ]
    path = tmp_path / name
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


def reasons(path: Path, **options: Any) -> list[tuple[int, str | None, str]]:
    return [(r["line"], r["field"], r["reason"]) for r in samples.rows(samples.read(path, **options), "rejects")]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"post_id": ""}, "post_id", "missing_field"),
        ({"post_id": "17"}, "post_id", "bad_value"),
        ({"platform": None}, "platform", "missing_field"),
        ({"platform": "myspace"}, "platform", "bad_value"),
        ({"source": "  "}, "source", "missing_field"),
        ({"source_kind": "person"}, "source_kind", "bad_value"),
        ({"text": " "}, "text", "missing_field"),
        ({"published_at": None}, "published_at", "missing_field"),
        ({"published_at": "soon"}, "published_at", "bad_time"),
        ({"published_at": "0001-01-01T00:00:00Z"}, "published_at", "bad_time"),
        ({"published_at": "2099-01-01T00:00:00Z"}, "published_at", "bad_time"),
        ({"collected_at": "2099-01-01T00:00:00Z"}, "collected_at", "bad_time"),
        ({"likes": "many"}, "likes", "bad_number"),
        ({"audience": -5}, "audience", "bad_number"),
        ({"text": "x" * ((1 << 20) + 1)}, "text", "too_long"),
        (b"{broken", None, "bad_json"),
        (b"[1]", None, "bad_json"),
        (b'{"text":"\xff"}', None, "bad_encoding"),
    ],
)
def test_one_bad_row_is_rejected_and_its_neighbours_stay(
    change: dict[str, Any] | bytes, field: str | None, reason: str, tmp_path: Path
) -> None:
    path = posts(tmp_path, {}, change, {})
    assert reasons(path) == [(2, field, reason)]
    assert [p["post_id"] for p in samples.rows(samples.read(path))] == ["web:0", "web:2"]


def test_details_and_rows_of_rejects_hold_no_words(tmp_path: Path) -> None:
    path = posts(
        tmp_path, {}, {"published_at": "құпия сөз", "source": "құпия", "likes": "құпия", "media": [{"url": "құпия"}]}
    )
    (reject,) = samples.rows(samples.read(path), "rejects")
    assert "құпия" not in str(reject)
    assert orjson.loads(reject["row"])["published_at"] == "[9 characters]"
    assert orjson.loads(reject["row"])["platform"] == "web"


def test_the_first_of_an_id_stays_repeats_are_counted_and_conflicts_told(tmp_path: Path) -> None:
    path = posts(tmp_path, {"post_id": "web:1"}, {"post_id": "web:1"}, {"post_id": "web:1", "text": "Басқа"}, {})
    chunks = samples.read(path)
    assert sum(c.n_repeats for c in chunks) == 1
    assert reasons(path) == [(3, "post_id", "duplicate_id")]
    assert len(samples.rows(chunks)) == 2


def test_numbers_and_lists_in_other_spellings_are_read(tmp_path: Path) -> None:
    path = posts(
        tmp_path, {"likes": "5", "shares": 5.0, "published_at": 1714557600, "links": "https://a.kz https://b.kz"}
    )
    (post,) = samples.rows(samples.read(path))
    assert (post["likes"], post["shares"], post["links"]) == (5, 5, ["https://a.kz", "https://b.kz"])


def test_batches_have_the_same_names_on_a_rerun_and_after_more_was_appended(tmp_path: Path) -> None:
    small = {"settings": Settings(lake=Lake(batch_rows=4))}
    path = posts(tmp_path, *({} for _ in range(10)))
    before = [c.batch for c in samples.read(path, **small)]
    assert len(before) == 3
    other = tmp_path / "elsewhere" / "other.ndjson"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes() + orjson.dumps({**GOOD, "post_id": "web:99"}) + b"\n")
    assert [c.batch for c in samples.read(other, **small)][:2] == before[:2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty", b"", "is empty"),
        ("blank.gz", gzip.compress(b""), "is empty"),
        ("binary.csv", bytes(range(256)) * 40, "binary"),
        ("unknown.csv", b"colour,size\nred,5\n", "columns colour, size"),
        ("unknown.ndjson", b'{"colour":1}\n{"colour":2}\n', "fields colour"),
        ("prose.txt", "Бір кездері\nкөл болған\n".encode(), "neither CSV nor JSON"),
        ("latin.csv", b"post_id,platform,source,published_at,text\n" + "1,é à ü ö,é,ä ê ô,ß\n".encode("latin-1") * 9, "byte 44"),
        ("packed.bz2", b"BZh91AY", "bzip2"),
        ("nested.gz", gzip.compress(gzip.compress(b"{}\n")), "archive inside an archive"),
        ("broken.zip", b"PK\x03\x04rest", "damaged"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_say_what_to_do(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        recognise(path)
    with pytest.raises(InputError, match=message):
        samples.read(path)


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        samples.read(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is a folder"):
        samples.read(tmp_path)


def test_a_cut_off_gzip_gives_what_came_before(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [orjson.dumps({**GOOD, "post_id": f"web:{i}", "text": str(rng.random())}) for i in range(20_000)]
    path = tmp_path / "p.gz"
    path.write_bytes(gzip.compress(b"\n".join(rows))[:-200_000])
    seen: list[Chunk] = []
    with pytest.raises(InputError, match="cut off"):
        seen.extend(read_file(path, settings=Settings(), pseudonyms=samples.PSEUDONYMS, now=samples.NOW))
    assert len(samples.rows(seen)) > 5000


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_RATIO_FROM", 1 << 20)
    line = orjson.dumps(GOOD) + b"\n"
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(line + b" " * (8 << 20)))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.ndjson", line + b" " * (8 << 20))
    for name in ("bomb.gz", "bomb.zip"):
        with pytest.raises(InputError, match="200 times"):
            samples.read(tmp_path / name)


def test_an_archive_may_hold_other_things_too(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photos/a.jpg", b"\xff\xd8\x00\x00" * 50)
        archive.writestr("posts.ndjson", orjson.dumps(GOOD))
        archive.writestr("more.ndjson", orjson.dumps({**GOOD, "platform": ""}) + b"\n")
    chunks = samples.read(path)
    assert len(samples.rows(chunks)) == 1
    assert [r["file"] for r in samples.rows(chunks, "rejects")] == ["export.zip:more.ndjson"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1251"])
def test_other_encodings_are_read_and_noted(encoding: str, tmp_path: Path) -> None:
    text = "post_id,platform,source,published_at,text\nweb:1,web,steppe.example,2024-05-01 10:00,Над озером туман и тишина\n"
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode(encoding))
    (chunk,) = samples.read(path)
    assert chunk.posts.column("text").to_pylist() == ["Над озером туман и тишина"]
    assert len(chunk.notes) == (0 if encoding == "utf-8-sig" else 1)


def test_a_huge_line_is_rejected_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_RECORD_BYTES": 1 << 20, "MAX_BATCH_BYTES": 2 << 20}.items():
        monkeypatch.setattr(lines, name, value)
    path = tmp_path / "p.ndjson"
    with path.open("wb") as file:
        file.write(orjson.dumps(GOOD) + b"\n")
        file.write(b'{"text":"')
        for _ in range(40):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + orjson.dumps({**GOOD, "post_id": "web:2"}) + b"\n")
    samples.read(posts(tmp_path, {}, name="warm.ndjson"))
    tracemalloc.start()
    chunks = samples.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r["line"] for r in samples.rows(chunks, "rejects")] == [2]
    assert [p["post_id"] for p in samples.rows(chunks)] == ["web:1", "web:2"]
    assert peak < 20 << 20


class TestMapping:
    def test_everything_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "f.csv"
        path.write_text("id,when\n1,2024-05-01 10:00\n")
        with pytest.raises(ConfigError) as error:
            samples.read(path, mapping={"post_id": "x:{nr}", "colour": "id"})
        for part in ("'colour' is no field", "published_at", "source", "column 'nr'"):
            assert part in str(error.value)

    def test_nested_fields_and_addresses(self, tmp_path: Path) -> None:
        path = tmp_path / "f.ndjson"
        path.write_bytes(b'{"n":1,"at":1714557600,"by":{"name":"a"},"u":"https://www.lake.example/1","t":"x"}\n' * 2)
        mapping = {"post_id": "web:{n}", "published_at": "at", "url": "u", "text": "{by.name}: {t}"}
        (post,) = samples.rows(samples.read(path, mapping=mapping))
        assert (post["platform"], post["source"], post["text"]) == ("web", "lake.example", "a: x")

    def test_an_unknown_format_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no format called"):
            samples.read(posts(tmp_path, {}), format="myspace")


class TestPublishers:
    def test_the_lake_may_know_a_publisher(self, tmp_path: Path) -> None:
        path = posts(tmp_path, {"platform": "x", "post_id": "x:Tau/1", "source": "@Tau", "text": "@kol @tau"})
        asked = []

        def known(platform: str, handle: str) -> bool:
            asked.append((platform, handle))
            return handle == "tau"

        (post,) = samples.rows(samples.read(path, is_publisher=known))
        assert (post["source"], post["post_id"], post["is_publisher"]) == ("Tau", "x:Tau/1", True)
        assert post["text"].startswith("@p~")
        assert post["text"].endswith("@tau")
        assert ("x", "kol") in asked

    def test_settings_may_name_a_publisher(self, tmp_path: Path) -> None:
        path = posts(tmp_path, {"platform": "x", "source": "Tau", "text": "@TAU @kol"})
        (post,) = samples.rows(samples.read(path, settings=samples.settings(known=("x:tau",))))
        assert post["is_publisher"]
        assert post["text"].startswith("@TAU @p~")

    def test_the_threshold_counts_accounts_and_unknown_is_below(self, tmp_path: Path) -> None:
        changes = [
            {"platform": "x", "source": f"a{n}", "source_kind": "account", "audience": n} for n in (4999, 5000, None)
        ]
        found = samples.rows(samples.read(posts(tmp_path, *changes)))
        assert [p["is_publisher"] for p in found] == [False, True, False]

    def test_a_pseudonym_from_an_earlier_export_stays_what_it_is(self, tmp_path: Path) -> None:
        own = "p~abcdefghijklmnop"
        path = posts(
            tmp_path,
            {"platform": "x", "post_id": f"x:{own}/1", "source": own, "source_kind": "channel", "text": f"@{own}"},
        )
        for threshold in (0, 5000):
            (post,) = samples.rows(samples.read(path, settings=samples.settings(min_audience=threshold)))
            assert (post["source"], post["post_id"], post["text"]) == (own, f"x:{own}/1", f"@{own}")
            assert post["is_publisher"] is False
