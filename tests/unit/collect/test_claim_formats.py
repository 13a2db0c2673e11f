"""Fact-checks come in as ClaimReview, as a Check feed, or as a table."""

import json
from pathlib import Path

import pytest

from bastau.cli import main
from bastau.collect.importing import recognise
from bastau.home import Home

FEED = {
    "data": [
        {
            "id": "7",
            "type": "feeds",
            "attributes": {
                "claim": "5G towers spread the virus",
                "claim-context": None,
                "fact-check-title": "No, 5G spreads no virus",
                "fact-check-summary": "Radio waves carry no viruses.",
                "fact-check-published-on": 1588291200,
                "fact-check-rating": "False",
                "published-article-url": "https://check.example/5g",
                "organization": "Check Example",
            },
        },
        {"id": "8", "type": "feeds", "attributes": {"claim": None, "fact-check-title": None}},
        {"type": "feeds", "attributes": {"claim": "No id and no address"}},
    ],
    "meta": {"record-count": 3},
}
TABLE = (
    "claim_id,text,title,publisher,verdict,url,language,published_at\n"
    "c1,Вышки 5G распространяют вирус,,Проверка,Ложь,https://p.example/1,ru,2020-05-01\n"
    "c2,,,,,,,\n"
    "c3,Dated badly,,,,,,yesterday\n"
)


def stored(tmp_path: Path, name: str, text: str, *options: str, code: int = 0) -> list[dict[str, object]]:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    home = tmp_path / "home"
    assert main(["import", str(path), *options, "--home", str(home), "--quiet"]) == code
    return Home.open(home).lake.read("claims").to_pylist()


@pytest.mark.parametrize("form", ["document", "lines"])
def test_a_check_feed_is_recognised(tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    items = [json.dumps(FEED)] if form == "document" else [json.dumps({"data": [item]}) for item in FEED["data"]]
    (claim,) = stored(tmp_path, "feed.json", "\n".join(items))
    assert recognise(tmp_path / "feed.json") == "check-feed"
    assert claim["claim_id"] == claim["url"] == "https://check.example/5g"
    assert (claim["text"], claim["verdict"], claim["publisher"]) == (
        "5G towers spread the virus",
        "False",
        "Check Example",
    )
    assert str(claim["published_at"]).startswith("2020-05-01")
    assert "rejected 2: missing_field" in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), ("--claims",)])
def test_a_table_is_recognised_and_bad_rows_are_rejected(
    tmp_path: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (claim,) = stored(tmp_path, "claims.csv", TABLE, *options)
    assert (claim["claim_id"], claim["verdict"], claim["language"]) == ("c1", "Ложь", "ru")
    said = capsys.readouterr().out
    assert "rejected 1: bad_time" in said
    assert "rejected 1: missing_field" in said


def test_json_lines_are_a_table_too(tmp_path: Path) -> None:
    rows = [
        {"url": "https://p.example/2", "text": "One"},
        {"claim_id": "c", "text": "Two", "published_at": "2026-01-01"},
    ]
    found = stored(tmp_path, "claims.ndjson", "\n".join(map(json.dumps, rows)), "--claims")
    assert sorted(str(claim["claim_id"]) for claim in found) == ["c", "https://p.example/2"]


def test_claims_of_ten_megabytes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"claim_id": "big", "text": "word " * 1_400_000}
    rows = json.dumps(row) + "\n" + json.dumps({"claim_id": "small", "text": "Something"})
    (claim,) = stored(tmp_path, "claims.ndjson", rows, "--claims")
    assert claim["claim_id"] == "small"
    assert "too_long" in capsys.readouterr().out


def test_posts_are_no_claims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "post_id,platform,source,published_at,body\nx:1,x,a,2026-01-01T00:00:00Z,hello\n"
    assert stored(tmp_path, "posts.csv", text, "--claims", code=2) == []
    assert "holds no fact-checks" in capsys.readouterr().err


def test_a_mapping_and_claims_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path, "claims.csv", TABLE)
    stored(tmp_path, "claims.csv", TABLE, "--claims", "--map", "text=body", code=2)
    assert "leave out --map" in capsys.readouterr().err
