"""What rules say of themselves, with the texts that show what they are for; read without compiling them, which takes seconds."""

from collections.abc import Iterable
from dataclasses import dataclass

from bastau.read.rules.documents import Node, Problem, RuleFile, parse_document


@dataclass(frozen=True)
class RuleTexts:
    """One rule. ``must_hit`` and ``must_not_hit`` are (language, text); ``technique``: a DISARM id instead of an act."""

    id: str
    version: str
    act: str
    technique: str
    author: str
    legal_ground: str
    note: str
    is_live: bool
    must_hit: tuple[tuple[str, str], ...]
    must_not_hit: tuple[tuple[str, str], ...]
    file: str


def catalogue(files: Iterable[RuleFile]) -> tuple[list[RuleTexts], list[Problem]]:
    """Return the rules of some files in their order, and what cannot be read; whether they load is not looked at."""
    found: list[RuleTexts] = []
    problems: list[Problem] = []
    for file in files:
        if b"rules:" not in file.raw:
            continue
        root = parse_document(file.raw, file.name, problems)
        found += [_texts_of(rule, file.name) for rule in _list(root, "rules") if isinstance(rule.value, dict)]
    return found, problems


def _texts_of(rule: Node, file: str) -> RuleTexts:
    return RuleTexts(
        _word(rule, "id"),
        _word(rule, "version"),
        _word(rule, "act"),
        _word(rule, "technique"),
        _word(rule, "author"),
        _word(rule, "legal_ground"),
        _word(rule, "note"),
        _word(rule, "status") == "live",
        _pairs(rule, "must_hit"),
        _pairs(rule, "must_not_hit"),
        file,
    )


def _pairs(rule: Node, name: str) -> tuple[tuple[str, str], ...]:
    rows = [row.value for row in _list(rule, name) if isinstance(row.value, dict)]
    return tuple((tag, text.value) for row in rows for tag, text in row.items() if isinstance(text.value, str))


def _list(node: Node | None, name: str) -> list[Node]:
    value = node.value.get(name) if node is not None and isinstance(node.value, dict) else None
    return value.value if value is not None and isinstance(value.value, list) else []


def _word(node: Node, name: str) -> str:
    value = node.value.get(name) if isinstance(node.value, dict) else None
    return value.value if value is not None and isinstance(value.value, str) else ""
