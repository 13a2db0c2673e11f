"""What holds for every format: it is recognised, it adds up, and no private handle gets through."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import collect_samples as samples
import pyarrow as pa
import pytest
import zstandard

from bastau import plugins
from bastau.collect.importing import Chunk, recognise
from bastau.schemas import CLAIMS, PAGES, POSTS, REJECTS

MARKS = ("qaskyr_belgi", "қасқыр белгі")
"""Handle and shown name of a private person; they stand in author, name, mention, address, repost and raw fields."""


def every_byte(chunk: Chunk) -> str:
    sink = io.BytesIO()
    for table in (chunk.posts, chunk.rejects, chunk.pages, chunk.claims):
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue().decode("utf-8", "ignore").casefold()


def test_there_is_a_sample_of_every_registered_format() -> None:
    # `claims` is what --claims says of a file; it is then read as one of the others.
    assert set(plugins.names("formats")) - {"claims"} == set(samples.FORMATS.values())


@pytest.mark.parametrize("name", samples.FORMATS)
class TestFormat:
    def test_is_recognised_by_content_alone(self, name: str, tmp_path: Path) -> None:
        if samples.FORMATS[name] == "mapped":
            pytest.skip("a foreign file is named by its mapping")
        copy = tmp_path / "x"
        copy.write_bytes((samples.FOLDER / name).read_bytes())
        assert recognise(copy) == samples.FORMATS[name]

    def test_gives_the_declared_tables_and_loses_no_byte(self, name: str) -> None:
        path = samples.FOLDER / name
        chunks = samples.read(path)
        assert {chunk.format for chunk in chunks} == {samples.FORMATS[name]}
        for chunk in chunks:
            tables = (chunk.posts, chunk.rejects, chunk.pages, chunk.claims)
            assert [t.schema for t in tables] == [POSTS, REJECTS, PAGES, CLAIMS]
        assert sum(chunk.bytes_read for chunk in chunks) == path.stat().st_size
        assert any(t.num_rows for chunk in chunks for t in (chunk.posts, chunk.pages, chunk.claims))

    def test_no_private_handle_or_name_is_in_any_byte(self, name: str) -> None:
        source = (samples.FOLDER / name).read_text("utf-8").casefold()
        assert MARKS[0] in source
        for chunk in samples.read(samples.FOLDER / name):
            content = every_byte(chunk)
            assert not [mark for mark in MARKS if mark in content]

    def test_a_threshold_of_zero_keeps_every_author(self, name: str) -> None:
        for chunk in samples.read(samples.FOLDER / name, settings=samples.settings(min_audience=0)):
            assert all(row["is_publisher"] for row in chunk.posts.to_pylist())

    @pytest.mark.parametrize("packing", ["gzip", "zstd", "zip"])
    def test_packing_changes_neither_names_nor_content(self, name: str, packing: str, tmp_path: Path) -> None:
        plain = samples.FOLDER / name
        packed = tmp_path / name
        if packing == "gzip":
            packed.write_bytes(gzip.compress(plain.read_bytes()))
        elif packing == "zstd":
            packed.write_bytes(zstandard.compress(plain.read_bytes()))
        else:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(plain, name)
        there, here = samples.read(packed), samples.read(plain)
        assert [c.batch for c in there] == [c.batch for c in here]
        assert samples.rows(there) == samples.rows(here)
        assert sum(c.bytes_read for c in there) <= packed.stat().st_size


class TestMeaning:
    def test_a_repost_points_to_the_pseudonymised_original_in_any_case(self) -> None:
        private, outlet, _ = samples.rows(samples.read(samples.FOLDER / "posts.ndjson"))
        assert outlet["repost_of"] == outlet["reply_to"] == private["post_id"] == f"x:{private['source']}/1"
        assert outlet["forwarded_from"] == private["source"]
        assert f"RT @{private['source']}: " in outlet["text"]

    def test_a_private_author_loses_name_but_not_words(self) -> None:
        private = samples.rows(samples.read(samples.FOLDER / "posts.ndjson"))[0]
        assert private["source_name"] is None
        assert private["text"].endswith("көлге барамын")
        assert private["is_publisher"] is False

    def test_csv_quotes_hold_newlines_and_quotes(self) -> None:
        private = samples.rows(samples.read(samples.FOLDER / "posts.csv"))[0]
        assert private["text"] == f'Мен, "{private["source"]}",\nекі жол'

    def test_a_foreign_table_goes_through_its_mapping(self) -> None:
        first, second = samples.rows(samples.read(samples.FOLDER / "foreign.csv"))
        assert (first["post_id"], first["platform"]) == ("vk:11", "vk")
        assert first["text"] == f"{first['source']}; нүктелі үтір"
        assert second["published_at"].isoformat() == "2024-05-01T10:01:00+00:00"
        assert second["url"] == "https://vk.com/wall-5_6"

    def test_a_tweet_keeps_its_original_links_and_counts(self) -> None:
        tweet, retweet = samples.rows(samples.read(samples.FOLDER / "zeeschuimer.ndjson"))[:2]
        assert retweet["repost_of"] == tweet["post_id"] == "x:1"
        assert (retweet["source"], retweet["is_publisher"], retweet["audience"]) == ("steppe_press", True, 90000)
        assert tweet["views"] == 5
        assert tweet["collected_at"].isoformat() == "2024-05-01T10:40:00+00:00"

    def test_captures_refuse_what_the_platform_marks_private(self) -> None:
        rejects = samples.rows(samples.read(samples.FOLDER / "zeeschuimer.ndjson"), "rejects")
        assert [(r["line"], r["reason"]) for r in rejects] == [
            (5, "not_public"),
            (9, "unsupported_platform"),
            (10, "changed_format"),
        ]

    def test_only_public_channels_of_a_telegram_export_are_read(self) -> None:
        chunks = samples.read(samples.FOLDER / "telegram-full.json")
        assert [row["post_id"] for row in samples.rows(chunks)] == ["telegram:channel777/4"]
        assert [r["reason"] for r in samples.rows(chunks, "rejects")] == ["not_public"] * 3

    def test_a_forward_inside_the_dataset_names_its_channel(self) -> None:
        posts = samples.rows(samples.read(samples.FOLDER / "tgdataset.json"))
        assert [p["post_id"] for p in posts] == [
            "telegram:tau_news/3",
            "telegram:tau_news/media-0",
            "telegram:dala_news/9",
        ]
        assert posts[2]["forwarded_from"] == "tau_news"
        assert posts[1]["forwarded_from"].startswith("p~")

    def test_a_share_without_words_is_a_post(self) -> None:
        share, link = samples.rows(samples.read(samples.FOLDER / "coortweet.csv"))
        assert share["repost_of"] == "other:500"
        assert len(link["links"]) == 1

    def test_group_messages_of_4cat_are_refused(self) -> None:
        chunks = samples.read(samples.FOLDER / "fourcat-telegram.csv")
        assert [row["post_id"] for row in samples.rows(chunks)] == ["telegram:tau_news/1", "telegram:tau_news/2"]
        assert samples.rows(chunks)[1]["reply_to"] == "telegram:tau_news/1"
        assert [r["line"] for r in samples.rows(chunks, "rejects")] == [4]

    def test_an_archived_article_is_page_and_post(self) -> None:
        for name in ("pages.warc", "pages.arc"):
            (chunk,) = samples.read(samples.FOLDER / name)
            (post,), (page,) = chunk.posts.to_pylist(), chunk.pages.to_pylist()
            assert (post["source"], post["title"]) == ("steppe.example", "Көл туралы")
            assert post["published_at"].isoformat() == "2024-05-01T03:00:00+00:00"
            assert page["ip"] == "192.0.2.1"
            assert "NewsArticle" in page["html"]
            assert "@type" in page["html"]

    def test_a_fact_check_needs_a_claim(self) -> None:
        (chunk,) = samples.read(samples.FOLDER / "claimreview.json")
        (claim,) = chunk.claims.to_pylist()
        assert (claim["publisher"], claim["verdict"], claim["language"]) == ("Check Example", "Жалған", "kk")
        assert [r["field"] for r in chunk.rejects.to_pylist()] == ["claimReviewed"]

    def test_style_rules_of_a_page_are_no_handles(self) -> None:
        page = samples.rows(samples.read(samples.FOLDER / "pages.ndjson"), "pages")[0]
        assert "@media print" in page["html"]
        assert "Set-Cookie" not in page["headers"]

    @pytest.mark.parametrize(
        "headers", ['{"Server":"x","Set-Cookie":"id=7"}', "Server: x\r\nSet-Cookie: id=7", '["Set-Cookie"]']
    )
    def test_headers_given_as_text_lose_their_cookies_too(self, headers: str, tmp_path: Path) -> None:
        line = {
            "domain": "a.example",
            "url": "https://a.example/",
            "fetched_at": "2024-05-01T10:00:00Z",
            "headers": headers,
        }
        file = tmp_path / "pages.ndjson"
        file.write_text(json.dumps(line))
        (page,) = samples.rows(samples.read(file), "pages")
        assert "cookie" not in page["headers"].lower()
        assert ("Server" in page["headers"]) == headers.startswith("{")
