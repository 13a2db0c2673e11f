"""The ways out: e-mail, signed webhook, notification services, a feed in a file."""

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bastau.alerts.findings import Finding
from bastau.alerts.rules import Channel
from bastau.alerts.texts import body, line, title
from bastau.errors import BastauError, ConfigError, SourceUnavailable
from bastau.network import Busy, Client, NetworkLimits, read_secret, shown
from bastau.xml_text import xml_text

TIMEOUT_S = 30.0
MAX_FEED = 200
"""Entries that the feed keeps."""


def send(channel: Channel, findings: Sequence[Finding], now: datetime, *, home: Path, allow_private: bool) -> None:
    """Send findings as one message.

    Raises:
        SourceUnavailable: the other side did not take it; trying again may help.
        ConfigError: the channel cannot be used as it is written.
    """
    ways: dict[str, Callable[..., None]] = {"email": _email, "webhook": _webhook, "apprise": _apprise, "feed": _feed}
    ways[channel.kind](channel, findings, now, home=home, allow_private=allow_private)


def message_key(findings: Sequence[Finding]) -> str:
    """Return the key of a message: the same when the same is sent again."""
    return hashlib.sha256("".join(sorted(finding.key for finding in findings)).encode()).hexdigest()[:32]


def _email(channel: Channel, findings: Sequence[Finding], now: datetime, **_: Any) -> None:
    values = channel.values
    host, _separator, port = str(values["server"]).partition(":")
    tls = values.get("tls", "starttls")
    trusted = ssl.create_default_context()  # what smtplib makes by itself takes any certificate
    try:
        message = _message(channel, findings, now)
        with (
            smtplib.SMTP_SSL(host, int(port or 465), timeout=TIMEOUT_S, context=trusted)
            if tls == "tls"
            else smtplib.SMTP(host, int(port or 587), timeout=TIMEOUT_S)
        ) as server:
            if tls == "starttls":
                server.starttls(context=trusted)
            if values.get("user"):
                server.login(str(values["user"]), read_secret(values.get("password")) or "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise SourceUnavailable(
            f"channel {channel.name}: {host} did not take the message ({type(error).__name__})"
        ) from error


def _message(channel: Channel, findings: Sequence[Finding], now: datetime) -> EmailMessage:
    values = channel.values
    message = EmailMessage()
    message["From"], message["Subject"] = str(values["from"]), " ".join(title(findings, channel.locale).split())
    message["To"] = ", ".join(values["to"]) if isinstance(values["to"], list) else str(values["to"])
    message["Date"] = formatdate(now.timestamp())
    message["Message-ID"] = f"<{message_key(findings)}@bastau>"
    message.set_content(body(findings, channel.locale))
    return message


def signature(secret: str, at: str, data: bytes) -> str:
    """Return the signature of a webhook: HMAC-SHA-256 over time, a dot and the body.

    Receivers compute the same, compare in constant time, and refuse times more than five minutes away (replay).
    """
    return "sha256=" + hmac.new(secret.encode(), at.encode() + b"." + data, hashlib.sha256).hexdigest()


def _webhook(channel: Channel, findings: Sequence[Finding], now: datetime, *, allow_private: bool, **_: Any) -> None:
    address = str(channel.values["address"])
    told = [{**finding.as_json(), "text": line(finding, channel.locale)} for finding in findings]
    data = json.dumps({"sent_at": now.isoformat(), "findings": told}, ensure_ascii=False).encode()
    at = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json", "User-Agent": "bastau", "Idempotency-Key": message_key(findings), "X-Bastau-Timestamp": at,
        "X-Bastau-Signature": signature(read_secret(channel.values["secret"]) or "", at, data),
    }  # fmt: skip
    # No redirects: one would take the message to an address that nobody chose. One try: what is not taken waits for the next run.
    limits = NetworkLimits(allow_private, TIMEOUT_S, 2 * TIMEOUT_S, max_bytes=1 << 20, max_redirects=0, tries=1)
    try:
        Client(limits).request("POST", address, headers, data)
    except BastauError as error:
        # Paths of webhooks hold keys: the host alone is told.
        reason = str(error).replace(shown(address), urlsplit(address).hostname or "the address")
        reason = f"channel {channel.name}: {reason}"
        raise Busy(reason, error.retry_after_s) if isinstance(error, Busy) else type(error)(reason) from error


def _apprise(channel: Channel, findings: Sequence[Finding], _now: datetime, **_: Any) -> None:
    try:
        import apprise
    except ImportError as error:
        raise ConfigError("notification services need more libraries: pip install 'bastau[watch]'") from error
    service = apprise.Apprise()
    if not service.add(read_secret(str(channel.values["address"])) or ""):
        raise ConfigError(
            f"channel {channel.name}: its address is none that apprise knows (ntfy://, matrix://, tgram://, ...)"
        )
    if not service.notify(title=title(findings, channel.locale), body=body(findings, channel.locale)):
        raise SourceUnavailable(f"channel {channel.name}: the service did not take the message")


def _feed(channel: Channel, findings: Sequence[Finding], now: datetime, *, home: Path, **_: Any) -> None:
    """Put entries at the head of an Atom file; one that is there already stays once."""
    path = home / str(channel.values["file"])
    entries = [_entry(finding, channel.locale, now) for finding in reversed(findings[-MAX_FEED:])]
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        old = ["<entry>" + part.split("</entry>", 1)[0] + "</entry>" for part in before.split("<entry>")[1:]]
        ids = {finding.key for finding in findings}
        kept = [entry for entry in old if not any(f"urn:bastau:{key}<" in entry for key in ids)]
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>bastau</title><id>urn:bastau:alerts</id>'
            f"<updated>{_rfc3339(now)}</updated>\n" + "\n".join([*entries, *kept][:MAX_FEED]) + "\n</feed>\n"
        )
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"channel {channel.name}: {path} cannot be written: {error.strerror}") from error


def _entry(finding: Finding, locale: str, now: datetime) -> str:
    text = line(finding, locale)
    return (
        f"<entry><id>urn:bastau:{finding.key}</id><title>{xml_text(text.splitlines()[0])}</title><updated>{_rfc3339(now)}</updated>"
        f"<author><name>bastau</name></author><content>{xml_text(text)}</content></entry>"
    )


def _rfc3339(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
