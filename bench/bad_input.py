"""Hand in everything that is wrong and show what bastau says: ``python bench/bad_input.py``.

Writes docs/figures/bad-input.md. The same cases are tests in tests/e2e/test_bad_input.py.
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import bad_cases  # noqa: E402 - lies with the tests
from bad_cases import CASES, Case, Outcome, Place  # noqa: E402

MAX_SHOWN = 320
"""Characters of a message in the table."""


def message(case: Case, done: Outcome, place: Place) -> str:
    """Return what a command said that bears on the case, paths shortened."""
    lines = [line.strip() for line in done.said.replace(f"{place.folder}/", "").splitlines()]
    if done.code == 0:
        lines = [line for line in lines if line.startswith(("rejected", "note"))] or lines[:1]
    elif any(line.startswith("bastau") for line in lines):
        at = next(i for i, line in enumerate(lines) if line.startswith("bastau"))
        lines = lines[at:]
    else:
        lines = [line for line in lines if any(words in line for words in case.says)]
    shown = re.sub(r"day=[0-9-]+/[a-z0-9]{24}", "…/…", " / ".join(filter(None, lines)))
    return shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN].rsplit(" ", 1)[0] + " …"


def command(done: Outcome, place: Place) -> str:
    """Return the command as it would be typed inside the folder of the case."""
    words = [word.replace(f"{place.folder}/", "") for word in done.arguments]
    return " ".join(["bastau", *(f"'{word}'" if re.search(r"[\s{=]", word) else word for word in words)])


def cell(text: str) -> str:
    """Return ``text`` safe in a table of Markdown."""
    return text.replace("|", "\\|")


def main() -> int:
    """Play all cases and write the table; return 1 if one was not answered as it must be."""
    rows, wrong, peak = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "processed").mkdir()
        processed = bad_cases.make_processed(base / "processed")
        for i, case in enumerate(CASES):
            if case.run is bad_cases.unprivileged and not bad_cases.can_be_unprivileged():
                continue
            place = Place(base / str(i), processed)
            place.folder.mkdir()
            done = bad_cases.play(case, place)
            peak = max(peak, done.peak_bytes)
            if done.code != case.code or any(words not in done.said for words in case.says):
                wrong.append(case.name)
            said = cell(message(case, done, place))
            rows.append(f"| {case.name} | `{cell(command(done, place))}` | {done.code} | {said} |")
    text = [
        "# Bad input",
        "",
        "Made by `python bench/bad_input.py`: each case through the command line, in a process of its own. Exit codes: 0",
        "done (good rows stored, the others kept with their reason), 1 our fault or a damaged disk, 2 yours, 130 Ctrl-C.",
        "",
        f"{len(rows)} cases; largest memory of any process: {peak >> 20} MiB. Not answered as expected: "
        f"{', '.join(wrong) or 'none'}.",
        "",
        "| case | command | exit code | message |",
        "|---|---|---|---|",
        *rows,
    ]
    target = ROOT / "docs" / "figures" / "bad-input.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(text) + "\n", "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
