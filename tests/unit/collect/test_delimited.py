"""CSV: the same as Python's own reader, and only bad records are lost."""

import csv
import io
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.collect import delimited
from bastau.collect.delimited import read_header, read_records

CELL = st.text(alphabet="aқ\",;\n\t '0", max_size=6)


def read(
    data: bytes, mark: str = ",", rows: int = 1000
) -> tuple[list[tuple[object, ...]], list[tuple[int | None, str]]]:
    records = list(read_records(io.BufferedReader(io.BytesIO(data)), mark, None, rows))  # type: ignore[arg-type]
    table = pl.concat([r.table for r in records if r.table.width > 1] or [pl.DataFrame()])
    return table.rows(), [(p.line, p.reason) for r in records for p in r.problems]


@given(
    st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 9),
)
def test_it_reads_what_python_reads(rows: list[tuple[str, str, str]], mark: str, newline: str, batch: int) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=mark, lineterminator=newline)
    writer.writerows([("a", "b", "c"), *rows])
    found, problems = read(sink.getvalue().encode(), mark, batch)
    assert [list(row[:3]) for row in found] == list(
        csv.reader(io.StringIO(sink.getvalue(), newline=""), delimiter=mark)
    )[1:]
    assert problems == []


def test_lines_are_those_of_the_file() -> None:
    found, _ = read(b'a,b\n1,"x\ny"\n\n2,z\n')
    assert found == [("1", "x\ny", 2), ("2", "z", 5)]


def test_a_record_with_too_few_or_too_many_fields_costs_only_itself() -> None:
    found, problems = read(b"a,b\n1,x\n2\n3,y,z\n4,w\n")
    assert [row[0] for row in found] == ["1", "4"]
    assert problems == [(3, "bad_csv"), (4, "bad_csv")]


def test_a_quote_that_never_closes_costs_only_its_line() -> None:
    found, problems = read(b'a,b\n1,"x\n2,y\n3,"z"\n4,w\n')
    assert [row[0] for row in found] == ["2", "3", "4"]
    assert problems == [(2, "bad_csv")]


def test_a_broken_byte_costs_only_its_record() -> None:
    found, problems = read("a,b\n1,қар\n2,".encode() + b"\xff\xfe" + "\n3,тау\n".encode())
    assert [row[:2] for row in found] == [("1", "қар"), ("3", "тау")]
    assert problems == [(3, "bad_encoding")]


@pytest.mark.parametrize("size", [3000, 20_000])
def test_a_huge_field_costs_only_its_record(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 2048)
    monkeypatch.setattr(delimited, "MAX_BATCH_BYTES", 8192)
    found, problems = read(b'a,b\n1,x\n2,"' + b"y\n" * (size // 2) + b'"\n3,z\n')
    assert [row[0] for row in found] == ["1", "3"]
    assert problems == [(3, "too_long")]


def test_batches_do_not_depend_on_how_the_stream_comes() -> None:
    rng = random.Random(5)
    data = b"a,b\n" + b"".join(f'{i},"{"x" * rng.randrange(40)}\n"\n'.encode() for i in range(500))

    class Drip(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return super().read1(rng.randrange(1, 50))

    def contents(stream: io.BytesIO) -> list[bytes]:
        return [r.content for r in read_records(stream, ",", None, 64)]  # type: ignore[arg-type]

    assert contents(Drip(data)) == contents(io.BytesIO(data))
    assert contents(io.BytesIO(data + b"500,x\n"))[:7] == contents(io.BytesIO(data))[:7]


def test_an_excel_hint_line_is_no_header() -> None:
    assert read_header(b"sep=;\r\na;b\r\n1;2\r\n", ";") == (["a", "b"], 12, 3)
