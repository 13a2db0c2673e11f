"""What rules say of themselves, without compiling them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from bastau.read.rules.documents import RuleFile

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class RuleNote:
    """A rule's version, act, ground and purpose, as its author wrote them."""

    version: int
    act: str
    legal_ground: str
    note: str


def rule_notes(files: Iterable[RuleFile]) -> dict[str, RuleNote]:
    """Return the notes of all rules of ``files`` by id; a file that cannot be read has none, and whoever loads it is told why."""
    notes = {}
    for file in files:
        if b"legal_ground" not in file.raw:
            continue
        try:
            loaded = yaml.load(file.raw, _Loader)  # noqa: S506 - a safe loader
            for rule in loaded["rules"]:
                notes[str(rule["id"])] = RuleNote(
                    int(rule["version"]), str(rule.get("act", "")), str(rule["legal_ground"]), str(rule.get("note", ""))
                )
        except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
            continue
    return notes
