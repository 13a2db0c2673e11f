"""Find, keep, send: nothing is told twice, and nothing found is lost when the process dies.

`alerts/outbox.ndjson` holds what is to be sent, one (key, channel) a line, written before anything is sent; `alerts/sent.ndjson` what
was, or was muted or dropped. Killed between sending and noting it, a message goes out again under the same key (Idempotency-Key, Message-ID, Atom
id): that is the one way in which something can double.
"""

import hashlib
import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from bastau.alerts.findings import Finding, find
from bastau.alerts.mutes import is_muted, mute, read_mutes, unmute
from bastau.alerts.past import UNTOLD, by_day, past
from bastau.alerts.rules import FILE, Alerts, Channel, Rule, read_rules
from bastau.alerts.sending import send
from bastau.alerts.texts import line
from bastau.alerts.troubles import Trouble, after_failure, read_troubles, write_troubles
from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.home import Home
from bastau.lake import write_whole
from bastau.network import Busy

Answer = tuple[dict[str, Any], list[str]]
_OUTBOX, _SENT = "outbox.ndjson", "sent.ndjson"
_LOCK = "alerts.lock"
"""Its own: a slow mail server must not keep what comes in from being stored."""
MAX_SINGLE = 20
"""More that wait for a channel go out together."""
MAX_PART = 100
"""Findings in one message of a webhook."""
_NOT_SENT = (SourceUnavailable, SourceChanged, ConfigError)


def after_run(home: Home, now: datetime, *, at_once: bool = False) -> Answer | None:
    """Find and send, if the home has rules; None without rules. ``at_once``: see :func:`deliver`.

    Raises:
        HomeBusy: another process does so now.
    """
    path = home.folder / FILE
    if not path.exists():
        return None
    alerts = read_rules(path)
    with home.locked(_LOCK):
        collect(home, alerts, now)
        return deliver(home, alerts, now, at_once=at_once)


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
    # A rule of another kind keeps the key that it had before there were searches.
    search = (rule.search,) if rule.search else ()
    return "rule-" + hashlib.sha256(repr((*asked, rule.proposition, *search)).encode()).hexdigest()[:32]


def deliver(
    home: Home, alerts: Alerts, now: datetime, *, at_once: bool = False, rng: random.Random | None = None
) -> Answer:
    """Send what waits, unless the hours are quiet; what could not be sent stays.

    Args:
        at_once: also over channels that failed lately and would be left alone for a while.
        rng: of the jitter.
    """
    folder, rng = home.folder / "alerts", rng or random.Random()
    mutes = read_mutes(folder, now)
    muted: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for entry in _waiting(folder):
        (muted if is_muted(Finding(**entry["finding"]), mutes) else waiting).append(entry)
    _note(folder, muted, now, muted=True)
    answer: dict[str, Any] = {
        "n_sent": 0,
        "n_waiting": len(waiting),
        "n_muted": len(muted),
        "is_quiet": False,
        "problems": [],
    }
    muted_line = [f"{len(muted)} muted, not told"] if muted else []
    if waiting and alerts.quiet is not None and alerts.quiet.holds(now):
        return answer | {"is_quiet": True}, [f"quiet hours: {len(waiting)} alerts wait", *muted_line]
    troubles = read_troubles(folder, alerts.channels)
    before = dict(troubles)
    n_sent, problems = 0, []
    for name in dict.fromkeys(entry["channel"] for entry in waiting):
        channel, mine = alerts.channels.get(name), [entry for entry in waiting if entry["channel"] == name]
        if channel is None:
            problems.append(f"channel {name} is gone from {FILE}; {len(mine)} alerts wait (bastau alerts drop {name})")
            continue
        if (trouble := troubles.get(name)) and trouble.rests(now) and not at_once:
            problems.append(_told(trouble, len(mine)))
            continue
        for part in _messages(channel, mine):
            findings = [Finding(**entry["finding"]) for entry in part]
            try:
                send(channel, findings, now, home=home.folder, allow_private=home.settings.network.allow_private)
            except _NOT_SENT as error:
                asked_s = error.retry_after_s if isinstance(error, Busy) else None
                troubles[name] = after_failure(channel, troubles.get(name), str(error), asked_s, now, rng)
                problems.append(str(error))
                break
            _note(folder, part, now)
            troubles.pop(name, None)
            n_sent += len(part)
    if troubles != before:
        write_troubles(folder, troubles)
    if n_sent or muted:
        _compact(folder)
    n_waiting = len(waiting) - n_sent
    lines = [f"{n_sent} alerts sent" + (f", {n_waiting} wait" if n_waiting else ""), *muted_line, *problems]
    return answer | {"n_sent": n_sent, "n_waiting": n_waiting, "problems": problems}, lines


def _waiting(folder: Path) -> list[dict[str, Any]]:
    sent = {(entry["key"], entry["channel"]) for entry in _lines(folder / _SENT)}
    return [entry for entry in _lines(folder / _OUTBOX) if (entry["key"], entry["channel"]) not in sent]


def _note(folder: Path, entries: Sequence[dict[str, Any]], now: datetime, **why: bool) -> None:
    """Note that these need not be sent any more."""
    _append(folder / _SENT, [{"key": e["key"], "channel": e["channel"], "at": now.isoformat(), **why} for e in entries])


def _compact(folder: Path) -> None:
    """Take what was sent out of the outbox, so that one dead channel does not keep what others were told."""
    if waiting := _waiting(folder):
        raw = b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in waiting)
        write_whole(pafs.LocalFileSystem(), str(folder / _OUTBOX), lambda file: file.write(raw))
    else:
        (folder / _OUTBOX).unlink(missing_ok=True)


def _messages(channel: Channel, waiting: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield what goes out together: one by one, unless a digest is wanted or so much waits that nobody would read it."""
    is_together = channel.is_digest or channel.kind == "feed" or len(waiting) > MAX_SINGLE
    # A machine gets all of it, in parts that it can take; people a digest of the latest.
    size = MAX_PART if is_together and channel.kind == "webhook" else len(waiting) if is_together else 1
    for start in range(0, len(waiting), size):
        yield waiting[start : start + size]


def _told(trouble: Trouble, n_waiting: int) -> str:
    since, again = (at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") for at in (trouble.since, trouble.next_at))
    return f"{trouble.problem}; failing since {since} UTC, {n_waiting} wait, next try from {again} UTC (now: bastau alerts send)"


def show(home: Home, now: datetime, locale: str = "en") -> Answer:
    """Return what waits, and what the rules would find now, told or not; sends nothing."""
    alerts = read_rules(_rules_file(home))
    folder = home.folder / "alerts"
    told = {entry["key"] for entry in _lines(folder / _SENT)}
    mutes = read_mutes(folder, now)
    rows = [
        {
            **finding.as_json(),
            "text": line(finding, locale),
            "is_told": finding.key in told,
            "is_muted": is_muted(finding, mutes),
        }
        for finding in find(home, alerts.rules, now)
    ]
    n_waiting = Counter(entry["channel"] for entry in _waiting(folder))
    troubles = read_troubles(folder, alerts.channels)
    channels = [
        {
            "name": name, "n_waiting": n_waiting[name], "failing_since": trouble and trouble.since, "n_failures": trouble.n_failures if trouble else 0,
            "next_try_at": trouble and trouble.next_at, "problem": trouble and trouble.problem,
        }
        for name, trouble in ((name, troubles.get(name)) for name in sorted({*alerts.channels, *n_waiting}))
    ]  # fmt: skip
    lines = [f"{len(rows)} findings of {len(alerts.rules)} rules"]
    lines += [_told(trouble, n_waiting[name]) for name, trouble in sorted(troubles.items())]
    lines += [f"channel {name}: {n} wait" for name, n in sorted(n_waiting.items()) if name not in troubles]
    lines += [f"muted until {until.strftime('%Y-%m-%d %H:%M')} UTC: {what}" for what, until in sorted(mutes.items())]
    lines += [
        f"{'muted' if row['is_muted'] else 'told' if row['is_told'] else 'new':5s} {row['rule']}: {row['text'].splitlines()[0]}"
        for row in rows[:50]
    ]
    return {"findings": rows, "channels": channels, "mutes": mutes}, lines


def silence(home: Home, what: str, duration: timedelta, now: datetime) -> Answer:
    """Mute a rule, or one narrative, group or source.

    Raises:
        ConfigError: no rule is called so, and none finds such a subject.
    """
    alerts = read_rules(_rules_file(home))
    known = {rule.name for rule in alerts.rules}
    if what not in known and what not in {finding.subject for finding in find(home, alerts.rules, now)}:
        raise ConfigError(f"{what}: no rule ({', '.join(sorted(known))}) and nothing that a rule finds")
    with home.locked(_LOCK):
        until = mute(home.folder / "alerts", what, duration, now)
    return {"what": what, "until": until}, [f"{what} is not told until {until.strftime('%Y-%m-%d %H:%M')} UTC"]


def end_silence(home: Home, what: str, now: datetime) -> Answer:
    """End a mute; what was found meanwhile stays untold."""
    with home.locked(_LOCK):
        unmute(home.folder / "alerts", what, now)
    return {"what": what}, [f"{what} is told again"]


def drop(home: Home, channel: str, now: datetime) -> Answer:
    """Take what waits for a channel out of the outbox, unsent.

    Raises:
        ConfigError: nothing waits for a channel of this name.
    """
    folder = home.folder / "alerts"
    with home.locked(_LOCK):
        mine = [entry for entry in _waiting(folder) if entry["channel"] == channel]
        if not mine:
            raise ConfigError(f"nothing waits for a channel called {channel}")
        _note(folder, mine, now, dropped=True)
        _compact(folder)
    return {"channel": channel, "n_dropped": len(mine)}, [f"{len(mine)} alerts for {channel} dropped, unsent"]


def review(home: Home, n_days: int, now: datetime, locale: str = "en") -> Answer:
    """Return what the rules would have told over the last ``n_days``; sends nothing."""
    alerts = read_rules(_rules_file(home))
    told = past(home, alerts.rules, now - timedelta(days=n_days), now)
    days = by_day(told)
    lines = []
    for rule in alerts.rules:
        counts = days.get(rule.name, Counter())
        busiest = max(counts, key=lambda day: (counts[day], day), default=None)
        most = f", most on {busiest}: {counts[busiest]}" if busiest else ""
        of_rule = (
            f"{counts.total()} in {n_days} days{most}" if rule.when not in UNTOLD else "cannot be told of the past"
        )
        lines.append(f"{rule.name}: {of_rule}")
    rows: list[dict[str, Any]] = [
        {
            "at": at,
            "rule": finding.rule,
            "when": finding.when,
            "subject": finding.subject,
            "n_posts": n or None,
            "text": line(finding, locale),
        }
        for at, finding, n in told
    ]
    lines += [f"{row['at']:%Y-%m-%d %H:%M}  {row['rule']}: {row['text'].splitlines()[0]}" for row in rows[-50:]]
    return {"n_days": n_days, "alerts": rows, "by_day": days}, lines


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
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if file.read(1) not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
