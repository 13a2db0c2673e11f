import re

import pyarrow as pa
import pytest

from bastau import schemas
from bastau.schemas import POST_FORMAT, POSTS, READINGS, TABLES, TIME, describe

COLUMNS = [(name, field) for name, schema in TABLES.items() for field in schema]
IDS = [f"{name}.{field.name}" for name, field in COLUMNS]

# SCOPE, rule 2: what says something about a source may stand only in tables that hold publishers.
ABOUT_A_SOURCE = re.compile(r"score|label|rank|confidence|risk|predict|probab|p_value|similarity|credit|weight")
OF_PUBLISHERS = {"copy_network", "amplifiers", "coordination", "origins", "families", "site_links"}
OF_TEXTS = {"readings", "matches", "members", "tellings", "theme_members", "versions", "curated", "claim_matches"}
OF_PAIRS = {"text_pairs", "copies", "co_shares", "influence"}


@pytest.mark.parametrize(("table", "field"), COLUMNS, ids=IDS)
class TestEveryColumn:
    def test_is_explained(self, table: str, field: pa.Field) -> None:
        assert {n: doc for n, _, doc in describe(TABLES[table])}[field.name]

    def test_says_its_kind_by_its_name(self, table: str, field: pa.Field) -> None:
        name, type_ = field.name, field.type
        if name.endswith(("_at", "_by", "_after")) and name != "joined_by":
            assert type_ == TIME
        if name.endswith("_key"):
            assert type_ == pa.int64()
        if name.endswith(("_id", "_url")):
            assert type_ == pa.string()
        if name.startswith("n_"):
            assert pa.types.is_integer(type_) or name == "n_repeats"
        if name.startswith("is_"):
            assert type_ == pa.bool_()
        if pa.types.is_timestamp(type_):
            assert type_ == TIME

    def test_judges_no_private_author(self, table: str, field: pa.Field) -> None:
        judged = any(ABOUT_A_SOURCE.search(name) for name in names_in(field))
        assert not judged or table in OF_PUBLISHERS | OF_TEXTS | OF_PAIRS


def names_in(field: pa.Field) -> list[str]:
    """The name of a column and of all fields inside it."""
    inner = field.type.value_field if pa.types.is_list(field.type) else field
    nested = [inner.type.field(i) for i in range(inner.type.num_fields)] if pa.types.is_struct(inner.type) else []
    return [field.name, *(name for child in nested for name in names_in(child))]


def test_names_inside_lists_of_structs_are_seen() -> None:
    assert names_in(schemas.ORIGINS.field("candidates"))[-1] == "confidence"


def test_the_post_format_is_the_stored_post_without_its_keys() -> None:
    assert POST_FORMAT[:3] == ["post_id", "platform", "source"]
    assert set(POSTS.names) - set(POST_FORMAT) == {"post_key", "content_key", "is_publisher"}


def test_tables_that_name_sources_beside_a_judgement_say_publishers_only() -> None:
    for table in OF_PUBLISHERS:
        assert "publisher" in " ".join(doc for _, _, doc in describe(TABLES[table])), table


def test_readings_add_no_column_that_posts_have() -> None:
    assert set(READINGS.names) & set(POSTS.names) == {"post_key"}


def test_no_table_has_a_column_twice() -> None:
    for name, schema in TABLES.items():
        assert len(set(schema.names)) == len(schema.names), name


def test_a_column_without_metadata_has_an_empty_meaning() -> None:
    assert describe(pa.schema([("a", pa.int64())])) == [("a", "int64", "")]
