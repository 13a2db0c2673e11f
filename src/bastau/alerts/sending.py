"""The ways out: e-mail, signed webhook, notification services, a feed in a file."""

import hashlib
import hmac
import html
import json
import smtplib
import socket
import urllib.error
import urllib.request
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
from bastau.errors import ConfigError, SourceUnavailable
from bastau.known_lists.network import read_secret
from bastau.public_addresses import is_public

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
    message = EmailMessage()
    message["From"], message["Subject"] = str(values["from"]), " ".join(title(findings, channel.locale).split())
    message["To"] = ", ".join(values["to"]) if isinstance(values["to"], list) else str(values["to"])
    message["Date"] = formatdate(now.timestamp())
    message["Message-ID"] = f"<{message_key(findings)}@bastau>"
    message.set_content(body(findings, channel.locale))
    tls = values.get("tls", "starttls")
    try:
        kind = smtplib.SMTP_SSL if tls == "tls" else smtplib.SMTP
        with kind(host, int(port or (465 if tls == "tls" else 587)), timeout=TIMEOUT_S) as server:
            if tls == "starttls":
                server.starttls()
            if values.get("user"):
                server.login(str(values["user"]), read_secret(values.get("password")) or "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise SourceUnavailable(
            f"channel {channel.name}: {host} did not take the message ({type(error).__name__})"
        ) from error


def signature(secret: str, at: str, data: bytes) -> str:
    """Return the signature of a webhook: HMAC-SHA-256 over time, a dot and the body.

    Receivers compute the same, compare in constant time, and refuse times more than five minutes away (replay).
    """
    return "sha256=" + hmac.new(secret.encode(), at.encode() + b"." + data, hashlib.sha256).hexdigest()


def _webhook(channel: Channel, findings: Sequence[Finding], now: datetime, *, allow_private: bool, **_: Any) -> None:
    address = str(channel.values["address"])
    _check_address(channel, address, allow_private=allow_private)
    shown = [{**finding.as_json(), "text": line(finding, channel.locale)} for finding in findings]
    data = json.dumps({"sent_at": now.isoformat(), "findings": shown}, ensure_ascii=False).encode()
    at = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json", "User-Agent": "bastau", "Idempotency-Key": message_key(findings), "X-Bastau-Timestamp": at,
        "X-Bastau-Signature": signature(read_secret(channel.values["secret"]) or "", at, data),
    }  # fmt: skip
    request = urllib.request.Request(address, data, headers, method="POST")  # noqa: S310 - scheme checked
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1024)
    except (OSError, urllib.error.URLError) as error:
        code = getattr(error, "code", None)
        raise SourceUnavailable(
            f"channel {channel.name}: {urlsplit(address).hostname} did not take it ({code or type(error).__name__})"
        ) from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the message to an address nobody checked."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _check_address(channel: Channel, address: str, *, allow_private: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname or (parts.scheme == "http" and not allow_private):
        raise ConfigError(f"channel {channel.name}: address must begin with https://")
    if allow_private:
        return
    try:
        found = {
            str(info[4][0]) for info in socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        }
    except OSError as error:
        raise SourceUnavailable(f"channel {channel.name}: {parts.hostname} is not found") from error
    if not all(is_public(ip) for ip in found):
        raise ConfigError(
            f"channel {channel.name}: {parts.hostname} is a private address; [network] allow_private allows it"
        )


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
    entries = [_entry(finding, channel.locale, now) for finding in findings]
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
        f"<entry><id>urn:bastau:{finding.key}</id><title>{html.escape(text.splitlines()[0])}</title><updated>{_rfc3339(now)}</updated>"
        f"<author><name>bastau</name></author><content>{html.escape(text)}</content></entry>"
    )


def _rfc3339(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
