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
    """Return the notes of all rules of ``files``, which have been loaded before and so are well-formed, by id."""
    notes = {}
    for file in files:
        if b"legal_ground" not in file.raw:
            continue
        for rule in yaml.load(file.raw, _Loader).get("rules", ()):  # noqa: S506 - a safe loader
            notes[str(rule["id"])] = RuleNote(
                int(rule["version"]),
                str(rule.get("act", "")),
                str(rule.get("legal_ground", "")),
                str(rule.get("note", "")),
            )
    return notes
