"""Find, keep, send: nothing is told twice, and nothing found is lost when the process dies.

`alerts/outbox.ndjson` holds what is to be sent, one (key, channel) a line, written before anything is sent; `alerts/sent.ndjson` what
was. Killed between sending and noting it, a message goes out again under the same key (Idempotency-Key, Message-ID, Atom
id): that is the one way in which something can double.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.alerts.findings import Finding, find
from bastau.alerts.rules import FILE, Alerts, Channel, Rule, read_rules
from bastau.alerts.sending import send
from bastau.alerts.texts import line
from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.home import Home

Answer = tuple[dict[str, Any], list[str]]
_OUTBOX, _SENT = "outbox.ndjson", "sent.ndjson"
_NOT_SENT = (SourceUnavailable, SourceChanged, ConfigError)


def after_run(home: Home, now: datetime) -> Answer | None:
    """Find and send, if the home has rules; None without rules.

    Raises:
        HomeBusy: another process does so now.
    """
    path = home.folder / FILE
    if not path.exists():
        return None
    alerts = read_rules(path)
    with home.locked(
        "alerts.lock"
    ):  # a lock of its own: a slow mail server must not keep what comes in from being stored
        collect(home, alerts, now)
        return deliver(home, alerts, now)


def collect(home: Home, alerts: Alerts, now: datetime) -> int:
    """Put findings that were not found before into the outbox; return how many.

    On the first run of a rule over a channel all that is there already is noted as sent and not told: a rule that is new,
    asks for something else now, or tells one more channel is about what comes.
    """
    folder = home.folder / "alerts"
    folder.mkdir(exist_ok=True)
    known = {(entry["key"], entry["channel"]) for name in (_OUTBOX, _SENT) for entry in _lines(folder / name)}
    found: dict[str, list[Finding]] = defaultdict(list)
    for finding in find(home, alerts.rules, now):
        found[finding.rule].append(finding)
    fresh: list[dict[str, Any]] = []
    old: list[dict[str, Any]] = []
    for rule in alerts.rules:
        for channel in rule.to:
            new = [finding for finding in found[rule.name] if (finding.key, channel) not in known]
            if (begun := _rule_key(rule), channel) in known:
                fresh += [
                    {"key": finding.key, "channel": channel, "finding": finding.as_json(), "found_at": now.isoformat()}
                    for finding in new
                ]
            else:
                keys = [*(finding.key for finding in new), begun]
                old += [{"key": key, "channel": channel, "at": now.isoformat()} for key in keys]
    _append(folder / _SENT, old)
    _append(folder / _OUTBOX, fresh)
    return len(fresh)


def _rule_key(rule: Rule) -> str:
    """Return what notes that a rule has begun: the same as long as it asks for the same."""
    asked = (rule.name, rule.when, rule.min_posts, rule.min_sources, sorted(rule.languages), sorted(rule.platforms))
    return "rule-" + hashlib.sha256(repr((*asked, rule.proposition)).encode()).hexdigest()[:32]


def deliver(home: Home, alerts: Alerts, now: datetime) -> Answer:
    """Send what waits, unless the hours are quiet; what could not be sent stays."""
    folder = home.folder / "alerts"
    sent = {(entry["key"], entry["channel"]) for entry in _lines(folder / _SENT)}
    waiting = [entry for entry in _lines(folder / _OUTBOX) if (entry["key"], entry["channel"]) not in sent]
    n_sent, problems = 0, []
    if waiting and alerts.quiet is not None and alerts.quiet.holds(now):
        return {"n_sent": 0, "n_waiting": len(waiting), "is_quiet": True, "problems": []}, [
            f"quiet hours: {len(waiting)} alerts wait"
        ]
    for name in dict.fromkeys(entry["channel"] for entry in waiting):
        channel = alerts.channels.get(name)
        if channel is None:
            problems.append(f"channel {name} is gone from {FILE}; its alerts wait")
            continue
        mine = [Finding(**entry["finding"]) for entry in waiting if entry["channel"] == name]
        for part in _messages(channel, mine):
            try:
                send(channel, part, now, home=home.folder, allow_private=home.settings.network.allow_private)
            except _NOT_SENT as error:
                problems.append(str(error))
                break
            _append(folder / _SENT, [{"key": finding.key, "channel": name, "at": now.isoformat()} for finding in part])
            n_sent += len(part)
    n_waiting = len(waiting) - n_sent
    if not n_waiting and waiting:
        (folder / _OUTBOX).unlink(missing_ok=True)
    lines = [f"{n_sent} alerts sent" + (f", {n_waiting} wait" if n_waiting else ""), *problems]
    return {"n_sent": n_sent, "n_waiting": n_waiting, "is_quiet": False, "problems": problems}, lines


def _messages(channel: Channel, findings: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    if channel.is_digest or channel.kind == "feed":
        yield findings
    else:
        yield from ([finding] for finding in findings)


def show(home: Home, now: datetime, locale: str = "en") -> Answer:
    """Return what waits, and what the rules would find now, told or not; sends nothing."""
    alerts = read_rules(_rules_file(home))
    folder = home.folder / "alerts"
    told = {entry["key"] for entry in _lines(folder / _SENT)}
    rows = [
        {**finding.as_json(), "text": line(finding, locale), "is_told": finding.key in told}
        for finding in find(home, alerts.rules, now)
    ]
    lines = [f"{len(rows)} findings of {len(alerts.rules)} rules"]
    lines += [
        f"{'told' if row['is_told'] else 'new '}  {row['rule']}: {row['text'].splitlines()[0]}" for row in rows[:50]
    ]
    return {"findings": rows}, lines


def test(home: Home, now: datetime) -> Answer:
    """Send one made-up finding to every channel; return what became of it.

    Raises:
        SourceUnavailable: a channel did not take it.
    """
    alerts = read_rules(_rules_file(home))
    facts = {"since": now.strftime("%Y-%m-%d %H:%M"), "until": now.strftime("%Y-%m-%d %H:%M"), "reason": "test"}
    finding = Finding(f"test-{now.timestamp():.0f}", "test", "gap", "https://example.org/test", facts)
    problems = []
    for channel in alerts.channels.values():
        try:
            send(channel, [finding], now, home=home.folder, allow_private=home.settings.network.allow_private)
        except _NOT_SENT as error:
            problems.append(str(error))
    if problems:
        raise SourceUnavailable("\n".join(problems))
    return {"channels": sorted(alerts.channels)}, [f"{name}: sent" for name in sorted(alerts.channels)]


def _rules_file(home: Home) -> Path:
    path = home.folder / FILE
    if not path.exists():
        raise ConfigError(f"{path}: no such file; docs/how-to/alerts.md shows one")
    return path


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file; one that was cut off by a kill was never acknowledged."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for text in lines:
            if text.endswith(b"\n"):
                yield json.loads(text)


def _append(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    if not entries:
        return
    _mend(path)
    with path.open("ab") as out:
        out.write(b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in entries))
        out.flush()
        os.fsync(out.fileno())


def _mend(path: Path) -> None:
    """Cut off a line that a kill left unfinished."""
    data = path.read_bytes() if path.exists() else b""
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("rb+") as file:
            file.truncate(whole)
