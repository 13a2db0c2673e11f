"""YAML read safely: with line numbers, without anchors, tags or repeated keys, and bounded in size and depth."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from bastau.errors import ConfigError

MAX_BYTES = 8_000_000
MAX_DEPTH = 12
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Problem:
    """Something wrong in a rule file: where, and what to do about it. Never holds the words of a post."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class RulesError(ConfigError):
    """Rule files that do not load; ``problems`` holds every one of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.path, p.line, p.text))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Node:
    """One value of a document and the line it stands on: str, list of nodes, or dict of key to node."""

    value: "str | list[Node] | dict[str, Node]"
    line: int
    key_lines: dict[str, int] | None = None


class RuleFile(NamedTuple):
    """A rule file by its contents, so that it can travel to another machine."""

    name: str
    """As shown in errors."""
    raw: bytes


def parse_document(raw: bytes, shown: str, problems: list[Problem]) -> Node | None:
    """Return YAML bytes as nodes; on trouble add to ``problems`` and return None."""
    if len(raw) > MAX_BYTES:
        problems.append(Problem(shown, 1, f"larger than {MAX_BYTES // 1_000_000} MB; split the file"))
        return None
    try:
        text = raw.decode("utf-8-sig")
        if not _bounded(text, shown, problems):
            return None
        root = yaml.compose(text, _Loader)
    except UnicodeDecodeError as error:
        problems.append(Problem(shown, raw[: error.start].count(b"\n") + 1, "not UTF-8; save the file as UTF-8"))
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.append(Problem(shown, mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}"))
        return None
    except yaml.YAMLError as error:
        problems.append(Problem(shown, 1, f"not YAML: {getattr(error, 'reason', None) or type(error).__name__}"))
        return None
    if root is None:
        problems.append(Problem(shown, 1, "empty file"))
        return None
    return _convert(root, shown, problems)


def _bounded(text: str, shown: str, problems: list[Problem]) -> bool:
    """Tell whether the events of the text are harmless, before any tree is built of them."""
    depth = 0
    n_documents = 0
    event: Any
    for event in yaml.parse(text, _Loader):
        wrong = None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            wrong = "anchors and aliases (& and *) are not allowed; quote a text that begins with such a sign"
        elif getattr(event, "tag", None) and getattr(event, "implicit", True) is not True and event.tag != "!":
            wrong = "tags (!...) are not allowed"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                wrong = f"nested deeper than {MAX_DEPTH} levels"
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            n_documents += 1
            if n_documents > 1:
                wrong = "more than one document (---) in a file"
        if wrong:
            problems.append(Problem(shown, event.start_mark.line + 1, wrong))
            return False
    return True


def _convert(node: yaml.Node, shown: str, problems: list[Problem]) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Node(str(node.value), line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_convert(item, shown, problems) for item in node.value], line)
    assert isinstance(node, yaml.MappingNode)
    values: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(shown, at, "a key must be a word"))
            continue
        name = str(key.value)
        if name in values:
            problems.append(Problem(shown, at, f"key {name!r} appears twice (first in line {lines[name]})"))
            continue
        values[name], lines[name] = _convert(value, shown, problems), at
    return Node(values, line, lines)
