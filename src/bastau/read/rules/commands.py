"""What `bastau rules check | test | explain` and `bastau check` answer: (answer, lines), nothing printed here."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from bastau.errors import ConfigError
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.finding import Finder
from bastau.read.rules.frames import Reading
from bastau.read.rules.loading import load, rule_files, rules_folder
from bastau.read.rules.match import find_in_posts, suggestion, suggestions, techniques
from bastau.read.rules.pack import Pack, Rule
from bastau.read.rules.suite import SuiteText, breaches

Answer = tuple[dict[str, Any], list[str]]


def files_of(extra: Sequence[Path] = ()) -> tuple[RuleFile, ...]:
    """Return the rule files that come with bastau and those of ``extra`` files or folders.

    Raises:
        ConfigError: an extra path does not exist.
    """
    for path in extra:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder")
    built_in = rules_folder()
    own = [path for path in extra if not path.resolve().is_relative_to(built_in.resolve())]
    return rule_files([built_in, *own])


def check_rules(extra: Sequence[Path] = ()) -> Answer:
    """Load every rule file.

    Raises:
        RulesError: with every problem, file and line.
    """
    pack = load(files_of(extra))
    live = [rule for rule in pack.rules if rule.is_live]
    answer = {
        "rules": len(pack.rules),
        "live": len(live),
        "shadow": len(pack.rules) - len(live),
        "gates": len({gate.id for gate in pack.gates}),
        "concepts": len(pack.bits),
        "words": len(pack.lexicon.sequences),
        "organisations": len(pack.organisations),
        "fingerprint": pack.fingerprint,
    }
    return answer, [f"{name}: {value}" for name, value in answer.items()]


def try_texts(pack: Pack, rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return each text of each rule with whether the rule did on it what it should."""
    rows = []
    for rule in rules:
        for wanted, texts in ((True, rule.must_hit), (False, rule.must_not_hit)):
            for language, text, line in texts:
                matches = Reading(pack, None, text).matches([rule])
                hit = any(not match.gates for match in matches)
                rows.append(
                    {
                        "rule": rule.id,
                        "path": rule.path,
                        "line": line,
                        "language": language,
                        "must_hit": wanted,
                        "hit": hit,
                        "passes": hit == wanted,
                        "gates": sorted({gate for match in matches for gate in match.gates}),
                    }
                )
    return rows


def run_rule_texts(extra: Sequence[Path] = (), suite: Sequence[SuiteText] = ()) -> Answer:
    """Run every rule over the texts that it must and must not hit, and over the protected-speech suite.

    ``answer["failed"]`` and ``answer["breaches"]`` are empty when all is well.
    """
    use = Finder(load(files_of(extra)))
    rows = try_texts(use.pack, use.pack.rules)
    failed = [row for row in rows if not row["passes"]]
    broken = breaches(use, suite)
    lines = []
    for rule in use.pack.rules:
        mine = [row for row in rows if row["rule"] == rule.id]
        n_broken = sum(one.rule is rule for one in broken)
        flags = f"; flags {n_broken} protected texts" if n_broken else ""
        lines.append(f"{rule.id} v{rule.version}: {sum(r['passes'] for r in mine)} of {len(mine)} texts{flags}")
    for row in failed:
        what = "should be hit and is not" if row["must_hit"] else "should be left alone and is hit"
        held = f" (held back by {', '.join(row['gates'])})" if row["gates"] else ""
        lines.append(f"{row['path']}:{row['line']}: {row['rule']} {row['language']}: {what}{held}")
    lines += [f"{one.rule.path}:{one.rule.line}: {one}" for one in broken]
    answer = {
        "texts": len(rows),
        "failed": failed,
        "suite_texts": len(suite),
        "breaches": [
            {
                "rule": one.rule.id,
                "text": one.text.id,
                "language": one.text.language,
                "category": one.text.category,
                "spans": suggestion(one.match)["spans"],
            }
            for one in broken
        ],
    }
    return answer, lines


def count_shadow(batches: Iterable[pa.Table], use: Finder) -> Answer:
    """Count what each shadow rule would flag and what gates would hold back.

    Args:
        batches: posts with title, text, folded, detected_language and script.
    """
    rules = [rule for rule in use.pack.rules if not rule.is_live]
    counts = {rule.id: {"version": rule.version, "flagged": 0, "held_back": 0} for rule in rules}
    n_posts = 0
    for posts in batches:
        n_posts += posts.num_rows
        for matches in find_in_posts(posts, use, rules).values():
            for match in matches:
                counts[match.rule.id]["held_back" if match.gates else "flagged"] += 1
    lines = [
        f"{name} v{count['version']}: would flag {count['flagged']} of {n_posts} posts, "
        f"gates hold back {count['held_back']}"
        for name, count in counts.items()
    ] or ["no rule has the status shadow"]
    return {"posts": n_posts, "rules": counts}, lines


def explain(text: str, extra: Sequence[Path] = (), use: Finder | None = None) -> Answer:
    """Say word by word what the rules see in a text, which frames are filled, and which gates hold them back."""
    use = use or Finder(load(files_of(extra)))
    pack = use.pack
    reading = use.read(None, text, use.form())
    document = reading.document
    lines = ["words:"]
    tokens = []
    for i, word in enumerate(document.words):
        tags = [
            {
                "concept": tag.concept,
                "language": tag.language,
                "words": tag.end - tag.start,
                "features": sorted(tag.features),
                "moods": sorted(reading.moods(tag)),
            }
            for tag in reading.tags
            if tag.start == i
        ]
        tokens.append({"word": word, "sentence": document.sentences[i], "quote": document.quotes[i], "tags": tags})
        place = f"sentence {document.sentences[i] + 1}, clause {document.clauses[i] + 1}"
        quoted = f", quotation {document.quotes[i]}" if document.quotes[i] else ""
        shown = "; ".join(_tag_words(tag) for tag in tags)
        lines.append(f"  {word}  [{place}{quoted}]" + (f"  {shown}" if shown else ""))
    matches = reading.matches(pack.rules)
    why = {gate.id: gate.why for gate in pack.gates}
    lines.append("rules:")
    for match in matches:
        found = ", ".join(f"{span.slot} = {_cut(text, span.start, span.end)}" for span in match.spans)
        state = "" if match.rule.is_live else " (shadow)"
        lines.append(f"  {match.rule.id} v{match.rule.version}{state}: {found}; voice {match.voice}, mood {match.mood}")
        lines += [f"    left alone, {gate}: {why[gate]}" for gate in match.gates]
        if not match.gates:
            lines.append("    flagged for review: no gate closes")
    if not matches:
        lines.append("  no frame is filled")
        lines += _missing(reading, pack)
    return {"tokens": tokens, "suggestions": [suggestion(match) for match in matches]}, lines


def _tag_words(tag: Mapping[str, Any]) -> str:
    features = f" {'+'.join(tag['features'])}" if tag["features"] else ""
    moods = f" meant as {'/'.join(tag['moods'])}" if tag["moods"] else ""
    span = f" ({tag['words']} words)" if tag["words"] > 1 else ""
    return f"{tag['concept']} ({tag['language']}){span}{features}{moods}"


def _cut(text: str, start: int, end: int) -> str:
    return repr(text[start:end])


def _missing(reading: Reading, pack: Pack) -> list[str]:
    """Say of each rule that lacks one slot only which one."""
    lines = []
    for rule in pack.rules:
        for frame in rule.frames:
            lacking = []
            for slot in frame.slots:
                there = [tag for tag in reading.tags if tag.mask & slot.mask]
                if not there and not slot.optional:
                    lacking.append(f"nothing for {slot.name} ({', '.join(slot.concepts)})")
                elif there and slot.moods and not any(reading.moods(tag) & slot.moods for tag in there):
                    lacking.append(f"{slot.name} is not meant as {' or '.join(sorted(slot.moods))}")
            if len(lacking) == 1:
                lines.append(f"  {rule.id}: {lacking[0]}")
            elif not lacking:
                lines.append(f"  {rule.id}: the words stand too far apart, or in another order or sentence")
    return list(dict.fromkeys(lines))


def check_rows(rows: Iterable[Mapping[str, Any]], use: Finder) -> list[dict[str, Any]]:
    """Return {id, flagged, suggestions, techniques} for each row of {id, text, title?}.

    Live rules only. ``flagged``: a suggestion that no gate holds back.
    """
    live = [rule for rule in use.pack.rules if rule.is_live]
    out = []
    for row in rows:
        matches = use.read(row.get("title"), row.get("text"), use.form(row.get("language"))).matches(live)
        found = suggestions(matches)
        out.append(
            {
                "id": row.get("id"),
                "flagged": any(one["gate"] is None for one in found),
                "suggestions": found,
                "techniques": techniques(matches),
            }
        )
    return out
