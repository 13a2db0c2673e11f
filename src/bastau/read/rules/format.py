"""The keys of rule files. The loader checks against these forms and the editor schema is made from them."""

from typing import Any

from bastau.read.rules.forms import Choice, Form, Keys, Many, Named, Text, Whole, Words, Yes
from bastau.schemas import ACTS

LANGUAGES = ("kk", "ru", "en")
MOODS = ("order", "need", "vow", "doom", "wish")
STATED = ("verbs", "nouns", "words")
"""Keys under which words are inflected by the engine; under any other key stand the very forms."""
FEATURES = (
    "imperative", "hortative", "optative", "base", "infinitive", "first_future", "other_future", "present", "past",
    "participle", "gerund", "conditional", "nominative", "accusative", "genitive", "dative", "negative", "passive", "first", "second", "third", "plural",
)  # fmt: skip
FORM_KEYS = ("imperative", "hortative", "optative", "base", "infinitive", "first_future", "other_future", "present",
             "past", "participle", "gerund", "conditional", "nominative", "accusative", "genitive", "dative")  # fmt: skip
VOICES = ("direct", "quoted", "plain")
PLACES = ("clause", "lead", "sentence", "neighbours", "quote", "text")
MARKS = ("question", "verse", "quotation")

_concepts = Words("names of concepts of a `concepts:` file, separated by commas")
_mood = Choice(MOODS)

CONCEPTS = Named(
    Keys(
        {"means": Text("what belongs here, for the people who collect words")},
        {"is": Words("wider concepts that this one is a kind of")},
    ),
    "what rules and gates speak of; words of each language are listed under these names",
)
WORDS = Named(
    Keys(
        {},
        {key: Words() for key in (*STATED, *FORM_KEYS)},
    ),
    "concept: its words in this language",
)
ENDINGS = Named(Named(Many(Text(), or_one=True)), "verb and noun endings: name of the form, endings")
_cue = Keys(
    {"any": _concepts},
    {
        "within": Whole(1, 40, "words between at most (default 4)"),
        "same": Choice(("clause", "sentence"), "where it may stand (default clause)"),
        "start": Yes("the cue itself begins its clause (after words of opener)"),
    },
)
MOOD = Keys(
    {"mood": _mood, "features": Words("any of these features of the verb form")},
    {
        "before": Many(_cue, or_one=True, doc="words that must stand before the verb in its clause (all of the list)"),
        "after": Many(_cue, or_one=True, doc="words that must stand after the verb in its clause (all of the list)"),
        "not_before": Many(_cue, or_one=True, doc="words that must not stand before it in its clause"),
        "not_after": Many(_cue, or_one=True, doc="words that must not stand after it in its clause"),
        "of": Words("only verbs of these concepts (default all)"),
        "start": Words("the verb begins its clause, after nothing but words of these concepts"),
    },
)
GATE = Keys(
    {
        "id": Text(),
        "why": Text("one line a reviewer reads: why such a text is left alone"),
        "cue": Keys(
            {},
            {
                "any": _concepts,
                "feature": Choice(FEATURES, "a feature of the predicate itself"),
                "mark": Choice(MARKS, "a sign in the text: question mark, verse number, quotation marks"),
            },
        ),
    },
    {
        "where": Keys(
            {},
            {
                "within": Choice(PLACES, "how far from the predicate the cue may stand (default sentence)"),
                "before": Whole(0, 60, "words before the predicate at most; 0: not before"),
                "after": Whole(0, 60, "words after the predicate at most; 0: not after"),
            },
        ),
        "voices": Many(Choice(VOICES), or_one=True, doc="only frames spoken in these voices (default all)"),
        "moods": Many(_mood, or_one=True, doc="only predicates in these moods (default all)"),
        "least": Whole(
            1, 20, "so many different cue words, of the predicate's own voice (in its quotation or outside)"
        ),
        "unless": Words("concepts that, in the same place, keep the gate open"),
        "unless_within": Choice(
            PLACES, "how far from the predicate the words of unless may stand (default: as the cue)"
        ),
        "unless_negated": Yes("a cue with a word of `not` up to two words before it does not count"),
        "lifts": Words("ids of gates that this one opens again, instead of closing"),
    },
)
_slot = Keys(
    {"any": _concepts},
    {
        "mood": Many(_mood, or_one=True, doc="the predicate must be meant so"),
        "features": Words("the word must have one of these features"),
        "optional": Yes("highlighted when there, not needed"),
    },
)
_frame = Keys(
    {"slots": Named(_slot, "name: what may stand there; all slots must be filled by different words")},
    {
        "within": Whole(1, 40, "words between the anchor and each other slot at most (default 8)"),
        "same": Choice(("clause", "sentence", "neighbours"), "all slots stand in one of these (default sentence)"),
        "order": Words("names of slots in the order in which they must stand"),
        "anchor": Text("the slot that gates look at; default: the first with a mood, else the first"),
        "without": Words("concepts that must not stand in the same sentence (other meanings of the words)"),
        "not_between": Words("concepts none of whose words may stand between the anchor and another slot"),
        "alone": Yes("one slot is enough: it has a mood, and all that its concepts hold are phrases of several words"),
        "languages": Many(Choice(LANGUAGES), or_one=True, doc="only anchors of these languages (default all)"),
    },
)
_texts = Many(Keys({}, {language: Text() for language in LANGUAGES}), doc="texts, each under its language")
RULE = Keys(
    {
        "id": Text(),
        "version": Whole(1, 10_000),
        "author": Text(),
        "legal_ground": Text("law or policy that this rule serves"),
        "note": Text("what it is for, in a sentence or two"),
        "status": Choice(("live", "shadow"), "shadow: counted, never shown as a suggestion"),
        "frames": Many(_frame, doc="any of these makes a match"),
        "must_hit": _texts,
        "must_not_hit": _texts,
    },
    {
        "act": Choice(ACTS),
        "technique": Text("DISARM id; instead of an act: a weaker tag, never a suggestion"),
        "gates": Words("ids of gates that count (default: all)"),
        "without_gates": Words("ids of gates that do not count"),
        "score": Whole(1, 100, "ranking only (default 50)"),
    },
)
ORGANISATION = Keys(
    {
        "id": Text("reference number on the list"),
        "name": Text(),
        "ground": Text("who lists it and where; for an operator's own list, the court decision or policy"),
    },
    {
        "names": Keys({}, {language: Words() for language in LANGUAGES}),
        "ambiguous": Keys(
            {}, {language: Words("names that count only beside a word of armed_context") for language in LANGUAGES}
        ),
    },
)

TOP: dict[str, Form] = {
    "language": Choice(LANGUAGES),
    "concepts": CONCEPTS,
    "words": WORDS,
    "endings": ENDINGS,
    "moods": Many(MOOD),
    "gates": Many(GATE),
    "organisations": Many(ORGANISATION),
    "rules": Many(RULE),
}
FILE = Keys({}, TOP)


def editor_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bastau rule file",
        **FILE.schema(),
    }
