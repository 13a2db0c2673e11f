"""Look addresses up in a bastau shield list without telling anybody: one file, nothing but the standard library.

    python prefix_client.py update FOLDER --from https://lists.example.org/shield/ --key RWQ...
    python prefix_client.py check FOLDER ADDRESS...          (- reads one a line from standard input)

The folder holds the first four bytes of the hash of every listed address. An address none of whose expressions begins like one is not
listed, and nobody was asked. Otherwise one of 256 small files is fetched, the same for everybody whose address begins so: the server
learns one byte of a hash. The list's signature (minisign, Ed25519), its version and its expiry are checked; what fails is an error.

`check` prints a JSON object a line and returns 0 when nothing is listed, 10 when something is, 2 when it cannot tell. What to do about a
listed address is for whoever asked: this shows the ground, the reason and where to appeal.

Reference: Safe Browsing API (v4), "URLs and hashing": canonicalization, suffix/prefix expressions; RFC 8032, section 5.1.7; minisign.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import threading
import time
import urllib.request
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

MAX_LENGTH = 8192
"""Longer addresses have no expressions."""
MAX_HOSTS = 5

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_SCHEME = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.\-]*://")
_IP_PART = re.compile(rb"0[xX][0-9a-fA-F]*|0[0-7]*|[1-9][0-9]*")
_DOTS = re.compile(rb"\.{2,}")
_SLASHES = re.compile(rb"/{2,}")
_PLAIN_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")


def safe_canonical(url: str | bytes) -> str | None:
    """Return the canonical form of an address, or None when it has no host or is too long.

    Escapes resolved until none is left and then written again; fragment, port, user name, tab and line ends gone;
    host in lower case (punycode if it was not ASCII) or as four decimal numbers; ``.``, ``..`` and double slashes of
    the path resolved.
    """
    raw = url if isinstance(url, bytes) else url.encode("utf-8", "surrogateescape")
    if len(raw) > MAX_LENGTH:
        return None
    raw = raw.strip(b" ").translate(None, b"\t\r\n").split(b"#", 1)[0]
    raw = _unescaped(raw)
    found = _SCHEME.match(raw)
    scheme, rest = (raw[: found.end() - 3].lower(), raw[found.end() :]) if found else (b"http", raw)
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, tail = rest[:cut], rest[cut:]
    host = _host(authority)
    if not host:
        return None
    path, mark, query = tail.partition(b"?")
    return (scheme + b"://" + _escaped(host) + _escaped(_path(path) + mark + query)).decode("ascii")


def _unescaped(raw: bytes) -> bytes:
    while True:  # each round that changes something shortens it
        plain = _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), raw)
        if plain == raw:
            return plain
        raw = plain


def _escaped(raw: bytes) -> bytes:
    return b"".join(b"%%%02X" % b if b <= 0x20 or b >= 0x7F or b in b"#%" else bytes([b]) for b in raw)


def _host(authority: bytes) -> bytes:
    host = re.sub(rb":\d*$", b"", authority.rpartition(b"@")[2])
    host = _ascii(_DOTS.sub(b".", host.strip(b"."))).strip(b".").lower()
    return _ip(host) or host


def _ascii(host: bytes) -> bytes:
    """Return a host that is not ASCII in punycode, where that is possible."""
    try:
        return host if host.isascii() else host.decode("utf-8").encode("idna")
    except UnicodeError:
        return host


def _ip(host: bytes) -> bytes | None:
    """Return ``host`` as four decimal numbers if it is an IPv4 address in any spelling that browsers take."""
    parts = host.split(b".")
    if len(parts) > 4 or not all(_IP_PART.fullmatch(part) for part in parts):
        return None
    numbers = [
        int(part[2:] or b"0", 16)
        if part[:2] == b"0x"
        else int(part, 8)
        if part[0] == 48 and len(part) > 1
        else int(part)
        for part in parts
    ]
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    octets = [*first, *last.to_bytes(4 - len(first), "big")]
    return b".".join(b"%d" % octet for octet in octets)


def _path(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for at, segment in enumerate(segments):
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
            continue
        if at == len(segments) - 1:
            kept.append(b"")  # a path that ends in dots is a folder
    return _SLASHES.sub(b"/", b"/" + b"/".join(kept))


def split_address(canonical: str) -> tuple[str, str, str]:
    """Return (host, path, "?query" or "") of a canonical address."""
    rest = canonical.partition("://")[2].partition("#")[0]
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    path, mark, query = rest[cut:].partition("?")
    return re.sub(r":\d*$", "", rest[:cut]), path or "/", mark + query


def host_suffixes(host: str) -> list[str]:
    """Return the host and up to four suffixes of it, of two to five labels."""
    if _PLAIN_IP.fullmatch(host):
        return [host]
    labels = host.split(".")
    first = max(1, len(labels) - 5)
    return [host, *(".".join(labels[at:]) for at in range(first, len(labels) - 1))][:MAX_HOSTS]


def folders(path: str) -> list[str]:
    """Return the root and up to three more folders of a path."""
    segments = path.split("/")[1:-1]
    return ["/", *("/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments) + 1))][:4]


def safe_expressions(canonical: str) -> list[str]:
    """Return the host-suffix path-prefix expressions of a :func:`safe_canonical` address, at most 30, most exact first."""
    host, path, query = split_address(canonical)
    paths = dict.fromkeys([path + query, path, *folders(path)]) if query else dict.fromkeys([path, *folders(path)])
    return [suffix + prefix for suffix in host_suffixes(host) for prefix in paths]


def safe_hashes(url: str) -> list[bytes]:
    """Return the SHA-256 of each expression of an address; none if it is no address."""
    canonical = safe_canonical(url)
    return [hashlib.sha256(e.encode()).digest() for e in safe_expressions(canonical)] if canonical else []


# ---- signatures ------------------------------------------------------------------------------------------

_P = 2**255 - 19
_Q = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


class ListError(Exception):
    """The list cannot be used: not signed by the key, changed on the way, older than the one held, or expired."""


def public_key(text: str) -> tuple[bytes, bytes]:
    """Return (key id, Ed25519 key) of a minisign public key: the line itself or the content of its file.

    Raises:
        ListError: it is none.
    """
    lines = [line for line in text.strip().splitlines() if line and not line.startswith("untrusted comment:")]
    try:
        raw = base64.b64decode(lines[0] if lines else "", validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 42 or raw[:2] != b"Ed":
        raise ListError("not a minisign public key")
    return raw[2:10], raw[10:]


def verify(data: bytes, signature: str, keys: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the trusted comment of a minisign signature of ``data`` by one of ``keys``.

    Raises:
        ListError: by none of them, or not of these bytes.
    """
    lines = signature.split("\n", 5)  # no more, whatever a server sends
    try:
        if len(lines) != 5 or lines[4] or not lines[0].startswith("untrusted comment: "):
            raise ValueError
        raw, whole = base64.b64decode(lines[1], validate=True), base64.b64decode(lines[3], validate=True)
        if [base64.b64encode(part).decode() for part in (raw, whole)] != [lines[1], lines[3]]:
            raise ValueError  # bits that decoding drops are changes too
    except ValueError:
        raise ListError("not a minisign signature") from None
    comment = lines[2].removeprefix("trusted comment: ")
    key = dict(keys).get(raw[2:10])
    if key is None:
        raise ListError("signed by another key")
    digest = hashlib.blake2b(data).digest()
    if raw[:2] != b"ED" or not _is_signed(key, digest, raw[10:]):
        raise ListError("the signature is not of these bytes")
    if comment == lines[2] or not _is_signed(key, raw[10:] + comment.encode(), whole):
        raise ListError("the comment of the signature was changed")
    return comment


def _is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether an Ed25519 signature is of ``message``; only public numbers, so time does not matter."""
    if len(signature) != 64:
        return False
    a, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _Q
    left, right = _times(s, _BASE), _sum(r, _times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


def _point(packed: bytes) -> _Point | None:
    y = int.from_bytes(packed, "little")
    is_odd, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and is_odd):
        return None
    if x % 2 != is_odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _sum(one: _Point, two: _Point) -> _Point:
    a, b = (one[1] - one[0]) * (two[1] - two[0]), (one[1] + one[0]) * (two[1] + two[0])
    c, d = 2 * one[3] * two[3] * _D, 2 * one[2] * two[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, point: _Point) -> _Point:
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        n >>= 1
    return total


_BASE: _Point = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or (0, 1, 1, 0)


# ---- the list --------------------------------------------------------------------------------------------

PREFIXES, SUMS = "prefixes.bin", "SHA256SUMS"
SHARDS = "full"
FORMAT = "bastau-prefixes/1"
MAX_BYTES = 64 << 20
MAX_S = 300
"""Longer no file may take; a line of 2 Mbit/s brings the largest."""
_SAME_SITE = ("www.", "m.", "mobile.", "amp.", "touch.")
Fetch = Callable[[str], bytes]


def read_prefixes(data: bytes) -> "tuple[dict[str, Any], array[int]]":
    """Return (header, sorted prefixes as numbers) of a prefix file: a line of JSON, then four bytes each, big-endian.

    Raises:
        ListError: it is none, or cut short.
    """
    line, _, packed = data.partition(b"\n")
    try:
        header = json.loads(line)
        whole = header["format"] == FORMAT and len(packed) == 4 * header["n_prefixes"]
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise ListError(f"{PREFIXES}: not a list of prefixes, or cut short")
    prefixes = array("I", packed)
    if sys.byteorder == "little":
        prefixes.byteswap()
    return header, prefixes


def read_sums(text: str) -> dict[str, str]:
    """Return {file: SHA-256} of a list's signed table of contents, lines as ``sha256sum`` writes them."""
    pairs = (line.partition("  ") for line in text.splitlines())
    return {name: digest for digest, _, name in pairs}


def hits(url: str, prefixes: "array[int]") -> list[tuple[str, bytes]]:
    """Return (expression, SHA-256) of the expressions of an address that begin like a listed one; asks nobody."""
    canonical = safe_canonical(url)
    if canonical is None:
        return []
    found = []
    for expression in safe_expressions(canonical):
        digest = hashlib.sha256(expression.encode()).digest()
        prefix = int.from_bytes(digest[:4], "big")
        at = bisect_left(prefixes, prefix)
        if at < len(prefixes) and prefixes[at] == prefix:
            found.append((expression, digest))
    return found


def shard_name(digest: bytes) -> str:
    """Return the file in which the full hashes that begin with the same byte stand."""
    return f"{SHARDS}/{digest[:1].hex()}.json"


def covers(entry: dict[str, Any], expression: str, host: str) -> bool:
    """Tell whether an entry found under ``expression`` means an address on ``host``.

    A domain means every host below it, a host and a page those under the usual names of their site only.
    """
    named = expression.partition("/")[0]
    return entry["kind"] == "domain" or host == named or any(host == beginning + named for beginning in _SAME_SITE)


class Client:
    """A list in a folder of one's own, with the key that it must be signed by.

    ``n_asked`` counts looks at the server.
    """

    def __init__(self, folder: Path, fetch: Fetch | None = None) -> None:
        self.folder = folder
        try:
            self.about = json.loads((folder / "client.json").read_text("utf-8"))
            data = (folder / PREFIXES).read_bytes()
            self.sums = read_sums((folder / SUMS).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ListError(f"{folder}: no list here; update first") from error
        if hashlib.sha256(data).hexdigest() != self.sums.get(PREFIXES):
            raise ListError(f"{folder}: damaged, or an update was cut short; update again")
        self.header, self.prefixes = read_prefixes(data)
        self.fetch = fetch or fetch_file
        self.n_asked = 0

    def look_up(self, url: str, now: datetime) -> list[dict[str, Any]]:
        """Return the entries that mean an address, most exact first.

        Raises:
            ListError: the list has expired, or the server gives what was not signed.
            OSError: the server was needed and did not answer.
        """
        if now >= datetime.fromisoformat(self.header["valid_until"]):
            raise ListError(f"the list was valid until {self.header['valid_until']}; update it")
        found = []
        for expression, digest in hits(url, self.prefixes):
            host = split_address(safe_canonical(url) or "")[0]
            for entry in self._shard(shard_name(digest)):
                until = datetime.fromisoformat(entry["expires_at"])
                if entry["hash"] == digest.hex() and now < until and covers(entry, expression, host):
                    found.append(entry)
        return found

    def _shard(self, name: str) -> list[dict[str, Any]]:
        """Return the entries whose hash begins with one byte: fetched once for each version of the list."""
        path, wanted = self.folder / name, self.sums.get(name)
        if wanted is None:
            return []
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            self.n_asked += 1
            data = self.fetch(self.about["from"] + name)
            if hashlib.sha256(data).hexdigest() != wanted:
                raise ListError(f"{name}: not what was signed; update, and tell the publisher if it stays so")
            path.parent.mkdir(exist_ok=True)
            _write(path, data)
        entries: list[dict[str, Any]] = json.loads(path.read_bytes())
        return entries


def update(folder: Path, address: str, key: str, now: datetime, fetch: Fetch | None = None) -> int:
    """Fetch the list into ``folder``; return its version. What is held stays when anything is wrong.

    Raises:
        ListError: not signed by ``key``, changed on the way, older than what is held, or expired.
        OSError: the server did not answer.
    """
    get = fetch or fetch_file
    base = address.rstrip("/") + "/"
    sums_raw = get(base + SUMS)
    _verify_sums(sums_raw, base, get, public_key(key))
    sums = read_sums(sums_raw.decode("utf-8"))
    data = get(base + PREFIXES)
    if hashlib.sha256(data).hexdigest() != sums.get(PREFIXES):
        raise ListError(f"{PREFIXES}: not what was signed; try again in a minute, the list may be changing just now")
    header, _ = read_prefixes(data)
    if now >= datetime.fromisoformat(header["valid_until"]):
        raise ListError(f"the list there was valid until {header['valid_until']}")
    if _held_version(folder) > header["version"]:
        raise ListError("the list there is older than the one held")
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / PREFIXES, data)
    _write(folder / SUMS, sums_raw)
    _write(folder / "client.json", json.dumps({"from": base, "key": key.strip().splitlines()[-1]}).encode())
    return int(header["version"])


def _held_version(folder: Path) -> int:
    """Return the version held, 0 if there is none or it is damaged: nothing else could replace that."""
    try:
        return int(read_prefixes((folder / PREFIXES).read_bytes())[0]["version"])
    except (OSError, ListError):
        return 0


def _verify_sums(sums: bytes, base: str, get: Fetch, key: tuple[bytes, bytes]) -> None:
    """Verify the signature of the key in force or, while that is being replaced, of the one before."""
    signature = get(base + SUMS + ".minisig").decode("utf-8", "replace")
    try:
        verify(sums, signature, [key])
    except ListError as error:
        try:
            old = get(base + SUMS + ".old.minisig").decode("utf-8", "replace")
        except OSError:
            raise error from None
        verify(sums, old, [key])


def fetch_file(address: str) -> bytes:
    """Return what an http or https address holds.

    Raises:
        ListError: the address is of another kind, or its answer too large.
        OSError: no answer, none that is HTTP, one slower than ``MAX_S``, or one that sends us on from https to something weaker.
    """
    if not address.startswith(("http://", "https://")):
        raise ListError(f"{address}: not an http or https address")
    end, found = time.monotonic() + MAX_S, []
    # In a thread of its own, since a server that drips its headers keeps a socket's own timeout from ever passing.
    fetching = threading.Thread(target=lambda: found.append(_fetched(address, end)), daemon=True)
    fetching.start()
    fetching.join(MAX_S)
    if not found:
        raise TimeoutError(f"{address}: not whole after {MAX_S} s")
    if isinstance(found[0], bytes):
        return found[0]
    raise found[0]


def _fetched(address: str, end: float) -> "bytes | ListError | OSError":
    data = bytearray()
    try:
        with urllib.request.build_opener(_NoWeaker).open(address, timeout=30) as answer:
            while piece := answer.read1(1 << 16):
                data += piece
                if len(data) > MAX_BYTES:
                    return ListError(f"{address}: more than {MAX_BYTES >> 20} MB")
                if time.monotonic() > end:
                    return TimeoutError(f"{address}: not whole after {MAX_S} s")
    except OSError as error:
        return error
    except (HTTPException, ValueError) as error:  # the latter from an address that the server sends us on to
        return OSError(f"{address}: {type(error).__name__} {error}")
    return bytes(data)


class _NoWeaker(urllib.request.HTTPRedirectHandler):
    """Follows nothing but http and https, and from https only https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the request that follows a redirect."""
        if not newurl.lower().startswith("https://" if req.type == "https" else ("http://", "https://")):
            fp.close()
            raise OSError(f"{req.full_url}: sends us on to {newurl}, which is weaker")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _kept(folder: Path) -> dict[str, Any]:
    """Return the address and the key of the last update, nothing before the first or if they are damaged."""
    try:
        kept: dict[str, Any] = json.loads((folder / "client.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    acts = parser.add_subparsers(dest="act", required=True)
    updated = acts.add_parser("update", help="fetch the list and check its signature")
    updated.add_argument("folder", type=Path)
    updated.add_argument("--from", dest="address", help="where the list is published; kept for later")
    updated.add_argument("--key", help="its minisign public key, got by another way than the list; kept for later")
    checked = acts.add_parser("check", help="look addresses up")
    checked.add_argument("folder", type=Path)
    checked.add_argument("addresses", nargs="+", metavar="ADDRESS")
    options = parser.parse_args(arguments)
    say = sys.stdout.write
    try:
        if options.act == "update":
            kept = _kept(options.folder)
            address, key = options.address or kept.get("from"), options.key or kept.get("key")
            if not address or not key:
                raise ListError("say --from and --key the first time")
            say(f"version {update(options.folder, address, key, datetime.now(UTC))}\n")
            return 0
        client = Client(options.folder)
        n_listed = 0
        addresses = (line.strip() for line in sys.stdin) if options.addresses == ["-"] else options.addresses
        for address in addresses:
            entries = client.look_up(address, datetime.now(UTC))  # standard input may stay open for days
            n_listed += bool(entries)
            told = {"url": address, "listed": bool(entries), "entries": entries}
            say(json.dumps({**told, "appeal": client.header["appeal"]} if entries else told, ensure_ascii=False) + "\n")
    except (ListError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 10 if n_listed else 0


if __name__ == "__main__":
    sys.exit(main())
