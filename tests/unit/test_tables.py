import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.errors import ContractError
from bastau.tables import append_columns, conform, empty, strings, strings_from_buffers, utf8_buffers

TEXTS = ["қ", None, "", "two words", "😀"]
PLAIN = ["қ", "", "", "two words", "😀"]
SCHEMA = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())])


def texts_of(offsets: np.ndarray, data: np.ndarray) -> list[str]:
    return [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)]


LAYOUTS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "sliced": pa.array(["before", *TEXTS, "after"]).slice(1, len(TEXTS)),
    "sliced large": pa.array(["before", *TEXTS, "after"], pa.large_string()).slice(1, len(TEXTS)),
    "one chunk": pa.chunked_array([pa.array(TEXTS)]),
    "chunks": pa.chunked_array([pa.array(TEXTS[:2]), pa.array([], pa.string()), pa.array(TEXTS[2:])]),
    "chunks of slices": pa.chunked_array([pa.array(["x", *TEXTS[:3]]).slice(1), pa.array(TEXTS[3:])]),
}


class TestUtf8Buffers:
    @pytest.mark.parametrize("column", LAYOUTS.values(), ids=LAYOUTS.keys())
    def test_read_every_layout_alike(self, column: pa.Array) -> None:
        offsets, data = utf8_buffers(column)
        assert (offsets.dtype, data.dtype) == (np.int64, np.uint8)
        assert texts_of(offsets, data) == PLAIN

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([], pa.string()),
            pa.array([], pa.large_string()),
            pa.chunked_array([], pa.string()),
            pa.array(TEXTS).slice(2, 0),
        ],
    )
    def test_of_nothing_are_one_offset_and_no_data(self, column: pa.Array) -> None:
        offsets, data = utf8_buffers(column)
        assert (offsets.tolist(), len(data)) == ([0], 0)

    @pytest.mark.parametrize("column", [pa.nulls(3, pa.string()), pa.nulls(3), pa.array(["", "", ""])])
    def test_of_no_text_are_empty_strings(self, column: pa.Array) -> None:
        assert texts_of(*utf8_buffers(column)) == ["", "", ""]

    def test_hide_the_bytes_that_arrow_left_behind_a_null(self) -> None:
        offsets = pa.py_buffer(np.array([0, 6, 9], np.int32))
        column = pa.Array.from_buffers(
            pa.string(), 2, [pa.py_buffer(b"\x02"), offsets, pa.py_buffer(b"secretabc")], null_count=1
        )
        assert column.to_pylist() == [None, "abc"]
        assert texts_of(*utf8_buffers(column)) == ["", "abc"]

    def test_view_the_data_without_copying(self) -> None:
        column = pa.array(["abc", "def"])
        _, data = utf8_buffers(column)
        assert data.ctypes.data == column.buffers()[2].address

    @given(st.lists(st.one_of(st.none(), st.text(max_size=20))), st.integers(0, 5))
    def test_round_trip_through_strings_from_buffers(self, texts: list[str | None], start: int) -> None:
        column = pa.array(texts, pa.string()).slice(start)
        back = strings_from_buffers(*utf8_buffers(column))
        assert back.to_pylist() == [text or "" for text in texts[start:]]


def test_strings_give_null_as_empty() -> None:
    assert list(strings(pa.table({"t": TEXTS}), "t")) == PLAIN


class TestAppendColumns:
    ADDS = pa.schema([pa.field("n", pa.int32(), nullable=False), pa.field("word", pa.string())])

    def test_take_arrays_by_name_in_the_order_declared(self) -> None:
        columns = {"word": pa.array(["x", None]), "n": pa.array([1, 2], pa.int64())}
        table = append_columns(pa.table({"a": [5, 6]}), columns, self.ADDS)
        assert table.column_names == ["a", "n", "word"]
        assert table.schema.field("n").equals(self.ADDS.field("n"))
        assert table.to_pylist()[1] == {"a": 6, "n": 2, "word": None}

    def test_take_one_dict_a_row(self) -> None:
        table = append_columns(pa.table({"a": [5]}), iter([{"n": 1, "word": "x"}]), self.ADDS)
        assert table.to_pylist() == [{"a": 5, "n": 1, "word": "x"}]

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"n": pa.array([1])}, "expected columns"),
            ({"n": pa.array([1]), "word": pa.array(["x"]), "more": pa.array([1])}, "expected columns"),
            ({"n": pa.array([1]), "word": pa.array(["x", "y"])}, "column word: 2 values for 1 rows"),
        ],
    )
    def test_refuse_other_columns_or_lengths(self, columns: dict[str, pa.Array], message: str) -> None:
        with pytest.raises(ContractError, match=message):
            append_columns(pa.table({"a": [5]}), columns, self.ADDS)


class TestConform:
    def test_orders_casts_and_drops(self) -> None:
        table = pa.table({"b": pa.array(["x"], pa.large_string()), "z": [0], "a": pa.array([1], pa.int8())})
        assert conform(table, SCHEMA).schema.equals(SCHEMA)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (pa.table({"z": [1]}), "table lacks a, b"),
            (pa.table({"a": ["no number"], "b": ["x"]}), "does not fit its schema"),
            (pa.table({"a": [[1]], "b": ["x"]}), "does not fit its schema"),
            (pa.table({"a": pa.array([None], pa.int64()), "b": ["x"]}), "column a holds null|does not fit its schema"),
        ],
    )
    def test_refuses_what_cannot_fit(self, table: pa.Table, message: str) -> None:
        with pytest.raises(ContractError, match=message):
            conform(table, SCHEMA)

    def test_twice_changes_nothing(self) -> None:
        once = conform(pa.table({"b": ["x", None], "a": [1, 2]}), SCHEMA)
        assert conform(once, SCHEMA).equals(once)


def test_empty_has_the_schema_and_no_rows() -> None:
    assert empty(SCHEMA).schema.equals(SCHEMA)
    assert empty(SCHEMA).num_rows == 0
