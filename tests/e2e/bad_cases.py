"""Bad input, case by case: what is handed in, through which command, and what must come of it.

Shared by the test and by ``bench/bad_input.py``, which shows the messages in a table.
"""

import fcntl
import functools
import gzip
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Arguments = Sequence[str | Path]
Post = dict[str, object]

GIB = 1 << 30
N_MANY = 50_000
"""Posts enough for some fifty batches."""


@dataclass(frozen=True)
class Place:
    """Where a case plays: a folder of its own, and a home that was imported and run, to be copied and not changed."""

    folder: Path
    processed: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def use_processed(self) -> Path:
        shutil.copytree(self.processed, self.home)
        return self.home

    def file(self, name: str, content: bytes | str | Iterable[Post]) -> Path:
        path = self.folder / name
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, bytes):
            content = lines(content)
        path.write_bytes(content)
        return path

    def settings(self, text: str) -> None:
        self.home.mkdir(exist_ok=True)
        (self.home / "bastau.toml").write_text(text, "utf-8")


@dataclass(frozen=True)
class Outcome:
    """What a command said and used."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    peak_bytes: int

    @property
    def said(self) -> str:
        return self.stderr + self.stdout


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: what is wrong, as the table shows it.
        make: writes the input and returns the command line.
        code: exit code.
        says: what the message must hold: the place, and what to do.
        n_posts: posts in the lake afterwards; None: not looked at.
        rejects: rows refused, by reason.
        run: how the command is run.
    """

    name: str
    make: Callable[[Place], Arguments]
    code: int
    says: tuple[str, ...]
    n_posts: int | None = None
    rejects: dict[str, int] = field(default_factory=dict)
    run: Callable[[Arguments, Place], Outcome] | None = None


# ---- posts -----------------------------------------------------------------------------------------------


def post(number: int, **changes: object) -> Post:
    """Return a good post by an outlet."""
    return {
        "post_id": f"web:https://tau.example/{number}",
        "platform": "web",
        "source": "tau.example",
        "published_at": f"2024-05-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "text": f"Мәтін {number}: көлдің суы көтерілді",
    } | changes


def posts(n: int) -> list[Post]:
    return [post(number) for number in range(n)]


def lines(rows: Iterable[Post]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def table(rows: Sequence[Post]) -> str:
    names = list(rows[0])
    return "\n".join([",".join(names), *(",".join(f'"{row[name]}"' for name in names) for row in rows)]) + "\n"


# ---- running ---------------------------------------------------------------------------------------------


# The kernel counts what a process held before it became another program, so a command started from a large process of
# tests would seem as large. A small one in between starts it and writes down its memory alone.
_MEASURED = """
import os, signal, sys
pid = os.fork()
if not pid:
    os.execvp(sys.argv[2], sys.argv[2:])
signal.signal(signal.SIGINT, lambda *_: os.kill(pid, signal.SIGINT))
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as out:
    out.write(str(usage.ru_maxrss * 1024))
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""


def run(arguments: Arguments, place: Place, *, before: Sequence[str] = (), **environment: str) -> Outcome:
    """Run one command as a process of its own and measure its memory."""
    with started(arguments, place, before=before, **environment) as process:
        return finish(process, arguments)


@contextmanager
def started(
    arguments: Arguments, place: Place, *, before: Sequence[str] = (), **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    given = [str(argument) for argument in arguments]
    if "--home" not in given:
        given += ["--home", str(place.home)]
    # `-B`: a run as another user must not try to write beside the sources.
    measured = [sys.executable, "-S", "-E", "-c", _MEASURED, str(place.folder / "peak")]
    command = [*measured, *before, sys.executable, "-B", "-m", "bastau", *given]
    with (place.folder / "stdout").open("wb") as out, (place.folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=place.folder, env={**os.environ, "LANG": "C.UTF-8", **environment}
        )
        process.bastau_place = place  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()


def finish(process: subprocess.Popen[bytes], arguments: Arguments) -> Outcome:
    """Wait for a process, with the memory that it and nobody else used."""
    process.wait()
    folder: Path = process.bastau_place.folder  # type: ignore[attr-defined]
    return Outcome(
        tuple(map(str, arguments)),
        process.returncode,
        (folder / "stdout").read_text("utf-8"),
        (folder / "stderr").read_text("utf-8"),
        int((folder / "peak").read_text("ascii")),
    )


def stopped(arguments: Arguments, place: Place) -> Outcome:
    """Press Ctrl-C as soon as the second batch is stored."""
    with started(arguments, place) as process:
        end = time.monotonic() + 60
        while len(list((place.home / "lake" / "imports").rglob("*.parquet"))) < 2 and time.monotonic() < end:
            if process.poll() is not None:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        return finish(process, arguments)


def while_in_use(arguments: Arguments, place: Place) -> Outcome:
    """Hold the lock of the home as another process does."""
    place.home.mkdir()
    with (place.home / "lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        return run(arguments, place)


_AS_NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@functools.cache
def can_be_unprivileged() -> bool:
    """Say whether commands can be run by somebody who is not root, and who may read the sources."""
    if os.getuid() != 0:
        return True
    if shutil.which("setpriv") is None:
        return False
    command = [*_AS_NOBODY, sys.executable, "-B", "-c", "import bastau.errors"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def unprivileged(arguments: Arguments, place: Place) -> Outcome:
    """Run as somebody who may read everything here, writes nothing and has no home folder of their own."""
    if os.getuid() != 0:
        return run(arguments, place)
    place.folder.chmod(0o755)
    for folder in place.folder.parents:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    return run(arguments, place, before=_AS_NOBODY, HOME="/nonexistent")


# ---- files -----------------------------------------------------------------------------------------------


def _deflate_bomb(start: bytes, unpacked: int) -> tuple[bytes, int, int]:
    """Return (raw deflate stream, unpacked size, CRC-32) of ``start`` and many blanks, made without packing them all."""
    block = b" " * (1 << 20)
    head, middle = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.compressobj(9, zlib.DEFLATED, -15)
    opening = head.compress(start) + head.flush(zlib.Z_FULL_FLUSH)
    again = middle.compress(block) + middle.flush(zlib.Z_FULL_FLUSH)
    n = unpacked // len(block)
    crc = zlib.crc32(start)
    for _ in range(n):
        crc = zlib.crc32(block, crc)
    return opening + again * n + b"\x03\x00", len(start) + n * len(block), crc


def gzip_bomb(place: Place) -> Arguments:
    data, size, crc = _deflate_bomb(lines(posts(3)) + b'{"text":"', int(1.5 * GIB))
    header = b"\x1f\x8b\x08" + bytes(7)
    return ["import", place.file("bomb.ndjson.gz", header + data + struct.pack("<II", crc, size & 0xFFFFFFFF))]


def zip_bomb(place: Place) -> Arguments:
    data, size, crc = _deflate_bomb(lines(posts(3)), int(1.5 * GIB))
    name = b"posts.ndjson"
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, crc, len(data), size, len(name), 0)
    local = b"PK\x03\x04" + common + name + data
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return ["import", place.file("bomb.zip", local + central + end)]


def nested_zip(place: Place) -> Arguments:
    inner, outer = place.folder / "inner.zip", place.folder / "outer.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("posts.ndjson", lines(posts(3)))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "inner.zip")
    return ["import", outer]


def locked_zip(place: Place) -> Arguments:
    path = place.folder / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.ndjson", lines(posts(3)))
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    path.write_bytes(bytes(data))
    return ["import", path]


def torn_gzip(place: Place) -> Arguments:
    packed = gzip.compress(lines(posts(2000)))
    return ["import", place.file("torn.ndjson.gz", packed[: len(packed) // 2])]


def torn_document(place: Place) -> Arguments:
    messages = [
        {"id": i, "type": "message", "date_unixtime": str(1_714_557_600 + i), "text": f"Хабар {i}"} for i in range(100)
    ]
    chat = {"name": "Tau", "type": "public_channel", "id": 7, "messages": messages}
    return ["import", place.file("result.json", json.dumps(chat)[:-400])]


def torn_archive(place: Place) -> Arguments:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><p>water</p></html>"
    head = "WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: https://tau.example/{}\r\nWARC-Date: 2024-05-01T00:00:00Z\r\n"
    records = [
        head.format(i).encode() + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"
        for i in range(30)
    ]
    packed = gzip.compress(b"".join(records))
    return ["import", place.file("crawl.warc.gz", packed[:-30])]


def torn_lake(place: Place) -> None:
    place.use_processed()
    path = next((place.home / "lake" / "posts").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_bad_line(place: Place) -> Arguments:
    rows = lines(posts(100_000)).splitlines(keepends=True)
    rows[49_999] = rows[49_999][:40] + b"\n"
    return ["import", place.file("posts.ndjson", b"".join(rows))]


def one_bad_record(place: Place) -> Arguments:
    rows = table(posts(100_000)).splitlines(keepends=True)
    rows[49_999] = '"never closed, ' + rows[49_999].replace('"', "")
    return ["import", place.file("posts.csv", "".join(rows))]


def _import(name: str, content: bytes | str | Sequence[Post]) -> Callable[[Place], Arguments]:
    return lambda place: ["import", place.file(name, content)]


def _with_settings(text: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        place.settings(text)
        return ["import", place.file("posts.ndjson", posts(1))]

    return make


def _on_processed(*arguments: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        place.use_processed()
        return arguments

    return make


def _on_torn(*arguments: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        torn_lake(place)
        return arguments

    return make


def _mapped(*mapping: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        path = place.file("foreign.csv", "number,who,when,words\n1,tau,2024-05-01T10:00:00Z,сөз\n")
        return ["import", path, *(part for rule in mapping for part in ("--map", rule))]

    return make


def _folder(place: Place) -> Arguments:
    (place.folder / "posts").mkdir()
    return ["import", place.folder / "posts"]


def _home_is_a_file(place: Place) -> Arguments:
    place.file("home", b"")
    return ["import", place.file("posts.ndjson", posts(1))]


def _no_write(place: Place) -> Arguments:
    place.home.mkdir()
    place.home.chmod(0o555)
    return ["import", place.file("posts.ndjson", posts(1))]


def _no_read(place: Place) -> Arguments:
    path = place.file("posts.ndjson", posts(1))
    path.chmod(0)
    place.home.mkdir()
    place.home.chmod(0o777)
    return ["import", path]


def _no_write_export(place: Place) -> Arguments:
    place.use_processed()
    (place.folder / "closed").mkdir(mode=0o555)
    return ["export", "posts", "-o", place.folder / "closed" / "posts.csv"]


def _big_text(name: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        good = posts(3)
        big = post(9, text="ж" * (50 << 20))
        rows = [*good[:2], big, good[2]]
        return ["import", place.file(name, rows if name.endswith(".ndjson") else table(rows))]

    return make


def _two_files(place: Place) -> Arguments:
    first = place.file("monday.ndjson", posts(3))
    second = place.file("tuesday.ndjson", [post(1, text="Басқа мәтін"), post(2), post(3)])
    return ["import", first, second]


def _deep(place: Place) -> Arguments:
    nested = b'{"a":' * 200_000 + b"1" + b"}" * 200_000
    deep = lines([post(9)]).rstrip()[:-1] + b', "raw": ' + nested + b"}\n"
    return ["import", place.file("deep.ndjson", lines(posts(2)) + deep + lines([post(3)]))]


def _many(place: Place) -> Arguments:
    place.settings("[lake]\nbatch_rows = 1024\n")
    return ["import", place.file("posts.ndjson", posts(N_MANY))]


# ---- rules, lists, pictures, models ---------------------------------------------------------------------


def rule(**changes: object) -> str:
    """Return a rule file in JSON, which is YAML too."""
    one = {
        "id": "own",
        "version": 1,
        "act": "incite",
        "author": "test",
        "legal_ground": "policy of the test",
        "note": "A rule of the test.",
        "status": "live",
        "frames": [{"slots": {"call": {"any": "violence", "mood": "order"}, "target": {"any": "target"}}}],
        "must_hit": [{"ru": "Братья, убивайте неверных!"}],
        "must_not_hit": [{"ru": "Братья, не убивайте неверных!"}],
    } | changes
    return json.dumps({"rules": [one]}, ensure_ascii=False, indent=1)


def _rules(content: bytes | str) -> Callable[[Place], Arguments]:
    return lambda place: ["rules", "check", place.file("own.yaml", content)]


def yaml_bomb() -> str:
    """Return nine levels of lists that each name the one before nine times."""
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join(["a0: &a0 [x]", *levels])


def _list(content: bytes | str, name: str = "listed.txt", *more: str) -> Callable[[Place], Arguments]:
    def make(place: Place) -> Arguments:
        path = place.file(name, content)
        return ["lists", "add", path, "--name", "clips", "--ground", "policy of the test", *more]

    return make


def png(width: int, height: int) -> bytes:
    """Return a PNG of ``width`` by ``height`` black pixels, one bit each: a few kB however many they are."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def model_of_another_version(place: Place) -> Arguments:
    """Train a model, then raise the version in its header."""
    rows = [("flag", f"арзан тоңазытқыш {i} сатылады") for i in range(40)]
    rows += [("other", f"ауа райы {i} күні жаңбырлы") for i in range(40)]
    path = place.file("labelled.csv", "text,label\n" + "".join(f"{text},{label}\n" for label, text in rows))
    model = place.folder / "own.model"
    done = run(["train", "model", path, "-o", model, "--licence", "own"], place)
    if done.code:
        raise RuntimeError(done.said)
    data = model.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["version"] = "999"
    packed = json.dumps(header).encode()
    model.write_bytes(len(packed).to_bytes(8, "little") + packed + data[8 + size :])
    place.settings(f"[models]\nlinear = '{model}'\n")
    return ["check", "сөз"]


def torn_model(place: Place) -> Arguments:
    place.settings(f"[models]\nlinear = '{place.file('own.model', bytes(100))}'\n")
    return ["check", "сөз"]


def while_hanging(arguments: Arguments, place: Place) -> Outcome:
    """Let the judge take the question and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        place.settings(
            f"[judge]\nendpoint = '{address}'\nmodel = 'm'\nreach = 'loopback'\ntimeout_s = 1\nmax_seconds = 3\n"
        )
        return run(arguments, place)


JUNK = bytes(range(256)) * 64

CASES: tuple[Case, ...] = (
    # ---- the file
    Case("missing file", lambda place: ["import", place.folder / "nowhere.csv"], 2, ("nowhere.csv", "no such file; check the spelling")),
    Case("empty file", _import("empty.csv", b""), 2, ("empty.csv", "is empty"), 0),
    Case("only blanks", _import("blank.csv", b"\n \n\n"), 2, ("blank.csv", "is empty"), 0),
    Case("a directory", _folder, 2, ("posts", "is a folder; name the files in it"), 0),
    Case("binary as CSV", _import("photo.csv", b"\x89PNG\r\n\x1a\n" + JUNK), 2, ("photo.csv", "binary", "CSV or NDJSON"), 0),
    Case("foreign columns, no --map", _import("foreign.csv", "a,b\n1,2\n"), 2, ("foreign.csv", "a, b", "--map"), 0),
    Case("unknown JSON", _import("other.json", '[{"a": 1}]'), 2, ("other.json", "--map"), 0),
    Case("prose", _import("note.txt", "Бұл жай ғана сөйлем.\n"), 2, ("note.txt", "CSV or NDJSON"), 0),
    Case("Windows-1251", _import("old.csv", table([p | {"text": f"Уровень воды {p['post_id']} поднялся"} for p in posts(50)]).encode("cp1251")), 0, ("old.csv", "read as cp1251"), 50),
    Case("UTF-16", _import("excel.csv", table(posts(50)).encode("utf-16")), 0, ("excel.csv", "read as utf-16"), 50),
    Case(
        "Latin-1 junk",
        _import("junk.csv", b"post_id,platform,source,published_at,text\n" + b"\xe9 \xfc\xdf \xa7\n" * 50),
        2,
        ("junk.csv", "not UTF-8 at byte", "save it as UTF-8"),
        0,
    ),
    Case(
        "one line not UTF-8",
        _import("posts.ndjson", lines(posts(9)) + lines([post(9)]).replace("көл".encode(), b"\xff\xfe\xff")),
        0,
        ("posts.ndjson", "bad_encoding", "line 10"),
        9,
        {"bad_encoding": 1},
    ),
    # ---- rows
    Case("one bad line in 100,000", one_bad_line, 0, ("posts.ndjson", "bad_json", "line 50000"), 99_999, {"bad_json": 1}),
    Case("one bad record in 100,000", one_bad_record, 0, ("posts.csv", "bad_csv", "line 50000"), 99_999, {"bad_csv": 1}),
    Case(
        "missing required field",
        _import("posts.ndjson", [post(1), {k: v for k, v in post(2).items() if k != "published_at"}, post(3, text="")]),
        0,
        ("missing_field", "line 2", "published_at", "fill it in or map a column to it"),
        1,
        {"missing_field": 2},
    ),
    Case(
        "absurd dates",
        _import(
            "posts.csv",
            table([post(i, published_at=at) for i, at in enumerate(
                ("0001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "0000-00-00", "2024-02-30T00:00:00Z", "0", "kecha", "2024-05-01T10:00:00Z")
            )]),
        ),
        0,
        ("bad_time", "line 2", "published_at"),
        1,
        {"bad_time": 6},
    ),
    Case("100 MB in one field, NDJSON", _big_text("posts.ndjson"), 0, ("too_long", "line 3"), 3, {"too_long": 1}),
    Case("100 MB in one field, CSV", _big_text("posts.csv"), 0, ("too_long", "line 4"), 3, {"too_long": 1}),
    Case(
        "same id, another text, one file",
        _import("posts.ndjson", [post(1), post(2), post(1, text="Басқа мәтін"), post(2)]),
        0,
        ("duplicate_id", "line 3", "the earlier one is kept"),
        2,
        {"duplicate_id": 1},
    ),
    Case("same id, another text, two files", _two_files, 0, ("tuesday.ndjson", "duplicate_id", "the stored one is kept"), 4, {"duplicate_id": 1}),
    Case("deep nesting", _deep, 0, ("deep.ndjson", "bad_json", "line 3"), 3, {"bad_json": 1}),
    Case("NUL in the file", _import("posts.csv", table(posts(3)).replace("Мәтін 1", "\0")), 2, ("posts.csv", "binary"), 0),
    Case(
        "NUL far inside",
        _import("posts.ndjson", lines(posts(2000)) + b"\0\0\0\n" + lines([post(5000)])),
        0,
        ("bad_json", "line 2001"),
        2001,
        {"bad_json": 1},
    ),
    Case("NUL as an escape", _import("posts.ndjson", [post(1, text="a\0b көлдің суы"), post(2)]), 0, ("2 posts stored",), 2),
    Case(
        "absurd audience",
        _import("posts.ndjson", [post(i, audience=a) for i, a in enumerate((1e308, -1, 10**30, "many", 7))]),
        0,
        ("bad_number", "line 1", "audience", "whole number"),
        1,
        {"bad_number": 4},
    ),
    Case(
        "lone surrogate",
        _import("posts.ndjson", lines([post(1)]) + lines([post(2, text="@")]).replace(b"@", rb"\udc00") + lines([post(3)])),
        0,
        ("posts.ndjson", "line 2"),
        2,
        {"bad_json": 1},
    ),
    Case("only a header", _import("posts.csv", "post_id,platform,source,published_at,text\n"), 0, ("posts.csv: holds no rows: 0 posts stored",), 0),
    # ---- packing
    Case("gzip bomb", gzip_bomb, 2, ("bomb.ndjson.gz", "more than 200 times its size", "unpack it yourself"), 3, {"too_long": 1}),
    Case("zip bomb", zip_bomb, 2, ("bomb.zip:posts.ndjson", "more than 200 times its size", "unpack it yourself"), 0),
    Case("zip inside a zip", nested_zip, 2, ("outer.zip:inner.zip", "archive inside an archive"), 0),
    Case("zip with a password", locked_zip, 2, ("locked.zip:posts.ndjson", "password", "unpack it first"), 0),
    Case("truncated gzip", torn_gzip, 2, ("torn.ndjson.gz", "cut off after", "what came before is kept")),
    Case("truncated JSON document", torn_document, 2, ("result.json", "cut off", "what came before is kept"), 96),
    Case(
        "web archive without a page",
        _import("crawl.warc", b"WARC/1.1\r\nWARC-Type: request\r\nContent-Length: 0\r\n\r\n\r\n\r\n"),
        2,
        ("crawl.warc: warc: 0 posts stored", "left out: 1 requests, metadata and the like", "no_page"),
        0,
        {"no_page": 1},
    ),
    Case("truncated web archive", torn_archive, 2, ("crawl.warc.gz", "cut off", "what came before is kept")),
    Case("nothing but bad rows", _import("posts.ndjson", [post(1, platform="fax")]), 2, ("bad_value", "line 1, platform", "must be one of web"), 0, {"bad_value": 1}),
    # ---- mapping
    Case("--map without =", _mapped("nonsense"), 2, ("--map nonsense", "FIELD=COLUMN")),
    Case("--map of an unknown field", _mapped("colour=words", "post_id=number"), 2, ("'colour'", "fields: post_id", "published_at")),
    Case(
        "--map to an unknown column",
        _mapped("post_id=web:{number}", "platform==web", "source=who", "published_at=time", "text=words"),
        2,
        ("published_at", "'time'", "columns: number, who, when, words"),
    ),
    Case("unknown --format", lambda place: [*_import("posts.ndjson", posts(1))(place), "--format", "xlsx"], 2, ("'xlsx'", "known:")),
    # ---- settings
    Case("unknown setting", _with_settings("[lake]\nbatchrows = 5\n"), 2, ("bastau.toml", "lake.batchrows", "known: root, batch_rows")),
    Case("unknown section", _with_settings("[lakes]\n"), 2, ("bastau.toml", "[lakes]", "known: publishers")),
    Case("wrong type", _with_settings('[lake]\nbatch_rows = "many"\n'), 2, ("bastau.toml", "lake.batch_rows must be int, got str")),
    Case("out of range", _with_settings("[publishers]\nkey_days = 900\n"), 2, ("bastau.toml", "publishers.key_days", "[1, 30]")),
    Case("not TOML", _with_settings("[lake\n"), 2, ("bastau.toml", "not valid TOML", "line 1")),
    # ---- the home folder
    Case("no home yet", lambda _place: ["status"], 2, ("home: no such home folder", "bastau import FILE")),
    Case("home is a file", _home_is_a_file, 2, ("home: is a file",)),
    Case("home in use", lambda place: ["import", place.file("posts.ndjson", posts(1))], 2, ("home: in use", "4711", "wait"), run=while_in_use),
    Case("no permission to write", _no_write, 2, ("home: no permission to write",), run=unprivileged),
    Case("no permission to read", _no_read, 2, ("posts.ndjson", "cannot be read", "Permission denied"), 0, run=unprivileged),
    Case("nothing processed yet", lambda place: (place.home.mkdir(), ["trace", "x"])[1], 2, ("nothing processed yet", "bastau run")),
    Case("torn file in the lake: run", _on_torn("run", "--rebuild"), 1, (".parquet", "bastau doctor --repair")),
    Case("torn file in the lake: status", _on_torn("status"), 1, (".parquet", "bastau doctor --repair")),
    Case("torn file in the lake: trace", _on_torn("trace", "көлдің суы көтерілді"), 1, (".parquet", "bastau doctor --repair")),
    Case("torn file in the lake: import", lambda place: (torn_lake(place), _import("new.ndjson", [post(7777)])(place))[1], 1, (".parquet", "bastau doctor --repair")),
    Case("torn file in the lake: doctor", _on_torn("doctor"), 1, (".parquet", "--repair sets it aside", "import the same file again")),
    # ---- questions and answers
    Case("trace of nothing known", _on_processed("trace", "qwertyuiop asdfghjkl zxcvbnm"), 2, ("Nothing found", "Try fewer and rarer words")),
    Case("trace of an unknown id", _on_processed("trace", "n0000000000000"), 2, ("Nothing found", "No narrative has or had this id")),
    Case("export to no folder", _on_processed("export", "posts", "-o", "nowhere/posts.csv"), 2, ("nowhere: no such folder", "make it first")),
    Case("export to another ending", _on_processed("export", "graph", "-o", "graph.csv"), 2, ("graph.csv", ".graphml, .gexf")),
    Case("export of nothing known", _on_processed("export", "everything", "-o", "x.csv"), 2, ("everything", "narratives")),
    Case("export without permission", _no_write_export, 2, ("closed", "no permission to write"), run=unprivileged),
    Case("report to no folder", _on_processed("report", "-o", "nowhere/brief.html"), 2, ("nowhere/brief.html", "cannot be written")),
    Case("trace page to no folder", _on_processed("trace", "көлдің суы көтерілді", "--html", "nowhere/t.html"), 2, ("nowhere/t.html", "cannot be written")),
    Case("report of no date", _on_processed("report", "--from", "yesterday"), 2, ("--from yesterday", "2026-03-22")),
    Case("report backwards", _on_processed("report", "--from", "2024-06-01", "--to", "2024-05-01"), 2, ("--from must lie before --to",)),
    Case("evaluate without truth", _on_processed("evaluate", "origin", "--truth", "nowhere"), 2, ("nowhere", "truth.json")),
    # ---- checking
    Case("check without a text", lambda _: ["check"], 2, ("give one TEXT", "--file F")),
    Case("check of a missing file", lambda _: ["check", "--file", "none.csv"], 2, ("none.csv", "No such file")),
    Case("check of a binary file", lambda p: ["check", "--file", p.file("photo.csv", b"\x89PNG\r\n\x1a\n" + JUNK)], 2, ("photo.csv", "UTF-8")),
    Case("check of bad rows", lambda p: ["check", "--file", p.file("t.ndjson", '{"text": "сөз"}\n{"text": \n{"id": "c"}\n')], 0, ("line 2: not valid JSON", "line 3: text: missing", "2 could not be used")),
    Case("label of another kind", lambda p: ["evaluate", "rules", "--file", p.file("l.csv", "id,text,language,category,label\n1,a,en,news,maybe\n")], 2, ("l.csv", "line 2", "maybe", "flag or protected")),
    Case("broken YAML", _rules("rules:\n  - id: 'open\n    version: [1\n"), 2, ("own.yaml:",)),
    Case("unknown key of a rule", _rules(rule(regex="(a+)+$")), 2, ("own.yaml:", "regex")),
    Case("pattern that would run for ever", _rules("language: ru\nwords:\n  kill: {words: '(а+)+б'}\n"), 2, ("own.yaml:3",)),
    Case("contradictory rule", _rules(rule(must_not_hit=[{"ru": "Братья, убивайте неверных!"}])), 2, ("own.yaml:", "must hit and must not hit")),
    Case("frame of one slot", _rules(rule(frames=[{"slots": {"call": {"any": "violence"}}}])), 2, ("own.yaml:", "slot")),
    Case("YAML bomb", _rules(yaml_bomb()), 2, ("own.yaml:", "anchor")),
    Case("nested YAML", _rules("[" * 50_000), 2, ("own.yaml:",)),
    Case("rule file of 20 MB", _rules("# " + "x" * (20 << 20)), 2, ("own.yaml:", "MB")),
    Case("list of junk", _list("\n".join(f"junk {i}" for i in range(200_000))), 2, ("listed.txt", "200,000")),
    Case("list with some junk", _list("https://site.example/a\n" + "%%% \n" * 9), 0, ("1 added", "9 rejected")),
    Case("binary as a list", _list(JUNK), 2, ("listed.txt",)),
    Case("list without a ground", lambda p: ["lists", "add", p.file("l.txt", "https://site.example/a\n"), "--name", "l"], 2, ("--ground",)),
    Case("list from a private address", lambda _: ["lists", "add", "https://127.0.0.1:1/l", "--name", "l", "--ground", "x"], 2, ("127.0.0.1", "allow_private")),
    Case("picture of 500 megapixels", lambda p: ["hash", p.file("huge.png", png(25_000, 20_000))], 0, ("huge.png", "sha256", "no picture", "too many pixels")),
    Case("image bomb", lambda p: ["hash", p.file("bomb.png", png(65_000, 65_000)[:60_000])], 0, ("bomb.png", "no picture")),
    Case("torn picture", lambda p: ["hash", p.file("torn.png", png(2000, 2000)[:300])], 0, ("torn.png", "no picture")),
    Case("model of another version", model_of_another_version, 2, ("own.model", "version")),
    Case("torn model", torn_model, 2, ("own.model",)),
    Case("training without a licence", lambda p: ["train", "model", p.file("l.csv", "text,label\na,b\n"), "-o", p.folder / "m"], 2, ("--licence",)),
    Case("judge that hangs", lambda _: ["check", "сөз", "--judge"], 0, ("no opinion", "time"), run=while_hanging),
    Case("no judge set", lambda _: ["check", "сөз", "--judge", "--home", "none"], 2, ("no such home folder",)),
    # ---- stopping
    Case("Ctrl-C during import", _many, 130, ("stopped", "goes on from there"), run=stopped),
)  # fmt: skip


_FIRST, _LAST = "check without a text", "no judge set"
"""The cases that need a home folder and nothing in it."""


def make_processed(folder: Path) -> Path:
    """Import and run a few posts; return the home."""
    place = Place(folder, folder)
    path = place.file("posts.ndjson", [*posts(20), post(30, source="dala.example", text=post(3)["text"])])
    for arguments in (["import", path], ["run"]):
        done = run(arguments, place)
        if done.code:
            raise RuntimeError(done.said)
    return place.home


def play(case: Case, place: Place) -> Outcome:
    """Run one case."""
    names = [each.name for each in CASES]
    if names.index(_FIRST) <= names.index(case.name) <= names.index(_LAST):
        place.home.mkdir(exist_ok=True)
    return (case.run or run)(case.make(place), place)
