"""What every row-wise stage promises, run over all that are registered; plug-in authors may import TestRowStage."""

import random

import pyarrow as pa
import pytest

from bastau.plugins import load, names
from bastau.read.stages import default_stages
from bastau.schemas import POSTS, READINGS
from bastau.settings import Settings
from bastau.stage import Stage, check_order, run_stages

WORDS = [
    "бүгін",
    "қалада",
    "жаңа",
    "мектеп",
    "ашылды",
    "сегодня",
    "в",
    "городе",
    "открыли",
    "школу",
    "the",
    "new",
    "school",
    "opened",
    "#мектеп",
    "#school",
    "#news",
    "@arna",
    "@p~k3x9",
    "https://site.kz/a?utm_source=x",
    "t.me/s/arna/5",
    "RT",
    "😀",
    "&amp;",
    "<b>қою</b>",
    "...",
    "жаңалық",
    "2024",
    "中文",
    "خبر",
]
KINDS: dict[str, list[object]] = {
    "string": [None, "", "қысқа", "https://x.com/A/status/1"],
    "list": [None, [], ["https://site.kz/b", None, "https://site.kz/b"], ["сөз"]],
}


def row_stages() -> list[Stage]:
    """Return every registered stage, ours with the default settings."""
    ours = default_stages(Settings())
    others = [load("stages", name) for name in names("stages")]
    return [*ours, *(made() for made in others if made not in {type(stage) for stage in ours})]


def values(field: pa.Field, n: int, seed: random.Random) -> list[object]:
    if pa.types.is_list(field.type):
        return [seed.choice(KINDS["list"]) for _ in range(n)]
    if pa.types.is_string(field.type):
        texts = [" ".join(seed.choices(WORDS, k=seed.randrange(1, 25))) for _ in range(n)]
        return [seed.choice([text, text, text, *KINDS["string"]]) for text in texts]
    if pa.types.is_integer(field.type):
        return [seed.choice([None, seed.randrange(2**31)]) for _ in range(n)]
    raise NotImplementedError(f"write values for {field.type}")


def posts_for(stage: Stage, n: int = 57) -> pa.Table:
    """Return ``n`` rows with a row number and what ``stage`` needs, its columns made by the stages before it."""
    seed = random.Random(5)
    given = pa.schema(
        [field for field in POSTS if (field.nullable and pa.types.is_string(field.type)) or field.name == "links"]
    )
    columns = {field.name: pa.array(values(field, n, seed), field.type) for field in given}
    posts = pa.table({"row": pa.array(range(n), pa.int64()), **columns})
    for before in default_stages(Settings()):
        if type(before) is type(stage):
            break
        posts = before.run(posts)
    return posts.select(["row", *stage.needs.names])


@pytest.mark.parametrize("stage", row_stages(), ids=lambda stage: type(stage).__name__)
class TestRowStage:
    def test_keeps_every_row_in_order(self, stage: Stage) -> None:
        posts = posts_for(stage)
        assert stage.run(posts).select(posts.column_names).equals(posts)

    def test_adds_exactly_what_it_declares(self, stage: Stage) -> None:
        posts = posts_for(stage)
        assert stage.run(posts).schema == pa.schema([*posts.schema, *stage.adds])

    def test_required_columns_hold_no_null(self, stage: Stage) -> None:
        made = stage.run(posts_for(stage))
        assert [f.name for f in stage.adds if not f.nullable and made.column(f.name).null_count] == []

    def test_the_same_posts_give_the_same_answer(self, stage: Stage) -> None:
        posts = posts_for(stage)
        assert stage.run(posts).equals(stage.run(posts))

    def test_a_post_is_read_alike_among_others_and_alone(self, stage: Stage) -> None:
        posts = posts_for(stage)
        backwards = stage.run(posts.take(pa.array(range(posts.num_rows - 1, -1, -1))))
        together = stage.run(posts)
        assert backwards.sort_by("row").combine_chunks().equals(together.combine_chunks())
        assert stage.run(posts.slice(3, 1)).equals(together.slice(3, 1))

    def test_slices_and_chunks_change_nothing(self, stage: Stage) -> None:
        posts = posts_for(stage)
        chunked = pa.concat_tables([posts.slice(0, 20), posts.slice(20, 0), posts.slice(20, 1), posts.slice(21)])
        together = stage.run(posts)
        assert stage.run(chunked).equals(together)
        assert stage.run(posts.slice(11, 30)).equals(together.slice(11, 30))

    def test_an_empty_table_stays_empty_with_the_new_columns(self, stage: Stage) -> None:
        for empty in (posts_for(stage).slice(0, 0), posts_for(stage).schema.empty_table()):
            made = stage.run(empty)
            assert made.num_rows == 0
            assert made.schema == pa.schema([*empty.schema, *stage.adds])

    def test_columns_of_nothing_but_null_are_read(self, stage: Stage) -> None:
        nullable = pa.schema([field.with_nullable(True) for field in posts_for(stage).schema])
        posts = pa.table({f.name: pa.nulls(5, f.type) for f in nullable}, nullable)
        made = stage.run(posts)
        assert made.num_rows == 5
        assert [f.name for f in stage.adds if not f.nullable and made.column(f.name).null_count] == []


def test_our_stages_make_a_readings_row_in_their_order() -> None:
    stages = default_stages(Settings())
    schema = check_order(stages, POSTS)
    assert set(READINGS.names) <= set(schema.names)
    assert all(schema.field(field.name).type == field.type for field in READINGS)


def test_settings_reach_the_stages() -> None:
    posts = pa.table({f.name: pa.array([None], f.type) for f in POSTS}).drop_columns(["text"]).append_column(
        "text", pa.array(["он бір әріп"])
    )  # fmt: skip
    fold = default_stages(Settings())[0]
    assert run_stages([fold], posts)["text_key"].null_count == 1


def test_every_stage_of_ours_is_offered_as_a_plugin() -> None:
    offered = {load("stages", name) for name in names("stages")}
    assert {type(stage) for stage in default_stages(Settings())} <= offered
