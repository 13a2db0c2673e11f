"""What `bastau log` does; each returns (answer, lines)."""

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.chain import ZERO, Chain, Finding, Lock
from bastau.errors import ConfigError
from bastau.review.log import verify as verify_log
from bastau.review.transparency import report as make_report
from bastau.review.transparency import rows
from bastau.stamps import stamp, verify_stamps

Answer = tuple[dict[str, Any], list[str]]


def verify(file: Path, head: str = "", authority_file: str = "") -> Answer:
    """Return what in a log is not as it was written, or never should have been.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with file.open("rb") as lines_of_file:
            kept = list(lines_of_file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    findings, book = verify_log(kept, head)
    shown: list[dict[str, Any]] = []
    last = ZERO
    if not any(finding.code == "unreadable" for finding in findings):
        shown, bad = _stamps(file, authority_file)
        findings += bad
        last = Chain(file.parent, file.name).head
    n_acts = sum(line.endswith(b"\n") for line in kept)
    answer = {
        "is_whole": not findings,
        "n_acts": n_acts,
        "n_cases": len(book.cases),
        "head": last,
        "findings": [{"code": f.code, "act": f.number, "detail": f.detail} for f in findings],
        "stamps": shown,
    }
    lines = [f"{n_acts} acts on {len(book.cases)} cases, head {last}"]
    lines += [f"act {f.number}: {f.code}: {f.detail}" for f in findings]
    lines += [f"act {one['of']} was stamped by {one['by']} ({one['kind']})" for one in shown]
    if findings:
        lines.append(f"NOT whole: {len(findings)} findings; keep the file as it is and compare it with a copy")
    else:
        lines.append("whole: nothing was edited, removed, moved or added, and no act breaks a rule of review")
    if not head and not shown:
        lines.append("a cut end shows only against a time stamp, or a head noted before: --head HASH")
    return answer, lines


def _stamps(file: Path, authority_file: str) -> tuple[list[dict[str, Any]], list[Finding]]:
    return verify_stamps(file.parent, authority_file=authority_file, name=file.name)


def stamp_head(file: Path, now: datetime, *, authority: str, calendar: str, lock: Lock) -> Answer:
    """Have the head of a log stamped by those configured for evidence."""
    made = stamp(file.parent, now, authority=authority, calendar=calendar, lock=lock, name=file.name)
    return {"stamped": made}, [f"act {entry['of']} stamped by {entry['by']} ({entry['kind']})" for entry in made]


def report(file: Path, start: datetime, end: datetime) -> Answer:
    """Return the transparency report of a log, whole or published; the lines are a CSV."""
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such log")
    figures = make_report(Chain(file.parent, file.name).entries(), start, end)
    names = ("figure", "value", "low", "high", "n")
    out = io.StringIO()
    table = csv.DictWriter(out, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows(figures))
    return figures, out.getvalue().splitlines()
