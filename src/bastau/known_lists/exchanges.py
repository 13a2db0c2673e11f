"""Exchanges: the Tech Against Terrorism hash list, and banks of a Hasher-Matcher-Actioner server (HMA).

Both were written against the public clients and servers of the ThreatExchange repository; the tests serve their
answers from a local server.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urljoin

from bastau.errors import ConfigError, SourceChanged
from bastau.known_lists.formats import ListedItem, Rejects
from bastau.network import Client, NotThere, shown
from bastau.read.known_signals import checked_value, signal_name

TAT_ADDRESS = "https://beta.terrorismanalytics.org/"
_MAX_PAGES = 100_000
_HMA_GAP = 200
"""Ids in a row that are missing from an HMA server before a walk through its banks ends."""
HMA_SIGNALS = {"pdq": "pdq", "video_md5": "md5", "vmd5": "md5", "url": "url", "raw_text": "text", "vpdq": "vpdq"}


@dataclass
class Fetched:
    """What a fetch gives beside its entries, complete when they have been read.

    Args:
        rejects: entries of kinds that cannot be matched, by reason; "lines" are counts of entries seen.
        checkpoint: where the next fetch goes on.
        n_read: entries seen.
    """

    rejects: Rejects = field(default_factory=Rejects)
    checkpoint: str | None = None
    n_read: int = 0


# ---- Tech Against Terrorism ----------------------------------------------------------------------------


def fetch_tat(
    client: Client, address: str, secret: str | None, checkpoint: str | None
) -> tuple[Iterator[ListedItem], Fetched]:
    """Read the hash list of Tech Against Terrorism from ``checkpoint`` on: changes, with ``deleted`` among them.

    Args:
        client: makes the requests.
        address: of the service.
        secret: ``user:password``.
        checkpoint: as the fetch before left it; None for the whole list.

    Raises:
        ConfigError: no or wrong credentials.
    """
    if not secret or ":" not in secret:
        raise ConfigError("Tech Against Terrorism needs a secret of the form user:password")
    fetched = Fetched(checkpoint=checkpoint)
    return _tat_items(client, address, secret, fetched), fetched


def _tat_items(client: Client, address: str, secret: str, fetched: Fetched) -> Iterator[ListedItem]:
    base = address.rstrip("/") + "/"
    user, _, password = secret.partition(":")
    answer = client.post_json(urljoin(base, "token-auth/tcap/"), {"username": user, "password": password})
    token = answer.get("token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isprintable():
        raise SourceChanged(f"{shown(base)}: gives no token")
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(_MAX_PAGES):
        query = urlencode({"order": "asc", "after": fetched.checkpoint or ""})
        page = client.get_json(urljoin(base, f"api/hash-list/v2/all?{query}"), headers)
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise SourceChanged(f"{shown(base)}: a page of the hash list has no results")
        yield from _tat_page(page["results"], fetched)
        reached = page.get("checkpoint")
        if not page.get("next"):
            fetched.checkpoint = str(reached) if reached else fetched.checkpoint
            return
        if not isinstance(reached, str) or reached == fetched.checkpoint:
            raise SourceChanged(f"{shown(base)}: a page of the hash list leads back to itself")
        fetched.checkpoint = reached
    raise SourceChanged(f"{shown(base)}: the hash list has no end")


def _tat_page(results: list[Any], fetched: Fetched) -> Iterator[ListedItem]:
    for row in results:
        fetched.n_read += 1
        kind, value = (row.get("algorithm"), row.get("hash_digest")) if isinstance(row, dict) else (None, None)
        named = signal_name(kind) if isinstance(kind, str) else None
        if named is None or not isinstance(value, str):
            fetched.rejects.add(fetched.n_read, "unknown_signal" if named is None else "no_value")
            continue
        checked, reason = checked_value(named, value)
        if reason:
            fetched.rejects.add(fetched.n_read, reason)
            continue
        notes = [str(row[name]) for name in ("ideology", "file_type") if row.get(name)]
        given_id = f"tat:{row['id']}" if row.get("id") is not None else None
        yield ListedItem(named, checked, given_id, bool(row.get("deleted")), ", ".join(notes) or None)


# ---- HMA -----------------------------------------------------------------------------------------------


def fetch_hma(client: Client, address: str, bank: str, secret: str | None) -> tuple[Iterator[ListedItem], Fetched]:
    """Read one bank of an HMA server, item by item, since it offers no list of a bank's content.

    Args:
        client: makes the requests.
        address: of the server.
        bank: name of the bank.
        secret: key sent as a bearer token, for servers that ask for one.

    Raises:
        ConfigError: the server has no such bank.
    """
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    fetched = Fetched()
    return _hma_items(client, address.rstrip("/") + "/", bank, headers, fetched), fetched


def _hma_items(client: Client, base: str, bank: str, headers: dict[str, str], fetched: Fetched) -> Iterator[ListedItem]:
    path = f"c/bank/{quote(bank, safe='')}"
    answer = client.get_json(urljoin(base, path), headers)
    if not isinstance(answer, dict) or answer.get("name") != bank:
        raise SourceChanged(f"{shown(base)}: does not describe the bank")
    gap, content_id = 0, 0
    while gap < _HMA_GAP:
        content_id += 1
        try:
            held = client.get_json(urljoin(base, f"{path}/content/{content_id}?include_signals=true"), headers)
        except NotThere:
            gap += 1
            continue
        gap = 0
        if not isinstance(held, dict):
            raise SourceChanged(f"{shown(base)}: an item of a bank is none")
        if (held.get("bank") or {}).get("name") != bank:
            continue  # ids run through all banks of a server
        yield from _hma_item(held, content_id, fetched)


def _hma_item(held: dict[str, Any], content_id: int, fetched: Fetched) -> Iterator[ListedItem]:
    fetched.n_read += 1
    signals = held.get("signals")
    if not isinstance(signals, dict) or not signals:
        fetched.rejects.add(content_id, "no_value")
        return
    # 1 is enabled, 0 disabled, anything else the second from which it is enabled again.
    is_disabled = held.get("disable_until_ts", 1) != 1
    for kind, value in signals.items():
        named = HMA_SIGNALS.get(kind) or signal_name(kind)
        if named is None or not isinstance(value, str):
            fetched.rejects.add(content_id, "unknown_signal")
            continue
        checked, reason = checked_value(named, _hma_vpdq(value) if named == "vpdq" else value)
        if reason:
            fetched.rejects.add(content_id, reason)
        else:
            yield ListedItem(named, checked, f"hma:{content_id}", is_disabled)


def _hma_vpdq(value: str) -> str:
    """Return the frames of HMA's JSON list of ``hash,quality,second`` or of frame lines."""
    try:
        frames = json.loads(value)
    except ValueError:
        return value
    return ";".join(str(frame) for frame in frames) if isinstance(frames, list) else value


def look_up_hma(
    client: Client, address: str, signal: str, value: str, secret: str | None = None
) -> list[tuple[str, str | None, str | None]]:
    """Ask an HMA server for one hash; return (bank, content id, distance) of each match.

    This tells the server what was looked for. Older servers answer with bank names only.
    """
    hma_name = next((theirs for theirs, ours in HMA_SIGNALS.items() if ours == signal), signal)
    query = urlencode({"signal_type": hma_name, "signal": value})
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    answer = client.get_json(urljoin(address.rstrip("/") + "/", f"m/lookup?{query}"), headers)
    if isinstance(answer, list):
        return [(str(bank), None, None) for bank in answer]
    if not isinstance(answer, dict) or not all(isinstance(found, list) for found in answer.values()):
        raise SourceChanged(f"{shown(address)}: answers a look-up in no known form")
    return [
        (bank, str(match.get("bank_content_id")), str(match.get("distance")))
        for bank, matches in answer.items()
        for match in matches
        if isinstance(match, dict)
    ]


def push_hma(client: Client, address: str, bank: str, item: ListedItem, secret: str | None = None) -> str:
    """Add one entry to a bank of an HMA server; return its content id there."""
    hma_name = next((theirs for theirs, ours in HMA_SIGNALS.items() if ours == item.signal), item.signal)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    path = f"c/bank/{quote(bank, safe='')}/signal"
    answer = client.post_json(urljoin(address.rstrip("/") + "/", path), {hma_name: item.value}, headers)
    if not isinstance(answer, dict) or "id" not in answer:
        raise SourceChanged(f"{shown(address)}: takes a signal and gives no id")
    return str(answer["id"])
