"""Fact-checks from import to trace, check and export; new claims reach old narratives, and nothing else is said."""

import json
from pathlib import Path

import pytest

from bastau.cli import main
from bastau.home import Home

CLAIM = "A photograph shows a shark swimming on a flooded highway in Houston, Texas, after Hurricane Harvey."
POST = "Breaking: photograph shows a shark swimming on a flooded highway in Houston, Texas after Hurricane Harvey! {n}"
OTHER = "The city library opens a new reading room for children and their parents on Saturday morning {n}"
CLAIMS = [
    {"claim_id": "https://check.example/shark", "text": CLAIM, "title": "Is a Shark on the Highway?", "publisher": "Check Example",
     "verdict": "Faked picture", "url": "https://check.example/shark", "language": "en", "published_at": "2017-08-30"},
    {"claim_id": "k2", "text": "Drinking bleach cures the coronavirus.", "publisher": "Other Checkers", "verdict": "False"},
    {"claim_id": "k3", "text": "NATO promised Russia in 1990 that it would never expand to the east."},
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BASTAU_HOME", raising=False)
    rows = [
        {
            "post_id": f"web:{kind}{n}",
            "platform": "web",
            "source": f"{kind}{n}.example",
            "source_kind": "outlet",
            "published_at": f"2017-08-29T0{n}:00:00Z",
            "text": text.format(n=n),
        }
        for kind, text in (("shark", POST), ("library", OTHER))
        for n in range(4)
    ]
    write(tmp_path / "posts.ndjson", rows)
    assert main(["import", "posts.ndjson", "--quiet"]) == 0
    return tmp_path / "bastau-home"


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(arguments) == code
    return capsys.readouterr().out


def exported(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, object]]]:
    said(capsys, "export", "narratives", "-o", "n.ndjson")
    rows = map(json.loads, Path("n.ndjson").read_text("utf-8").splitlines())
    return {row["text"][:8]: row["claims"] for row in rows}


def test_from_import_to_trace_check_and_export(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "run", "--quiet")
    assert exported(capsys) == {"Breaking": [], "The city": []}

    write(Path("claims.ndjson"), [*CLAIMS, {"claim_id": "empty", "text": ""}])
    assert "3 claims" in said(capsys, "import", "--claims", "claims.ndjson")
    report = json.loads(said(capsys, "run", "--json"))
    assert not report["up_to_date"]
    claims = exported(capsys)
    assert claims["The city"] == []
    (match,) = claims["Breaking"]
    assert set(match) == {"claim_id", "score"}
    assert match["claim_id"] == CLAIMS[0]["claim_id"]
    assert 0.5 < float(str(match["score"])) <= 1
    assert json.loads(said(capsys, "run", "--json"))["up_to_date"]

    for locale, words in (
        ("en", "In the publisher's words"),
        ("ru", "Словами издателя"),
        ("kk", "Жариялаушының сөзімен"),
    ):
        text = said(capsys, "trace", "web:shark0", "--locale", locale, "--html", f"{locale}.html")
        for page in (text, Path(f"{locale}.html").read_text("utf-8").replace("&#x27;", "'")):
            assert words in page
            assert "Faked picture" in page
            assert "Check Example" in page
            assert "check.example/shark" in page
    assert "Faked picture" not in said(capsys, "trace", "web:library0", "--locale", "en")
    (checked,) = json.loads(said(capsys, "trace", "web:shark0", "--json"))["fact_checks"]
    assert (checked["publisher"], checked["verdict"], checked["published_at"]) == (
        "Check Example",
        "Faked picture",
        "2017-08-30T00:00:00Z",
    )

    answer = json.loads(said(capsys, "check", POST.format(n=9), "--json"))
    assert [c["claim_id"] for c in answer["claims"]] == [CLAIMS[0]["claim_id"]]
    assert answer["claims"][0]["verdict"] == "Faked picture"
    assert not answer["flagged"]
    assert "in the publisher's words: Faked picture" in said(capsys, "check", POST.format(n=9))
    assert json.loads(said(capsys, "check", OTHER, "--json"))["claims"] == []


def test_posts_in_pieces_find_what_they_find_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("claims.ndjson"), CLAIMS)
    said(capsys, "import", "--claims", "claims.ndjson")
    said(capsys, "run", "--quiet")
    more = [json.loads(line) for line in Path("posts.ndjson").read_text("utf-8").splitlines()]
    for row in more:
        row["post_id"], row["published_at"] = row["post_id"] + "b", row["published_at"].replace("29T", "28T")
    write(Path("more.ndjson"), more)
    said(capsys, "import", "more.ndjson")
    said(capsys, "run", "--quiet")
    pieces = matches(home)
    said(capsys, "run", "--rebuild", "--quiet")
    assert matches(home) == pieces
    assert len(pieces) == 1


def matches(home: Path) -> list[dict[str, object]]:
    generation = Home.open(home).generation()
    assert generation is not None
    return generation.read("claim_matches").to_pylist()


def test_claims_of_one_address_are_told_apart_and_the_last_word_counts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = CLAIMS[0] | {"verdict": "Unclear", "published_at": "2017-08-29"}
    sibling = CLAIMS[0] | {"text": "A photograph shows an alligator in a kitchen in Florida.", "verdict": "True"}
    write(Path("claims.ndjson"), [first, sibling, *CLAIMS])
    said(capsys, "import", "--claims", "claims.ndjson")
    said(capsys, "run", "--quiet")
    (checked,) = json.loads(said(capsys, "trace", "web:shark0", "--json"))["fact_checks"]
    assert (checked["claim"], checked["verdict"]) == (CLAIM, "Faked picture")


def test_an_own_ranker_is_used_and_a_missing_one_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("claims.ndjson"), CLAIMS)
    said(capsys, "import", "--claims", "claims.ndjson")
    (home / "bastau.toml").write_text('[models]\nclaims = "mine.npz"\n', "utf-8")
    assert main(["check", "some text", "--json"]) == 2
    assert "mine.npz" in capsys.readouterr().err
