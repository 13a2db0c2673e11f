"""Floors of reading articles and feeds, on public sets that are not in the repository."""

import gzip
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from bastau.collect.articles.feeds import read_feed
from bastau.evaluate.extract import evaluate_extract

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.shared


@pytest.mark.slow
def test_articles_of_publishers_are_read_no_worse_than_measured(tmp_path: Path) -> None:
    folder = DATA / "html-fundus-publishers"
    if not folder.exists():
        pytest.skip(f"needs {folder}")
    pytest.importorskip("trafilatura")
    with zipfile.ZipFile(folder / "pages.zip") as pages:
        pages.extractall(tmp_path)
        inside = {Path(name).name: name for name in pages.namelist()}
    truth = {}
    with gzip.open(folder / "gold.ndjson.gz") as lines:
        for entry in map(json.loads, lines):
            name = entry["page"] if (tmp_path / entry["page"]).exists() else inside[Path(entry["page"]).name]
            truth[name] = {
                "url": entry["url"], "title": entry["title"], "date": entry["publishing_date"],
                "articleBody": "\n".join(entry["body_paragraphs"]),
            }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    answer, _ = evaluate_extract(tmp_path, tmp_path / "truth.json")
    ours = answer["bastau, careful"]
    assert ours["body_f1"] >= 0.95
    assert answer["bastau"]["body_f1"] >= max(answer["resiliparse alone"]["body_f1"], 0.945)
    assert ours["title_exact"] >= 0.79
    assert ours["date_to_the_day"] >= 0.95


def test_fields_of_the_suite_of_feedparser_are_found_as_measured() -> None:
    path = DATA / "feeds-feedparser-suite" / "feeds.zip"
    if not path.exists():
        pytest.skip(f"needs {path}")
    found: Counter[str] = Counter()
    with zipfile.ZipFile(path) as feeds:
        for name in (name for name in feeds.namelist() if not name.endswith("/")):
            feed = read_feed(feeds.read(name), "https://a.example/feed")  # none of them is refused
            found["feed titles"] += feed.title is not None
            for entry in feed.entries:
                found["titles"] += entry.title is not None
                found["links"] += entry.url is not None
                found["dates"] += (entry.published_at or entry.updated_at) is not None
                found["texts"] += bool(entry.text)
                found["media"] += bool(entry.media)
    floors = {"feed titles": 210, "titles": 61, "links": 50, "dates": 7, "texts": 93, "media": 15}
    assert all(found[name] >= floor for name, floor in floors.items()), found
