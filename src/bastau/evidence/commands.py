"""What `bastau evidence` does; each returns (answer, lines)."""

from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.chain import Chain, Entry, Lock
from bastau.errors import ConfigError
from bastau.evidence.archive import Archive
from bastau.evidence.packing import pack
from bastau.stamps import stamp, verify_stamps

Answer = tuple[dict[str, Any], list[str]]
FOLDER = "evidence"
LOCK = "evidence.lock"


def list_items(archive: Archive, match: str = "", limit: int = 50) -> Answer:
    """Return what was kept, newest first."""
    items = archive.items(match=match)[::-1]
    lines = [f"{len(items)} items kept"]
    lines += [
        f"{item['n']:>7}  {str(item.get('fetched_at') or item['at'])[:19]}  {item['act']:<4}  {item['url']}"
        + ("  (pseudonymised)" if item.get("is_pseudonymised") else "")
        + (f"  (last seen unchanged {item['last_seen_at'][:10]})" if item["n_seen"] else "")
        + (f"  (erased by act {item['erased']})" if item["erased"] is not None else "")
        for item in items[:limit]
    ]
    return {"n_items": len(items), "items": items}, lines


def show(archive: Archive, number: int, out: Path | None) -> Answer:
    """Return an item with its chain of custody; with ``out`` also write a working copy."""
    item = archive.item(number)
    number = item["n"]
    acts = list(Chain(archive.folder).entries())
    seen = {entry["n"] for entry in acts if entry["act"] == "seen" and entry["of"] == number}
    custody = [entry for entry in acts if number in (entry["n"], entry.get("item")) or entry["n"] in seen]
    lines = [f"{key}: {value}" for key, value in item.items() if value is not None and key != "beside"]
    lines += [_custody(entry) for entry in custody]
    if out is not None:
        _, data = archive.working_copy(number)
        try:
            out.write_bytes(data)
        except OSError as error:
            raise ConfigError(f"{out}: cannot be written: {error.strerror}") from error
        lines.append(f"working copy: {out} (the evidence copy stays where it is)")
    return {"item": item, "custody": custody, "working_copy": None if out is None else str(out)}, lines


def _custody(entry: Entry) -> str:
    why = f": {entry['why']}" if entry.get("why") else ""
    return f"custody: {entry['at'][:19]} {entry['act']} by {entry['by']}{why}"


def verify(archive: Archive, authority_file: str = "") -> Answer:
    """Return what does not fit, and what time stamps show."""
    findings = archive.verify()
    shown: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"n_acts": None, "head": None}
    lines = []
    if not any(finding.code == "unreadable" for finding in findings):
        shown, bad = verify_stamps(archive.folder, authority_file=authority_file)
        findings += bad
        chain = Chain(archive.folder)
        answer = {"n_acts": chain.n, "head": chain.head}
        lines = [f"{chain.n} acts, head {chain.head}"]
    answer |= {
        "is_whole": not findings,
        "findings": [{"code": f.code, "act": f.number, "detail": f.detail} for f in findings],
        "stamps": shown,
    }
    if answer["n_acts"] == 0 and not findings:
        return answer, ["nothing was kept yet; see docs/how-to/evidence.md"]
    lines += [f"act {f.number if f.number is not None else '?'}: {f.code}: {f.detail}" for f in findings]
    for one in shown:
        if one["kind"] == "rfc3161":
            checked = (
                "signature checked"
                if one["is_signature_checked"]
                else "signature not checked: name the authority's certificates"
            )
            lines.append(f"act {one['of']} existed by {one['at']}, says {one['by']} ({checked})")
        else:
            state = f"in blocks {one['blocks']}" if one["blocks"] else "pending, not in the ledger yet"
            lines.append(f"act {one['of']}: {one['by']}: {state}; the ledger itself is not looked at here")
    if findings:
        lines.append(f"NOT whole: {len(findings)} findings; keep the folder as it is and compare it with a copy")
    else:
        lines.append("whole: nothing was edited, removed, moved or cut off before the head")
    if not shown and answer["n_acts"]:
        lines.append("no time stamp: a cut end shows only against a copy of the head that somebody else has")
    return answer, lines


def stamp_head(archive: Archive, now: datetime, *, authority: str, calendar: str, lock: Lock) -> Answer:
    """Have the head stamped."""
    made = stamp(archive.folder, now, authority=authority, calendar=calendar, lock=lock)
    return {"stamped": made}, [f"act {entry['of']} stamped by {entry['by']} ({entry['kind']})" for entry in made]


def export(archive: Archive, out: Path, now: datetime, *, by: str) -> Answer:
    """Write a WACZ, and say whether what it holds is whole."""
    findings = archive.verify()
    answer = pack(archive, out, now, by=by) | {"is_whole": not findings}
    lines = [f"{answer['file']}: {answer['n_items']} items, SHA-256 {answer['sha256']}"]
    if findings:
        lines.append(f"NOT whole: {len(findings)} findings; `bastau evidence verify` names them")
    return answer, lines


def erase(
    archive: Archive,
    numbers: list[int],
    now: datetime,
    *,
    older_than: int | None,
    website: str | None,
    by: str,
    why: str,
) -> Answer:
    """Take items out: those named, or those older than a number of days (of one website)."""
    if older_than is not None and older_than < 0:
        raise ConfigError("--older-than: name a number of days, 0 or more")
    if older_than is not None:
        numbers = [*numbers, *archive.expired(now, older_than, website=website)]
    elif website is not None:
        numbers = [*numbers, *archive.expired(now, 0, website=website)]
    n = archive.erase(numbers, now, by=by, why=why)
    return {"n_erased": n}, [f"{n} erased, unchanged looks at them included; who, when and why stay in the chain"]
