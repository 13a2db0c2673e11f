"""What the engine finds and leaves alone, on words of its own: minimal pairs, each about one cue or one place."""

import time

import pyarrow as pa
import pytest
from mini import mini_finder

from bastau.read.rules.finding import Finder


def flags(use: Finder, text: str, title: str | None = None) -> list[str]:
    return [match.rule.id for match in use.read(title, text).matches(use.pack.rules) if not match.gates]


def gates(use: Finder, text: str) -> dict[str, tuple[str, ...]]:
    return {match.rule.id: match.gates for match in use.read(None, text).matches(use.pack.rules)}


@pytest.mark.parametrize(
    "text",
    [
        "Kill the guards!",
        "Brothers, kill the guards.",
        "And so kill them",
        "News: kill the guards",
        "Don't wait, kill the guards.",
        "The guards must be slain.",
        "Wipe all those guards off the map, men!",
        "Take down the judge",
        "Slay the men",
        "May the guards, brothers, kill them",
        "I say: kill the guards.",
        "He said nothing. Kill the guards.",
        "Убивайте судью!",
        "Надо убивать охранников.",
        "Күзетшілерді өлтіріңдер!",
        "Сотты жою керек.",
        "Күзетшілерді қырып салайық",
        "Күзетшілерді өлтіру — керек",
        "Күзетшілерді өлтіріңдер деп айтамын",
        "Кузетшилерди олтириндер",
    ],
)
def test_a_call_in_the_authors_own_voice_is_flagged(use, text):
    assert flags(use, text) == ["call"], text


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("No one must kill the guards.", "negation"),
        ("We must refuse to kill the guards", "negation"),
        ("He said: kill the guards.", "attribution"),
        ("He said that the guards must be slain.", "attribution"),
        ("He wrote “kill the guards” on the wall.", "quotation"),
        ("He wrote: 'kill the guards, all of them' and left.", "quotation"),
        ("> kill the guards\nI do not agree with this.", "quotation"),
        ("Must one kill the guards?", "question"),
        ("«Kill the guards» disgusts me", "denunciation"),
        ("Surah nine. Kill them", "scripture"),
        ("Kill them (9:5) was revealed in war", "scripture"),
        ("Не надо убивать охранников", "negation"),
        ("Он сказал: убивайте судью", "attribution"),
        ("Күзетшілерді өлтірмеңдер", "negation"),
        ("Күзетшілерді өлтіріңдер деді ол", "attribution"),
    ],
)
def test_a_stance_holds_a_frame_back_and_says_which(use, text, gate):
    assert flags(use, text) == []
    if gate:
        assert gate in gates(use, text)["call"]


@pytest.mark.parametrize(
    "text",
    [
        "They kill the guards.",
        "He killed the guards",
        "The guards killed them",
        "To kill the guards is wrong",
        "Bomb-kill guards",
        "Guards slay, kill a judge",
        "Do not kill the guards!",
        "Don't kill the guards",
        "Kill time",
        "The judge is old",
        "kill the guards of this level",
        "kill one two three four five six guards",
        "Kill! The guards sleep.",
        "Убивать судей",
        "Күзетші өлтірді",
        "May comes. We take the guards",
    ],
)
def test_without_mood_target_or_nearness_there_is_no_frame(use, text):
    assert flags(use, text) == [], gates(use, text)


def test_an_endorsed_quotation_is_the_authors_own(use):
    assert flags(use, "Our leader says: “kill the guards”.") == []
    assert flags(use, "Our leader says: “kill the guards”. Do it, brothers!") == ["call"]
    assert flags(use, "Our leader says: “kill the guards”. Never do it, brothers!") == []


def test_a_report_leads_all_clauses_behind_its_colon(use):
    assert flags(use, "The leader says: hide, wait, kill the guards.") == []
    assert flags(use, "Hide, wait, kill the guards.") == ["call"]


def test_a_post_that_is_nothing_but_a_quotation_speaks_for_itself(use):
    assert flags(use, "“Kill the guards”") == ["call"]


def test_a_quotation_that_is_never_closed_ends_with_its_paragraph(use):
    assert flags(use, 'He wrote "peace for everybody\nKill the guards') == ["call"]


def test_what_the_quoted_voice_says_is_no_stance_of_the_author(use):
    assert "denunciation" not in gates(use, "They wrote “crime! kill the guards” here")["call"]


def test_a_negated_rejection_rejects_nothing(use):
    assert "denunciation" in gates(use, "I see here a crime: “kill the guards”")["call"]
    assert "denunciation" not in gates(use, "I never see crime in “kill the guards”")["call"]


def test_one_open_match_is_enough(use):
    text = "They wrote “kill the judges”. Kill the guards."
    (match,) = use.read(None, text).matches(use.pack.rules)
    assert match.gates == ()
    assert [text[span.start : span.end] for span in match.spans] == ["Kill", "guards"]


def test_spans_are_of_the_field_they_stand_in(use):
    title, text = "Kill the guards", "Вот и всё"
    (match,) = use.read(title, text).matches(use.pack.rules)
    assert [(s.field, title[s.start : s.end], s.slot) for s in match.spans] == [
        ("title", "Kill", "call"),
        ("title", "guards", "target"),
    ]


def test_a_title_is_no_part_of_the_first_sentence(use):
    assert flags(use, "the guards sleep", title="Kill") == []


def test_order_and_clause_narrow_a_frame(use):
    assert flags(use, "we will kill the guards") == ["threat"]
    assert flags(use, "the guards we will kill") == []
    assert flags(use, "we will kill, said the guards") == []


def test_a_listed_name_alone_is_nothing_and_an_ambiguous_one_needs_armed_company(use):
    assert flags(use, "The gnome order met in town") == []
    assert flags(use, "Join the gnome order") == ["join"]
    assert flags(use, "Join the order") == []
    assert flags(use, "Join the order. The caliphate needs you") == ["join"]


def test_kazakh_stems_in_a_glide_fuse_with_their_endings(use):
    assert flags(use, "Сотты жояйық") == ["call"]


def test_the_lexicon_finds_endings_of_names(use):
    assert use.read(None, "гном орденсіз").tags == []  # the mini pack has no such ending
    assert [tag.concept for tag in use.read(None, "гном орденіні").tags] == ["organisation"]
    assert [tag.concept for tag in use.read(None, "гном ордені").tags] == ["organisation"]


def test_a_target_may_stand_in_the_gap_of_a_phrase(use):
    text = "Brothers, wipe the guards off the map"
    (match,) = use.read(None, text).matches(use.pack.rules)
    assert {span.slot: text[span.start : span.end] for span in match.spans} == {
        "addressee": "Brothers",
        "call": "wipe the guards off the map",
        "target": "guards",
    }


@pytest.mark.parametrize(
    "text",
    [
        "kill them " * 20_000,
        "'a " * 30_000,
        "«\n" * 30_000,
        "\n" * 90_000,
        "he said: kill them. " * 4_000,
        "> " * 40_000,
    ],
    ids=["anchors", "apostrophes", "quotations", "lines", "gates", "blocks"],
)
def test_a_post_made_to_be_slow_is_not(use, text):
    start = time.process_time()
    use.read(None, text).matches(use.pack.rules)
    assert time.process_time() - start < 3


def test_a_frame_may_stand_alone_on_a_phrase_in_its_mood_and_look_between_its_slots():
    own = """
concepts:
  strike: {means: "phrases"}
  about: {means: "prepositions"}
rules:
  - {id: alone, version: 1, act: threaten, author: t, legal_ground: t, note: t, status: live,
     frames: [{slots: {vow: {any: strike, mood: vow}}, alone: true}],
     must_hit: [{en: "x"}], must_not_hit: [{en: "y"}]}
  - {id: between, version: 1, act: incite, author: t, legal_ground: t, note: t, status: live,
     frames: [{slots: {call: {any: strike, mood: order}, target: {any: people}}, not_between: about}],
     must_hit: [{en: "x"}], must_not_hit: [{en: "y"}]}
"""
    words = """
language: en
words:
  strike: {verbs: open fire}
  about: {words: "about"}
"""
    use = mini_finder(own=own, own_words=words)
    assert flags(use, "we will open fire") == ["alone"]
    assert flags(use, "open fire today") == []
    assert flags(use, "open fire on the guards") == ["between"]
    assert flags(use, "open fire about the guards") == []
    for text in ("we will open fire", "open fire on the guards"):
        assert use.screen.run(pa.array([text]))[0]


def test_the_stance_of_a_whole_post_is_told_without_any_frame(use):
    assert use.stance_of(None, "disgusting crime, see surah two") == "denunciation,scripture"
    assert use.stance_of(None, "nothing here") is None


def test_a_word_counts_only_in_a_sentence_of_its_language(use):
    assert flags(use, "Күзетшілерді жой") == ["call"]
    assert flags(use, "кузетшилерди жой") == ["call"]  # Kazakh typed on any keyboard
    assert flags(use, "Министр сказал что суд и сот жой стоят рядом с вокзалом") == []
    assert flags(use, "Новая песня группы kill guards вышла сегодня вечером в эфир") == []
    assert flags(use, "Kill the guards, брат") == ["call"]
