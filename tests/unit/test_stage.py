from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bastau.errors import ContractError
from bastau.stage import Stage, check_order, run_stages
from bastau.tables import append_columns

TEXT = pa.field("text", pa.string())
LENGTH = pa.field("length", pa.int32())


@dataclass(frozen=True)
class CountLetters:
    needs: ClassVar[pa.Schema] = pa.schema([TEXT])
    adds: ClassVar[pa.Schema] = pa.schema([LENGTH])

    def run(self, posts: pa.Table) -> pa.Table:
        return append_columns(posts, {"length": pc.utf8_length(posts.column("text"))}, self.adds)


@dataclass(frozen=True)
class MarkLong:
    above: int = 3
    needs: ClassVar[pa.Schema] = pa.schema([LENGTH])
    adds: ClassVar[pa.Schema] = pa.schema([pa.field("is_long", pa.bool_())])

    def run(self, posts: pa.Table) -> pa.Table:
        return append_columns(posts, {"is_long": pc.greater(posts.column("length"), self.above)}, self.adds)


def test_the_order_tells_the_columns_at_the_end() -> None:
    assert check_order([CountLetters(), MarkLong()], pa.schema([TEXT])).names == ["text", "length", "is_long"]


@pytest.mark.parametrize(
    ("stages", "given", "message"),
    [
        ([MarkLong(), CountLetters()], [TEXT], "MarkLong needs column 'length', which no earlier stage gives"),
        ([CountLetters()], [pa.field("text", pa.binary())], "CountLetters needs 'text' as string, got binary"),
        ([CountLetters(), CountLetters()], [TEXT], "CountLetters adds column 'length', which is already there"),
        ([CountLetters()], [TEXT, LENGTH], "already there"),
    ],
)
def test_a_wrong_order_is_refused_before_data_moves(stages: list[Stage], given: list[pa.Field], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_order(stages, pa.schema(given))


def test_stages_run_in_order_and_match_the_schema_foretold() -> None:
    stages: list[Stage] = [CountLetters(), MarkLong()]
    posts = pa.table({"text": ["ab", "abcd"]})
    table = run_stages(stages, posts)
    assert table.schema.equals(check_order(stages, posts.schema))
    assert table.column("is_long").to_pylist() == [False, True]


def test_without_stages_nothing_changes() -> None:
    posts = pa.table({"text": ["ab"]})
    assert run_stages([], posts) is posts


def test_a_stage_is_known_by_its_shape() -> None:
    assert isinstance(CountLetters(), Stage)
    assert not isinstance(object(), Stage)
