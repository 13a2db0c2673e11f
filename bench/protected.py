"""What rules find and leave alone in labelled texts: ``python bench/protected.py``; writes docs/figures/rules.md.

Two collections: the protected-speech suite (tests/evals/protected), which rules must pass to load and on which they were
developed after a first look, and texts that no writer of rules ever saw (tests/evals/unseen).
"""

import sys
from collections import defaultdict
from pathlib import Path

from bastau.evaluate.rules import Cell, read_texts, score_rules, wilson
from bastau.read.rules.finding import finder

ROOT = Path(__file__).parents[1]
COLLECTIONS = {
    "Texts that no writer of rules saw": ROOT / "tests" / "evals" / "unseen",
    "The protected-speech suite": ROOT / "tests" / "evals" / "protected",
}
LANGUAGES = ("kk", "ru", "en")


def share(cells: list[Cell]) -> str:
    """Return right of all, the share and its interval."""
    n, k = sum(cell.n for cell in cells), sum(cell.n_right for cell in cells)
    low, high = wilson(k, n)
    return f"{k} of {n}: **{k / n:.3f}** [{low:.3f}, {high:.3f}]" if n else "-"


def tables(folder: Path) -> list[str]:
    """Return the summary and the table by category of a folder of labelled files."""
    texts = [text for path in sorted(folder.glob("*.csv")) for text in read_texts(path)]
    found = score_rules(finder(()), texts)
    lines = ["| | kk | ru | en | all |", "|---|---|---|---|---|"]
    for label, title in (("protected", "protected texts left alone"), ("flag", "calls found")):
        of = [cell for cell in found if cell.label == label]
        cells = [share([cell for cell in of if cell.language == language]) for language in LANGUAGES]
        lines.append(f"| {title} | {' | '.join(cells)} | {share(of)} |")
    lines += ["", "| category | left alone kk | ru | en | found kk | ru | en |", "|---|---|---|---|---|---|---|"]
    by: dict[str, dict[tuple[str, str], Cell]] = defaultdict(dict)
    for cell in found:
        by[cell.category][cell.label, cell.language] = cell
    for category in sorted(by):
        row = []
        for label in ("protected", "flag"):
            for language in LANGUAGES:
                cell = by[category].get((label, language))
                row.append(f"{cell.n_right}/{cell.n} [{cell.low:.2f}, {cell.high:.2f}]" if cell else "-")
        lines.append(f"| {category} | {' | '.join(row)} |")
    wrong = [name for cell in found if cell.label == "protected" for name in cell.missed]
    return [*lines, "", f"Protected texts flagged: {', '.join(wrong) or 'none'}."]


def main() -> int:
    """Write the page; return 0."""
    lines = [
        "# Rules\n",
        "    python bench/protected.py",
        "    bastau evaluate rules --file F\n",
        "Minimal pairs in ten categories: one text calls for, threatens, praises, recruits for or instructs in violence, its twin is protected speech in nearly "
        "the same words. Right of all, and Wilson 95 % bounds. Written rules have nothing to leave out and train again, so the place of "
        "leave-one-category-out is taken by texts that nobody who wrote rules had seen.\n",
    ]
    for title, folder in COLLECTIONS.items():
        if any(folder.glob("*.csv")):
            lines += [f"## {title}\n", *tables(folder), ""]
    (ROOT / "docs" / "figures" / "rules.md").write_text("\n".join(lines).rstrip() + "\n", "utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
