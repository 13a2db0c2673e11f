"""Write docs/reference/ from the code: `python docs/generate_reference.py`, or `--check` to fail when it is stale."""

import argparse
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from bastau import errors, schemas, settings
from bastau.cli import build_parser
from bastau.read.rules.format import editor_schema
from bastau.shield import exports, queries, research_tables

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Made by docs/generate_reference.py; do not edit. -->\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check compare them; return the exit code."""
    pages = {f"{name}.md": NOTE + text for name, text in build().items()}
    pages["rule.schema.json"] = json.dumps(editor_schema(), ensure_ascii=False, indent=1) + "\n"
    if "--check" not in arguments:
        FOLDER.mkdir(exist_ok=True)
        for name, text in pages.items():
            (FOLDER / name).write_text(text, "utf-8")
        return 0
    stale = [name for name, text in pages.items() if not _same(FOLDER / name, text)]
    stale += sorted(page.name for page in FOLDER.iterdir() if page.name not in pages)
    if stale:
        print(f"stale: {', '.join(stale)}; run: .venv/bin/python docs/generate_reference.py", file=sys.stderr)
    return int(bool(stale))


def build() -> dict[str, str]:
    """Return {page: text} of every reference page."""
    return {
        "commands": commands(build_parser()),
        "settings": setting_list(),
        "tables": tables(),
        "exports": export_list(),
        "errors": error_list(),
        "plugins": plugins(),
    }


def commands(parser: argparse.ArgumentParser) -> str:
    """Describe each command and what it takes, independent of how argparse prints help."""
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    everywhere = set.intersection(*({_flags(a) for a in p._actions} for p in subparsers.choices.values()))
    first = next(iter(subparsers.choices.values()))
    lines = ["# Commands\n", f"{parser.description}\n", f"{parser.epilog}\n", "Every command takes:\n"]
    lines += _arguments(a for a in first._actions if _flags(a) in everywhere)
    for name, command in subparsers.choices.items():
        lines.append(f"\n## bastau {name}\n\n{_sentence(command.description or '')}\n")
        lines += _arguments(a for a in command._actions if _flags(a) not in everywhere)
    return "\n".join(lines) + "\n"


def _flags(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest)
    takes = action.nargs != 0
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    return ", ".join(action.option_strings) + (f" {value}" if takes else "")


def _arguments(actions: Iterable[argparse.Action]) -> list[str]:
    rows = [[f"`{_flags(a)}`", a.help or ""] for a in actions]
    return [_table(["argument", "meaning"], rows)] if rows else []


def setting_list() -> str:
    """Describe each setting with type, default and range."""
    rows = []
    for name, type_, default, meaning in settings.describe():
        low, high = settings._RANGES.get(name, (None, None))
        limits = "" if low is None else f"{low:g} or more" if high >= 2**62 else f"{low:.12g} to {high:.12g}"
        rows.append([f"`{name}`", type_, f"`{default}`", limits, meaning])
    return (
        "# Settings\n\nOne file, `bastau.toml` in the home folder; each part before the dot is a section. "
        "A missing file or key means the default; an unknown key is an error.\n\n"
        + _table(["setting", "type", "default", "range", "meaning"], rows)
        + "\n"
    )


def tables() -> str:
    """Describe each column of each stored table."""
    lines = ["# Tables\n", f"{_markdown(inspect.getdoc(schemas) or '')}\n"]
    for name, schema in schemas.TABLES.items():
        required = {f.name for f in schema if not f.nullable}
        rows = [
            [f"`{column}`", f"`{type_}`", "yes" if column in required else "", meaning]
            for column, type_, meaning in schemas.describe(schema)
        ]
        lines.append(f"\n## {name}\n\n{_table(['column', 'type', 'required', 'meaning'], rows)}")
    return "\n".join(lines) + "\n"


def export_list() -> str:
    """Describe what can be exported, in which formats, and the columns."""
    built = exports.endings()
    lines = [
        f"# Exports\n\n{_markdown(inspect.getdoc(exports) or '')}\n",
        "`.csv`, `.ndjson` and `.jsonl` may be followed by `.gz` or `.zst`. In CSV, lists are JSON, and a text cell that a "
        "spreadsheet would run as a formula starts with an apostrophe: use NDJSON or Parquet to give posts to a program. "
        "Times are RFC 3339 in UTC, in Parquet timestamps.\n",
        "Shield lists (`lists`, `stix`, `misp`) are signed folders: see [shield](../how-to/shield.md). `research` is a folder of tables: "
        "see [below](#research) and [researchers](../how-to/research.md).",
    ]
    with duckdb.connect() as con:
        for name, schema in schemas.TABLES.items():
            con.register(name, schema.empty_table())
        for what, endings in built.items():
            lines.append(f"\n## {what}\n\nEndings: {', '.join(f'`{e}`' for e in endings)}.\n")
            query = exports.query_of(what)
            if query is None:
                lines += [_markdown(inspect.getdoc(part) or "") + "\n" for part in (queries.nodes, queries.edges)]
                continue
            lines.append(_markdown(inspect.getdoc(query) or "") + "\n")
            shape = con.sql(query(queries.as_stored))
            stored = {f: doc for f, _, doc in schemas.describe(schemas.TABLES.get(what, pa.schema([])))}
            meanings = stored | queries.ADDED.get(what, {})
            rows = [
                [f"`{column}`", f"`{type_}`", meanings[column]]
                for column, type_ in zip(shape.columns, map(str, shape.types), strict=True)
            ]
            lines.append(_table(["field", "type", "meaning"], rows))
    lines.append("\n## research\n\nA folder of Parquet files with a data card; null in `private_posts` means withheld.")
    for name, (about, columns) in research_tables.TABLES.items():
        rows = [[f"`{column}`", meaning] for column, meaning in columns.items()]
        lines.append(f"\n### {name}.parquet\n\n{about[0].upper()}{about[1:]}.\n\n{_table(['field', 'meaning'], rows)}")
    return "\n".join(lines) + "\n"


def error_list() -> str:
    """Describe each error by who must act."""
    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, errors.BastauError)]
    kinds.sort(key=lambda kind: (kind.exit_code, inspect.getsourcelines(kind)[1]))
    rows = [[f"`{kind.__name__}`", str(kind.exit_code), _markdown(inspect.getdoc(kind) or "")] for kind in kinds]
    return (
        "# Errors and exit codes\n\n0 done, 1 our fault, 2 yours, 3 a source's; 130 after Ctrl-C. "
        "A message names its place, never the words of a post.\n\n"
        + _table(["error", "exit code", "meaning"], rows)
        + "\n"
    )


def plugins() -> str:
    """Describe the entry-point groups and what bastau itself offers in them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [
        "# Plug-ins\n",
        "A package offers a plug-in by an entry point in one of these groups. Two packages that offer the same name in "
        "one group are an error. Built-ins come through the same door.",
    ]
    groups = {"bastau.collectors": {}, "bastau.formats": {}, "bastau.stages": {}, "bastau.rules": {}} | project.get(
        "entry-points", {}
    )
    for group, offers in groups.items():
        rows = [[f"`{name}`", f"`{target}`"] for name, target in sorted(offers.items())]
        lines.append(f"\n## {group}\n\n{_table(['name', 'object'], rows) if rows else 'None built in yet.'}")
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *([_cell(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _markdown(docstring: str) -> str:
    return re.sub(r":\w+:`[~.]?([^`]+)`", r"`\1`", docstring).replace("``", "`")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
