"""The protected-speech suite as a lock: a rule that flags one of its protected texts does not load."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bastau
from bastau.errors import ConfigError
from bastau.read.rules.documents import Problem, RulesError
from bastau.read.rules.finding import Finder
from bastau.read.rules.frames import Match
from bastau.read.rules.pack import Rule

COLUMNS = ("id", "text", "language", "category", "label")


@dataclass(frozen=True)
class SuiteText:
    """One labelled text: ``label`` is flag (an explicit call) or protected."""

    id: str
    text: str
    language: str
    category: str
    label: str


@dataclass(frozen=True)
class Breach:
    """A protected text that a rule flags. Names the text by its id, never by its words."""

    rule: Rule
    text: SuiteText
    match: Match

    def __str__(self) -> str:
        spans = ", ".join(f"{span.slot} {span.start}-{span.end}" for span in self.match.spans)
        return (
            f"rule {self.rule.id!r} flags the protected text {self.text.id} "
            f"({self.text.language}, {self.text.category}): {spans}; it does not load"
        )


def suite_folder() -> Path | None:
    """Return the folder of the suite that comes with bastau, or None when it is not installed."""
    package = Path(bastau.__file__).parent
    for folder in (package / "protected", package.parents[1] / "tests" / "evals" / "protected"):
        if any(folder.glob("*.csv")):
            return folder
    return None


def read_suite(folder: Path | None) -> list[SuiteText]:
    """Return the texts of every CSV file in ``folder``, in order of file and line.

    Raises:
        ConfigError: a file lacks a column, or a label is neither flag nor protected.
    """
    texts: list[SuiteText] = []
    for path in sorted(folder.glob("*.csv")) if folder else []:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = set(COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise ConfigError(f"{path.name}: column {', '.join(sorted(missing))} is missing")
            for row in rows:
                if row["label"] not in ("flag", "protected"):
                    raise ConfigError(f"{path.name}:{rows.line_num}: label is flag or protected, not {row['label']!r}")
                texts.append(SuiteText(*(row[name] or "" for name in COLUMNS)))
    return texts


def fingerprint(texts: Sequence[SuiteText]) -> str:
    """Return a hash of the suite, to be pinned beside that of the rules."""
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        digest.update(repr(text).encode())
    return digest.hexdigest()


def breaches(use: Finder, texts: Sequence[SuiteText]) -> list[Breach]:
    """Return every flag that a rule, live or shadow, sets on a protected text."""
    protected = [text for text in texts if text.label == "protected"]
    matches = use.find_in([text.text for text in protected], use.pack.rules)
    return [
        Breach(match.rule, text, match)
        for text, found in zip(protected, matches, strict=True)
        for match in found
        if not match.gates and match.rule.technique is None
    ]


def excused(folder: Path | None) -> frozenset[tuple[str, str]]:
    """Return the (rule, text id) pairs of ``known_breaches.txt``: faults of shipped rules that are known and published.

    They stay faults in every figure; only loading looks past them, so that nobody is tempted to bend a rule to a test.
    """
    path = folder / "known_breaches.txt" if folder else None
    if path is None or not path.exists():
        return frozenset()
    lines = (line.split("#")[0].split() for line in path.read_text("utf-8").splitlines())
    return frozenset((words[0], words[1]) for words in lines if len(words) == 2)


def refuse_breaches(use: Finder, texts: Sequence[SuiteText], known: frozenset[tuple[str, str]] = frozenset()) -> None:
    """Let the rules pass only if none flags a protected text.

    Raises:
        RulesError: naming each rule, text id and span.
    """
    found = [one for one in breaches(use, texts) if (one.rule.id, one.text.id) not in known]
    if found:
        raise RulesError([Problem(one.rule.path, one.rule.line, str(one)) for one in found])
