"""A small pack of rules for the tests of the engine: its words are the tests' own, whatever `rules/` says."""

from bastau.read.rules import load
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.finding import Finder

CONCEPTS = """
concepts:
  violence: {means: "any harm"}
  kill: {is: violence, means: "kill"}
  people: {means: "whom"}
  addressee: {means: "spoken to"}
  opener: {means: "before a command"}
  must: {means: "necessity"}
  will: {means: "future"}
  i_we: {means: "I, we"}
  may: {means: "wish"}
  not: {means: "negation"}
  stop: {means: "refusal"}
  say: {means: "report"}
  i_say: {means: "own words"}
  that: {means: "that"}
  denounce: {means: "rejection"}
  endorse: {means: "approval"}
  scripture: {means: "scripture"}
  game: {means: "game"}
  join: {means: "join"}
  armed_context: {means: "armed"}
"""
ENDINGS = """
language: kk
endings:
  verb:
    imperative second: "- (I)ңDAр"
    hortative first plural: "AйIK йIK"
    infinitive: "у уIмIз"
    first_future first: "YмIз"
    past: "DI"
    imperative second negative: "MA MAңDAр"
  noun:
    plain: "- NI I"
    plural: "LAр LAрNI"
    dative: "GA LAрGA"
"""
WORDS_EN = """
language: en
words:
  kill: {verbs: "kill, slay/slays/slew/slain/slaying, wipe ... off the map, take/takes/took/taken/taking down"}
  people: {nouns: "guard, judge, man/men", words: "them"}
  addressee: {words: "brothers"}
  opener: {words: "and, so, go and"}
  must: {words: "must, must be"}
  will: {words: "will"}
  i_we: {words: "we"}
  may: {words: "may"}
  not: {words: "do not, don't, never, no one"}
  stop: {words: "refuse to"}
  say: {verbs: "say/says/said/said/saying, write/writes/wrote/written/writing"}
  i_say: {words: "i say"}
  that: {words: "that"}
  denounce: {words: "disgust*, crime"}
  endorse: {words: "do it, he is right"}
  scripture: {words: "surah"}
  game: {words: "level"}
  join: {verbs: "join"}
  armed_context: {words: "caliphate"}
"""
WORDS_RU = """
language: ru
words:
  kill: {imperative: "убивайте", infinitive: "убивать", first_future: "убьём"}
  people: {words: "судь*, охранник*, их"}
  must: {words: "надо"}
  not: {words: "не, нельзя"}
  say: {words: "сказал*"}
"""
WORDS_KK = """
language: kk
words:
  kill: {verbs: "өлтір, жой, қырып сал"}
  people: {nouns: "күзетші, сот"}
  must: {words: "керек"}
  say: {words: "деді, деп"}
  i_say: {words: "айтамын"}
  not: {words: "емес"}
"""
MOODS_EN = """
language: en
moods:
  - {mood: order, features: base, start: "opener, addressee"}
  - {mood: need, features: "base, participle", before: {any: must, within: 3}}
  - {mood: vow, features: base, before: [{any: will, within: 2}, {any: i_we, within: 4}]}
  - {mood: wish, features: base, before: {any: may, within: 5, start: true}}
"""
MOODS_RU = """
language: ru
moods:
  - {mood: order, features: imperative}
  - {mood: need, features: infinitive, before: {any: must, within: 3}}
  - {mood: vow, features: first_future}
"""
MOODS_KK = """
language: kk
moods:
  - {mood: order, features: "imperative, hortative"}
  - {mood: need, features: infinitive, after: {any: must, within: 2, same: sentence}}
  - {mood: vow, features: first_future}
"""
GATES = """
gates:
  - {id: quotation, why: "quoted", cue: {mark: quotation}}
  - {id: question, why: "asked", cue: {mark: question}, moods: need}
  - {id: negation, why: "negated", cue: {any: not}, where: {within: clause, before: 5, after: 0}}
  - {id: negation, why: "refused", cue: {any: stop}, where: {within: clause, after: 0}, unless_negated: true}
  - id: attribution
    why: "reported"
    cue: {any: say}
    where: {within: lead, after: 0}
    unless: i_say
  - {id: denunciation, why: "rejected", cue: {any: denounce}, voices: [quoted, plain], unless_negated: true}
  - {id: scripture, why: "scripture", cue: {any: scripture}, where: {within: neighbours}}
  - {id: scripture, why: "a verse", cue: {mark: verse}, where: {within: neighbours}}
  - id: endorsement
    why: "approved"
    cue: {any: endorse}
    where: {within: neighbours}
    unless_negated: true
    lifts: quotation, attribution, scripture
"""
GATES_KK = """
language: kk
gates:
  - {id: negation, why: "negative form", cue: {feature: negative}}
  - id: attribution
    why: "reported"
    cue: {any: say}
    where: {within: sentence, before: 0, after: 4}
    unless: i_say
"""
ORGANISATIONS = """
organisations:
  - id: X.1
    name: The Order of Gnomes
    ground: a list
    names: {en: "gnome order", kk: "гном ордені"}
    ambiguous: {en: "the order"}
"""
RULES = """
rules:
  - id: call
    version: 3
    act: incite
    author: tests
    legal_ground: none
    note: a call
    status: live
    frames:
      - slots:
          call: {any: violence, mood: [order, need, wish]}
          target: {any: people}
          addressee: {any: addressee, optional: true}
        within: 5
        without: game
    must_hit:
      - {en: "kill the guards"}
    must_not_hit:
      - {en: "do not kill the guards"}
  - id: threat
    version: 1
    act: threaten
    author: tests
    legal_ground: none
    note: a threat
    status: live
    frames:
      - slots:
          vow: {any: kill, mood: vow}
          target: {any: people}
        same: clause
        order: vow, target
    score: 20
    must_hit:
      - {en: "we will kill the guards"}
    must_not_hit:
      - {en: "we will never kill the guards"}
  - id: join
    version: 1
    act: recruit
    author: tests
    legal_ground: none
    note: a call to join
    status: shadow
    frames:
      - slots:
          call: {any: join, mood: order}
          group: {any: organisation}
    must_hit:
      - {en: "join the gnome order"}
    must_not_hit:
      - {en: "they join the gnome order"}
  - id: praise
    version: 1
    technique: T0001
    author: tests
    legal_ground: none
    note: a technique
    status: live
    frames:
      - slots:
          a: {any: endorse}
          b: {any: people}
    must_hit:
      - {en: "he is right, guards"}
    must_not_hit:
      - {en: "guards"}
"""
PARTS = {
    "concepts": CONCEPTS, "endings": ENDINGS, "en": WORDS_EN, "ru": WORDS_RU, "kk": WORDS_KK, "moods-en": MOODS_EN,
    "moods-ru": MOODS_RU, "moods-kk": MOODS_KK, "gates": GATES, "gates-kk": GATES_KK, "names": ORGANISATIONS,
    "rules": RULES,
}  # fmt: skip


def mini_files(**more: str) -> tuple[RuleFile, ...]:
    return tuple(RuleFile(f"{name}.yaml", text.encode()) for name, text in (PARTS | more).items())


def mini_finder(**more: str) -> Finder:
    return Finder(load(mini_files(**more)))
