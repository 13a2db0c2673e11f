"""Rule files in, a compiled pack out; every error of every file is collected before any is raised."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bastau
from bastau.read.rules.documents import MAX_BYTES, Node, Problem, RuleFile, RulesError, parse_document
from bastau.read.rules.format import FEATURES, FILE, LANGUAGES
from bastau.read.rules.forms import Reader
from bastau.read.rules.inflect import endings_table, fused_endings
from bastau.read.rules.lexicon import Entry, Lexicon, make_entry
from bastau.read.rules.pack import Cue, Frame, Gate, Mood, Organisation, Pack, Rule, Slot

ORGANISATION = "organisation"
AMBIGUOUS = "organisation_ambiguous"
CONTEXT = "armed_context"
BUILT_IN = {ORGANISATION: "a listed organisation", AMBIGUOUS: "a name that may be one"}
"""Concepts that exist without a `concepts:` file."""
_ANYWHERE = 1000


def rules_folder() -> Path:
    """Return the folder of the rules that come with bastau: beside ``src`` in a checkout, else in the package."""
    package = Path(bastau.__file__).parent
    for folder in (package / "rules", package.parents[1] / "rules"):
        if (folder / "concepts.yaml").exists():
            return folder
    raise RulesError([Problem(str(package / "rules"), 1, "the rules that come with bastau are missing; install again")])


def rule_files(folders: Iterable[Path]) -> tuple[RuleFile, ...]:
    """Return the rule files among and inside of ``folders``, in a stable order.

    Raises:
        RulesError: a file cannot be read.
    """
    files: list[RuleFile] = []
    problems = []
    for folder in folders:
        paths = sorted(p for e in ("*.yaml", "*.yml") for p in folder.rglob(e)) if folder.is_dir() else [folder]
        for path in paths:
            try:
                with path.open("rb") as file:
                    files.append(RuleFile(_shown(path, folder), file.read(MAX_BYTES + 1)))
            except OSError as error:
                problems.append(Problem(str(path), 1, f"cannot be read: {error.strerror}"))
    if problems:
        raise RulesError(problems)
    return tuple(files)


def _shown(path: Path, folder: Path) -> str:
    return str(path) if folder == path else f"{folder.name}/{path.relative_to(folder).as_posix()}"


@dataclass
class _Found:
    """What was read of all files, before names are resolved: (value, path) of each."""

    concepts: dict[str, tuple[dict[str, Any], str, int]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    endings: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    moods: list[tuple[dict[str, Any], str, str]] = field(default_factory=list)
    gates: list[tuple[dict[str, Any], str | None, str]] = field(default_factory=list)
    organisations: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    rules: list[tuple[dict[str, Any], str]] = field(default_factory=list)


def load(files: Iterable[RuleFile]) -> Pack:
    """Return the pack that the files make together.

    Raises:
        RulesError: with every problem found.
    """
    problems: list[Problem] = []
    found = _Found()
    digest = hashlib.blake2b(digest_size=16)
    for name, raw in files:
        digest.update(f"{name}\0{len(raw)}\0".encode() + raw)
        node = parse_document(raw, name, problems)
        if node is not None:
            _read_file(node, Reader(name, problems), found)
    pack = _compile(found, problems, digest.hexdigest())
    if problems:
        raise RulesError(problems)
    return pack


def _read_file(node: Node, reader: Reader, found: _Found) -> None:
    content = FILE.read(node, reader)
    if content is None:
        return
    language: str = content.get("language", "")
    for needing in ("words", "endings", "moods"):
        if needing in content and not language:
            reader.wrong(node.line, f"a file with {needing!r} says its `language:`")
            return
    for name, (value, line) in content.get("concepts", {}).items():
        if name in found.concepts or name in BUILT_IN:
            where = "built in" if name in BUILT_IN else f"{found.concepts[name][1]}:{found.concepts[name][2]}"
            reader.wrong(line, f"concept {name!r} is defined twice (also {where})")
        found.concepts[name] = (value, reader.path, line)
    for concept, (keys, concept_line) in content.get("words", {}).items():
        for key, items in keys.items():
            if key == "line":
                continue
            for stated, line in items:
                try:
                    found.entries.append(make_entry(concept, language, key, stated, reader.path, line or concept_line))
                except ValueError as error:
                    reader.wrong(line, str(error))
    for kind, (forms, line) in content.get("endings", {}).items():
        if kind not in ("verb", "noun"):
            reader.wrong(line, f"endings are of a verb or a noun, not of {kind!r}")
            continue
        table = found.endings.setdefault(f"{language} {kind}", {})
        for name, (patterns, at) in forms.items():
            unknown = set(name.split()) - {*FEATURES, "plain"}
            if unknown:
                reader.wrong(at, f"unknown feature {', '.join(sorted(unknown))}; known: {', '.join(FEATURES)}")
            table.setdefault(name, []).extend(p for text in patterns for p in text.replace(",", " ").split())
    found.moods += [(mood, language, reader.path) for mood in content.get("moods", [])]
    found.gates += [(gate, language or None, reader.path) for gate in content.get("gates", [])]
    found.organisations += [(row, reader.path) for row in content.get("organisations", [])]
    found.rules += [(rule, reader.path) for rule in content.get("rules", [])]


class _Compiler:
    """Resolves names to bits and notes what does not fit."""

    def __init__(self, found: _Found, problems: list[Problem]) -> None:
        self.problems = problems
        self.found = found
        names = [*BUILT_IN, *found.concepts]
        self.own = {name: 1 << i for i, name in enumerate(names)}
        self.closed = {name: self._closure(name, ()) for name in names}
        self.used: set[str] = {AMBIGUOUS}

    def wrong(self, path: str, line: int, text: str) -> None:
        self.problems.append(Problem(path, line, text))

    def _closure(self, name: str, below: tuple[str, ...]) -> int:
        if name in below:
            _, path, line = self.found.concepts[name]
            self.wrong(path, line, f"concept {name!r} is a kind of itself")
            return 0
        bits = self.own[name]
        if name in self.found.concepts:
            value, path, _ = self.found.concepts[name]
            for wider, line in value.get("is", []):
                if wider not in self.own:
                    self.wrong(path, line, f"unknown concept {wider!r}")
                else:
                    bits |= self._closure(wider, (*below, name))
        return bits

    def mask(self, names: list[tuple[str, int]], path: str) -> int:
        """Return the bits of the named concepts."""
        bits = 0
        for name, line in names:
            if name not in self.own:
                close = [known for known in self.own if known.startswith(name[:4])]
                hint = f"; did you mean {', '.join(close[:3])}?" if close else ""
                self.wrong(path, line, f"unknown concept {name!r}{hint}")
            else:
                self.used.add(name)
                bits |= self.own[name]
        return bits

    def cues(self, rows: list[dict[str, Any]] | None, path: str) -> tuple[Cue, ...]:
        """Return the cues of a mood."""
        return tuple(
            Cue(
                self.mask(row["any"], path),
                row.get("within", 4),
                self.own.get("opener", 0) if row.get("start") else None,
                row.get("same") == "sentence",
            )
            for row in rows or []
        )


def _compile(found: _Found, problems: list[Problem], digest: str) -> Pack:
    make = _Compiler(found, problems)
    entries = []
    unknown: set[tuple[str, str]] = set()
    for entry in found.entries:
        if entry.concept in make.closed:
            entries.append(entry)
        elif (entry.concept, entry.path) not in unknown:  # once a file, not once a word
            unknown.add((entry.concept, entry.path))
            make.mask([(entry.concept, entry.line)], entry.path)
    _check_repeats(entries, make)
    organisations = _organisations(found, make, entries)
    moods = _moods(found, make)
    gates = _gates(found, make)
    rules = _rules(found, make, {gate.id for gate in gates})
    _check_dead(found, make, entries)
    endings = {kind: endings_table(found.endings.get(f"kk {kind}", {"plain": ["-"]})) for kind in ("verb", "noun")}
    endings["verb after й"] = fused_endings(endings["verb"])
    lexicon = Lexicon(make.closed, endings)
    lexicon.add(entries)
    return Pack(
        lexicon=lexicon,
        bits=make.own,
        moods=moods,
        gates=gates,
        rules=rules,
        organisations=organisations,
        fingerprint=digest,
        not_bit=make.own.get("not", 0),
        context_bit=make.own.get(CONTEXT, 0),
        ambiguous_bit=make.own[AMBIGUOUS],
        organisation_mask=make.closed[ORGANISATION],
        known=frozenset(unit.spelled for unit in lexicon.units if unit.kind == "exact" and len(unit.spelled) > 2),
    )


def _check_repeats(entries: list[Entry], make: _Compiler) -> None:
    """Refuse a word that one file lists twice; two files, perhaps by two authors, may list the same one."""
    seen: dict[tuple[Any, ...], Entry] = {}
    for entry in entries:
        key = (entry.path, entry.concept, entry.language, entry.kind, entry.forms[0], entry.forms[-1])
        if key in seen:
            first = seen[key]
            make.wrong(
                entry.path,
                entry.line,
                f"{entry.forms[0][0]!r} is listed twice under {entry.concept} (also {first.path}:{first.line})",
            )
        seen[key] = entry


def _organisations(found: _Found, make: _Compiler, entries: list[Entry]) -> list[Organisation]:
    seen: dict[str, str] = {}
    organisations = []
    for row, path in found.organisations:
        if row["id"] in seen:
            make.wrong(path, row["line"], f"organisation {row['id']!r} is listed twice (also {seen[row['id']]})")
            continue
        seen[row["id"]] = f"{path}:{row['line']}"
        if "names" not in row and "ambiguous" not in row:
            make.wrong(path, row["line"], f"organisation {row['id']!r} has neither names nor ambiguous ones")
        organisations.append(Organisation(row["id"], row["name"], row["ground"]))
        for key, concept in (("names", ORGANISATION), ("ambiguous", AMBIGUOUS)):
            for language, names in row.get(key, {}).items():
                if language == "line":
                    continue
                for name, line in names:
                    try:
                        kind = "nouns" if language == "kk" else "words"
                        entries.append(make_entry(concept, language, kind, name, path, line))
                    except ValueError as error:
                        make.wrong(path, line, str(error))
    return organisations


def _features(names: list[tuple[str, int]], path: str, make: _Compiler) -> frozenset[str]:
    for name, line in names:
        if name not in FEATURES:
            make.wrong(path, line, f"unknown feature {name!r}; known: {', '.join(FEATURES)}")
    return frozenset(name for name, _ in names)


def _moods(found: _Found, make: _Compiler) -> dict[str, list[Mood]]:
    moods: dict[str, list[Mood]] = {}
    for row, language, path in found.moods:
        mood = Mood(
            row["mood"],
            language,
            _features(row["features"], path, make),
            make.cues(row.get("before"), path),
            make.cues(row.get("after"), path),
            make.cues(row.get("not_before"), path),
            make.cues(row.get("not_after"), path),
            make.mask(row["start"], path) if "start" in row else None,
            make.mask(row.get("of", []), path),
        )
        moods.setdefault(language, []).append(mood)
    return moods


def _gates(found: _Found, make: _Compiler) -> list[Gate]:
    gates: list[Gate] = []
    names = {row["id"] for row, _, _ in found.gates}
    seen: dict[tuple[str, str | None], str] = {}
    for row, language, path in found.gates:
        line, cue, where = row["line"], row["cue"], row.get("where", {})
        given = [key for key in ("any", "feature", "mark") if key in cue]
        if len(given) != 1:
            make.wrong(path, line, f"gate {row['id']!r}: a cue is one of any, feature or mark")
            continue
        for lifted, at in row.get("lifts", []):
            if lifted not in names:
                make.wrong(path, at, f"unknown gate {lifted!r}")
        before, after = where.get("before", _ANYWHERE), where.get("after", _ANYWHERE)
        if before == after == 0:
            make.wrong(path, line, f"gate {row['id']!r} looks neither before nor after the predicate: it never closes")
        seen[row["id"], language] = path
        gates.append(
            Gate(
                row["id"],
                row["why"],
                language,
                make.mask(cue["any"], path) if "any" in cue else 0,
                cue.get("feature"),
                cue.get("mark"),
                where.get("within", "sentence"),
                before,
                after,
                frozenset(row.get("voices", ())),
                frozenset(row.get("moods", ())),
                make.mask(row.get("unless", []), path),
                row.get("unless_negated", False),
                frozenset(name for name, _ in row.get("lifts", [])),
                row.get("least", 0),
                row.get("unless_within"),
            )
        )
    return gates


def _rules(found: _Found, make: _Compiler, gate_ids: set[str]) -> list[Rule]:
    rules: list[Rule] = []
    seen: dict[str, str] = {}
    for row, path in found.rules:
        line = row["line"]
        if row["id"] in seen:
            make.wrong(path, line, f"rule {row['id']!r} is defined twice (also {seen[row['id']]})")
            continue
        seen[row["id"]] = f"{path}:{line}"
        if ("act" in row) == ("technique" in row):
            make.wrong(path, line, f"rule {row['id']!r} has either an act or a technique")
            continue
        for key in ("gates", "without_gates"):
            for gate, at in row.get(key, []):
                if gate not in gate_ids:
                    make.wrong(path, at, f"unknown gate {gate!r}; known: {', '.join(sorted(gate_ids))}")
        texts = {key: _texts(row[key]) for key in ("must_hit", "must_not_hit")}
        both = {text for _, text, _ in texts["must_hit"]} & {text for _, text, _ in texts["must_not_hit"]}
        for _, text, at in texts["must_not_hit"]:
            if text in both:
                make.wrong(path, at, f"rule {row['id']!r}: this text must hit and must not hit")
        frames = [_frame(frame, row["id"], path, make) for frame in row["frames"]]
        rules.append(
            Rule(
                row["id"],
                row["version"],
                row.get("act", "technique"),
                row.get("technique"),
                row["author"],
                row["legal_ground"],
                row["note"],
                row["status"] == "live",
                tuple(frame for frame in frames if frame),
                frozenset(name for name, _ in row["gates"]) if "gates" in row else None,
                frozenset(name for name, _ in row.get("without_gates", [])),
                row.get("score", 50) / 100,
                texts["must_hit"],
                texts["must_not_hit"],
                path,
                line,
            )
        )
    return rules


def _texts(rows: list[dict[str, Any]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((language, row[language], row["line"]) for row in rows for language in LANGUAGES if language in row)


def _frame(row: dict[str, Any], rule: str, path: str, make: _Compiler) -> Frame | None:
    slots = [
        Slot(
            name,
            make.mask(value["any"], path),
            tuple(concept for concept, _ in value["any"]),
            frozenset(value.get("mood", ())),
            _features(value.get("features", []), path, make),
            value.get("optional", False),
        )
        for name, (value, _) in row["slots"].items()
    ]
    line = row["line"]
    needed = [slot for slot in slots if not slot.optional]
    alone = row.get("alone", False) and len(needed) == 1
    if len(needed) < 2 and not alone:
        make.wrong(path, line, f"rule {rule!r}: a frame needs at least two slots; one word alone never makes a match")
        return None
    if alone and not _is_phrase_in_mood(needed[0], make):
        make.wrong(path, line, f"rule {rule!r}: `alone` asks for a slot with a mood whose concepts hold phrases only")
    names = [slot.name for slot in slots]
    anchor = row.get("anchor") or next((s.name for s in needed if s.moods), needed[0].name)
    if anchor not in names:
        make.wrong(path, line, f"rule {rule!r}: no slot is called {anchor!r}")
        return None
    for name, at in row.get("order", []):
        if name not in names:
            make.wrong(path, at, f"rule {rule!r}: no slot is called {name!r}")
    without = make.mask(row.get("without", []), path)
    for slot in needed:
        if slot.mask and not slot.mask & ~without:
            make.wrong(path, line, f"rule {rule!r}: slot {slot.name!r} needs what `without` forbids: it cannot match")
    first = next(slot for slot in slots if slot.name == anchor)
    return Frame(
        (first, *(slot for slot in slots if slot is not first)),
        row.get("within", 8),
        row.get("same", "sentence"),
        tuple(name for name, _ in row.get("order", [])),
        without,
        frozenset(row.get("languages", LANGUAGES)),
        make.mask(row.get("not_between", []), path),
    )


def _is_phrase_in_mood(slot: Slot, make: _Compiler) -> bool:
    """Tell whether a slot asks for a mood and holds no single word."""
    return bool(slot.moods) and all(
        len(form.split()) > 1
        for entry in make.found.entries
        if make.closed.get(entry.concept, 0) & slot.mask
        for form, _ in entry.forms
    )


def _check_dead(found: _Found, make: _Compiler, entries: list[Entry]) -> None:
    """A concept without words, or that nobody asks for, is a mistake in a name."""
    filled = 0
    for entry in entries:
        filled |= make.closed[entry.concept]
    wanted = 0
    for name in make.used:
        wanted |= make.own[name]
    for name, (_, path, line) in found.concepts.items():
        if not filled & make.own[name]:
            make.wrong(path, line, f"concept {name!r} has no words in any language")
        if not make.closed[name] & wanted and name not in ("not", "that", CONTEXT):
            make.wrong(path, line, f"concept {name!r} is used by no rule, gate or mood")
