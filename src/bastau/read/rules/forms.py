"""What may stand in a rule file: one definition from which the loader checks and the editor schema is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bastau.read.rules.documents import Node, Problem


@dataclass
class Reader:
    """Where problems go while one file is read."""

    path: str
    problems: list[Problem]

    def wrong(self, line: int, text: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.path, line, text))


class Form:
    """A kind of value. ``read`` returns the value, or None after noting what is wrong."""

    def read(self, node: Node, reader: Reader) -> Any:
        """Return the Python value of ``node``."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Form):
    """Any text that is not empty."""

    doc: str = ""
    max_chars: int = 4000

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the text without spaces around it."""
        if not isinstance(node.value, str) or not node.value.strip():
            reader.wrong(node.line, "expected a text")
            return None
        if len(node.value) > self.max_chars:
            reader.wrong(node.line, f"a text longer than {self.max_chars} characters")
            return None
        return node.value.strip()

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": ["string", "number"]} | ({"description": self.doc} if self.doc else {})


@dataclass(frozen=True)
class Words(Form):
    """Words or phrases, separated by commas, or a list of them."""

    doc: str = "words or phrases, separated by commas"

    def read(self, node: Node, reader: Reader) -> list[tuple[str, int]] | None:
        """Return (word or phrase, line) of each."""
        nodes = node.value if isinstance(node.value, list) else [node]
        found: list[tuple[str, int]] = []
        for item in nodes:
            if not isinstance(item.value, str):
                reader.wrong(item.line, "expected words separated by commas")
                return None
            found += [(part.strip(), item.line) for part in item.value.split(",") if part.strip()]
        if not found:
            reader.wrong(node.line, "expected words separated by commas")
        return found

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": ["string", "array"], "items": {"type": "string"}, "description": self.doc}


@dataclass(frozen=True)
class Whole(Form):
    """A whole number between two bounds."""

    low: int
    high: int
    doc: str = ""

    def read(self, node: Node, reader: Reader) -> int | None:
        """Return the number."""
        value = node.value
        if not isinstance(value, str) or not value.isdecimal() or not self.low <= int(value[:9]) <= self.high:
            reader.wrong(node.line, f"expected a whole number from {self.low} to {self.high}")
            return None
        return int(value)

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "description": self.doc}


@dataclass(frozen=True)
class Yes(Form):
    """true or false."""

    doc: str = ""

    def read(self, node: Node, reader: Reader) -> bool | None:
        """Return the boolean."""
        if node.value not in ("true", "false"):
            reader.wrong(node.line, "expected true or false")
            return None
        return node.value == "true"

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "boolean", "description": self.doc}


@dataclass(frozen=True)
class Choice(Form):
    """One of some names."""

    names: tuple[str, ...]
    doc: str = ""

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the name."""
        if node.value not in self.names:
            reader.wrong(node.line, f"{_shown(node)} is none of: {', '.join(self.names)}")
            return None
        assert isinstance(node.value, str)
        return node.value

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"enum": list(self.names)} | ({"description": self.doc} if self.doc else {})


@dataclass(frozen=True)
class Many(Form):
    """A list; where ``or_one``, a single value stands for a list of one."""

    of: Form
    or_one: bool = False
    doc: str = ""

    def read(self, node: Node, reader: Reader) -> list[Any] | None:
        """Return the values, without those that are wrong."""
        if not isinstance(node.value, list):
            if not self.or_one:
                reader.wrong(node.line, "expected a list")
                return None
            nodes = [node]
        else:
            nodes = node.value
        if not nodes:
            reader.wrong(node.line, "the list is empty")
        values = [self.of.read(item, reader) for item in nodes]
        return [value for value in values if value is not None]

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        many = {"type": "array", "items": self.of.schema(), "minItems": 1}
        return ({"anyOf": [self.of.schema(), many]} if self.or_one else many) | (
            {"description": self.doc} if self.doc else {}
        )


@dataclass(frozen=True)
class Keys(Form):
    """A mapping with known keys; unknown ones are errors. The value is a dict with ``line`` added."""

    required: Mapping[str, Form]
    optional: Mapping[str, Form] = field(default_factory=dict)
    doc: str = ""

    def read(self, node: Node, reader: Reader) -> dict[str, Any] | None:
        """Return the values by key, plus "line"; None when a required one is missing or wrong."""
        if not isinstance(node.value, dict):
            reader.wrong(node.line, f"expected keys: {', '.join([*self.required, *self.optional])}")
            return None
        known = {**self.required, **self.optional}
        out: dict[str, Any] = {"line": node.line}
        fine = True
        for key, value in node.value.items():
            if key not in known:
                at = (node.key_lines or {}).get(key, value.line)
                reader.wrong(at, f"unknown key {key!r}; known: {', '.join(known)}")
                continue
            got = known[key].read(value, reader)
            if got is None:
                fine = fine and key not in self.required
            else:
                out[key] = got
        for key in self.required:
            if key not in node.value:
                reader.wrong(node.line, f"{key!r} is missing")
                fine = False
        return out if fine else None

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        known = {**self.required, **self.optional}
        return {
            "type": "object",
            "properties": {key: form.schema() for key, form in known.items()},
            "required": list(self.required),
            "additionalProperties": False,
        } | ({"description": self.doc} if self.doc else {})


@dataclass(frozen=True)
class Named(Form):
    """A mapping from names that the author chooses to values of one form."""

    of: Form
    doc: str = ""

    def read(self, node: Node, reader: Reader) -> dict[str, tuple[Any, int]] | None:
        """Return (value, line of the name) by name."""
        if not isinstance(node.value, dict):
            reader.wrong(node.line, "expected names and what each means")
            return None
        out = {}
        for key, value in node.value.items():
            got = self.of.read(value, reader)
            if got is not None:
                out[key] = (got, (node.key_lines or {}).get(key, value.line))
        return out

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "object", "additionalProperties": self.of.schema()} | (
            {"description": self.doc} if self.doc else {}
        )


def _shown(node: Node) -> str:
    return repr(node.value[:40]) if isinstance(node.value, str) else "this"
