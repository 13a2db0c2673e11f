"""Rules and lists over stored posts: matched once, matched again when a rule or a list changes, gone with the posts."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bastau.engine import open_engine
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.intake import import_file
from bastau.known_lists.commands import ListOptions, add
from bastau.matching import count_shadow, open_matchers
from bastau.pipeline import compact, erase, run

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CALL = "Братья, убивайте неверных, где бы они ни были!"
NEWS = "Суд приговорил автора поста «Убивайте неверных, где бы они ни были» к трём годам."
PLAIN = "Завтра в Алматы откроют новый мост, движение автобусов изменится."
SHADOW = """
concepts:
  own_bridge: {means: "bridges of the test"}
  own_bus: {means: "buses of the test"}
rules:
  - id: own-bridge
    version: 3
    act: incite
    author: test
    legal_ground: "policy of the test"
    note: "A frame that finds what the test has written."
    status: STATUS
    frames:
      - slots:
          bridge: {any: own_bridge}
          bus: {any: own_bus}
    must_hit:
      - {ru: "Новый мост ждёт автобусов."}
    must_not_hit:
      - {ru: "Новый мост открыт."}
"""
WORDS = """
language: ru
words:
  own_bridge: {words: "новый мост"}
  own_bus: {words: "автобусов"}
"""


def post(number: int, text: str, **more: object) -> dict[str, object]:
    return {
        "post_id": f"web:https://tau.example/{number}",
        "platform": "web",
        "source": "tau.example",
        "published_at": f"2026-05-01T10:{number:02d}:00Z",
        "url": f"https://tau.example/{number}",
        "text": text,
    } | more


def bring(home: Home, *posts: dict[str, object]) -> None:
    path = home.folder / f"{posts[0]['post_id'][-1:]}.ndjson"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in posts), "utf-8")
    with home.locked():
        import_file(home, path, now=NOW)


def process(home: Home) -> None:
    engine = open_engine(home.settings.engine)
    try:
        with home.locked():
            run(home, engine)
    finally:
        engine.close()


def matches(home: Home) -> dict[str, dict]:
    con = home.connect()
    found = con.sql("SELECT post_id, matches.* FROM matches JOIN posts USING (post_key)").to_arrow_table().to_pylist()
    return {row["post_id"].rsplit("/", 1)[1]: row for row in found}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.open(tmp_path / "home", create=True)
    bring(made, post(1, CALL), post(2, NEWS), post(3, PLAIN, links=["https://listed.example/clip?id=7"]))
    process(made)
    return made


def test_only_posts_that_matched_have_a_row_and_the_spans_show_why(home: Home) -> None:
    found = matches(home)
    assert "3" not in found
    (first, *_) = found["1"]["suggestions"]
    assert (first["act"], first["gate"]) == ("incite", None)
    words = {span["slot"]: CALL[span["start"] : span["end"]] for span in first["spans"]}
    assert words["call"] == "убивайте"
    assert words["target"] == "неверных"
    assert all(s["gate"] for s in found["2"]["suggestions"])


def test_new_posts_are_matched_and_old_ones_left(home: Home) -> None:
    before = {f.path for f in home.lake.files("matches")}
    bring(home, post(4, CALL + " Слышите?"))
    process(home)
    assert set(matches(home)) == {"1", "2", "4"}
    assert before < {f.path for f in home.lake.files("matches")}


def test_a_new_list_matches_stored_posts_without_reading_them_again(home: Home, tmp_path: Path) -> None:
    readings = {f.path for f in home.lake.files("readings")}
    listed = tmp_path / "listed.txt"
    listed.write_text("https://listed.example/clip?id=7\n", "utf-8")
    add(home, str(listed), "clips", ListOptions(ground="policy of the test"), now=NOW)
    process(home)
    (hit,) = matches(home)["3"]["known"]
    assert (hit["list"], hit["signal"], hit["gate"]) == ("clips", "url", None)
    assert {f.path for f in home.lake.files("readings")} == readings


def test_an_own_rule_is_counted_in_shadow_and_found_when_live(home: Home) -> None:
    folder = home.folder / "rules"
    folder.mkdir()
    (folder / "words.yaml").write_text(WORDS, "utf-8")
    (folder / "own.yaml").write_text(SHADOW.replace("STATUS", "shadow"), "utf-8")
    answer, lines = count_shadow(home)
    assert answer["rules"]["own-bridge"]["flagged"] == 1
    assert any("own-bridge" in line for line in lines)
    process(home)
    assert "own-bridge" not in json.dumps([row["suggestions"] for row in matches(home).values()])
    (folder / "own.yaml").write_text(SHADOW.replace("STATUS", "live"), "utf-8")
    process(home)
    assert ("own-bridge", 3) in {(s["rule"], s["version"]) for s in matches(home)["3"]["suggestions"]}


def test_a_rule_that_flags_protected_speech_does_not_load(home: Home) -> None:
    folder = home.folder / "rules"
    folder.mkdir()
    broad = """
rules:
  - {id: own-broad, version: 1, act: incite, author: test, legal_ground: "none", note: "Flags any prayer.", status: live,
     frames: [{slots: {a: {any: say}, b: {any: "target, believers, scripture, crowd, those"}}, within: 30, same: neighbours}],
     gates: [], must_hit: [], must_not_hit: []}
"""
    (folder / "broad.yaml").write_text(broad, "utf-8")
    with pytest.raises(ConfigError) as refused:
        open_matchers(home)
    assert "broad.yaml" in str(refused.value)


def test_matches_go_with_their_posts_and_survive_compaction(home: Home) -> None:
    bring(home, post(4, CALL + " Слышите?", source="other.example"))
    process(home)
    with home.locked():
        compact(home)
    process(home)
    assert set(matches(home)) == {"1", "2", "4"}
    with home.locked():
        erase(home, source="tau.example")
    process(home)
    assert set(matches(home)) == {"4"}
    assert home.lake.read("matches", ["post_key"]).num_rows == 1


def test_the_fingerprint_follows_rules_and_lists(home: Home, tmp_path: Path) -> None:
    first = open_matchers(home).fingerprint
    assert open_matchers(home).fingerprint == first
    listed = tmp_path / "listed.txt"
    listed.write_text("https://listed.example/clip\n", "utf-8")
    add(home, str(listed), "clips", ListOptions(ground="policy of the test"), now=NOW)
    second = open_matchers(home).fingerprint
    (home.folder / "rules").mkdir()
    (home.folder / "rules" / "words.yaml").write_text(WORDS, "utf-8")
    (home.folder / "rules" / "own.yaml").write_text(SHADOW.replace("STATUS", "shadow"), "utf-8")
    assert len({first, second, open_matchers(home).fingerprint}) == 3


def test_a_listed_text_in_a_report_about_it_is_held_back(home: Home, tmp_path: Path) -> None:
    leaflet = (
        "Жители степи, собирайтесь у старой мельницы в час, когда погаснут огни, и приносите всё, что обещали: "
        "каждый знает своё место, каждый знает свой знак, и никто не уйдёт, пока не взойдёт солнце над холмами"
    )
    listed = tmp_path / "listed.ndjson"
    listed.write_text(json.dumps({"signal": "text", "value": leaflet}, ensure_ascii=False), "utf-8")
    add(home, str(listed), "leaflets", ListOptions(ground="policy of the test"), now=NOW)
    report = f"Суд приговорил мужчину за листовку, сообщает прокуратура. В ней говорилось: «{leaflet}»."
    bring(home, post(5, leaflet), post(6, report))
    process(home)
    found = matches(home)
    assert [hit["gate"] for hit in found["5"]["known"]] == [None]
    assert all(hit["gate"] for hit in found["6"]["known"])
