"""Quality of the rules on labelled texts: what is left alone, what is found, by category and language."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastau.errors import InputError
from bastau.evaluate.labelled import MAX_SHOWN, labelled_rows
from bastau.intervals import wilson
from bastau.read.rules.finding import Finder
from bastau.read.rules.suite import SuiteText


@dataclass(frozen=True)
class Cell:
    """One category in one language: how many texts were treated as their label asks."""

    label: str
    category: str
    language: str
    n: int
    n_right: int
    low: float
    high: float
    missed: tuple[str, ...]
    """Ids of the texts treated wrongly."""

    @property
    def rate(self) -> float:
        """Return the share treated rightly."""
        return self.n_right / self.n


def read_texts(path: Path) -> list[SuiteText]:
    """Return the labelled texts of a CSV or NDJSON file with text, label and optionally id, language and category.

    Raises:
        InputError: it cannot be read, lacks a column, or a label is neither flag nor protected; with line and value.
    """
    problems, texts = [], []
    for line, row in labelled_rows(path):
        if isinstance(row, str):
            problems.append(f"line {line}: {row}")
            continue
        missing = [name for name in ("text", "label") if not row.get(name)]
        label = row.get("label", "").strip().lower()
        if missing:
            problems.append(f"line {line}, {missing[0]}: missing or empty; every row needs text, label")
        elif label not in ("flag", "protected"):
            problems.append(f"line {line}, label: {label[:40]!r}; flag or protected")
        else:
            names = (
                row.get("id") or str(line),
                row["text"],
                row.get("language") or "und",
                row.get("category") or "all",
            )
            texts.append(SuiteText(*names, label))
    if problems:
        shown = [f"{path}: {problem}" for problem in problems[:MAX_SHOWN]]
        more = [f"{path}: and {len(problems) - MAX_SHOWN} more"] if len(problems) > MAX_SHOWN else []
        raise InputError("\n".join(shown + more))
    if not texts:
        raise InputError(f"{path}: holds no rows; it needs text, label")
    return texts


def score_rules(use: Finder, texts: Sequence[SuiteText]) -> list[Cell]:
    """Return a cell for each category, language and label, worst first."""
    live = [rule for rule in use.pack.rules if rule.is_live and rule.technique is None]
    matches = use.find_in([text.text for text in texts], live)
    flags = [any(not match.gates for match in found) for found in matches]
    return cells(texts, flags)


def cells(texts: Sequence[SuiteText], flags: Iterable[bool]) -> list[Cell]:
    """Return a cell for each category, language and label, worst first."""
    groups: dict[tuple[str, str, str], list[tuple[str, bool]]] = defaultdict(list)
    for text, flagged in zip(texts, flags, strict=True):
        right = flagged == (text.label == "flag")
        groups[text.label, text.category, text.language].append((text.id, right))
    made = []
    for (label, category, language), rows in groups.items():
        n_right = sum(right for _, right in rows)
        low, high = wilson(n_right, len(rows))
        missed = tuple(name for name, right in rows if not right)
        made.append(Cell(label, category, language, len(rows), n_right, low, high, missed))
    return sorted(made, key=lambda cell: (cell.rate, cell.low, cell.label, cell.category, cell.language))


def report(texts: Sequence[SuiteText], found: Sequence[Cell]) -> tuple[dict[str, Any], list[str]]:
    """Return the table of protected cells, the calls found by language and category, and the ids of all misses."""
    tables = {label: [cell for cell in found if cell.label == label] for label in ("protected", "flag")}
    answer: dict[str, Any] = {"task": "rules", "n_texts": len(texts)}
    lines = []
    for label, title in (("protected", "protected texts left alone"), ("flag", "explicit calls found")):
        rows = tables[label]
        answer[label] = [_row(cell) for cell in rows]
        n, k = sum(cell.n for cell in rows), sum(cell.n_right for cell in rows)
        low, high = wilson(k, n)
        answer[f"{label}_total"] = {"n": n, "n_right": k, "rate": k / n if n else None, "low": low, "high": high}
        by_language: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for cell in rows:
            by_language[cell.language][0] += cell.n_right
            by_language[cell.language][1] += cell.n
        answer[f"{label}_by_language"] = {name: k / n for name, (k, n) in sorted(by_language.items())}
        if not rows:
            continue
        lines.append(f"{title}: {k} of {n}, {k / n:.3f} [{low:.3f}, {high:.3f}]")
        lines += [f"  {name}: {k} of {n}, {k / n:.3f}" for name, (k, n) in sorted(by_language.items())]
        lines += [
            f"  {cell.category:<24} {cell.language:<5} {cell.n_right:>4} of {cell.n:<4} {cell.rate:.3f} "
            f"[{cell.low:.3f}, {cell.high:.3f}]"
            for cell in rows
        ]
    missed = [name for cell in found for name in cell.missed]
    answer["missed"] = missed
    lines.append("treated wrongly: " + (", ".join(missed) or "none"))
    return answer, lines


def _row(cell: Cell) -> dict[str, Any]:
    return {
        "category": cell.category,
        "language": cell.language,
        "n": cell.n,
        "n_right": cell.n_right,
        "rate": cell.rate,
        "low": cell.low,
        "high": cell.high,
        "missed": list(cell.missed),
    }


def evaluate_rules(path: Path, use: Finder) -> tuple[dict[str, Any], list[str]]:
    """Score the live rules of ``use`` on a labelled file."""
    texts = read_texts(path)
    return report(texts, score_rules(use, texts))
