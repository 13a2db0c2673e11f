"""What the commands about lists do; each returns (answer, lines to show)."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow.fs as pafs

from bastau.errors import BastauError, ConfigError
from bastau.hashing import hash_string
from bastau.home import Home
from bastau.known_lists.exchanges import TAT_ADDRESS, fetch_hma, fetch_tat
from bastau.known_lists.formats import ListedItem, Rejects, format_items, read_list
from bastau.known_lists.store import ListInfo, ListStore, Origin, check_info
from bastau.lake import write_whole
from bastau.network import Client, NetworkLimits, read_secret, shown
from bastau.read.images import FileHashes, ImageHash, MediaLimits, hash_file
from bastau.read.known_index import KnownIndex, find_video
from bastau.read.known_keys import MD5_SEED, SHA256_SEED
from bastau.read.known_pdq import MIN_QUALITY, format_vpdq
from bastau.read.known_text import TextThresholds

STALE_DAYS = 30
"""Lists that nobody has looked at for so long are marked: what was right then may be deleted now."""
Answer = tuple[dict[str, Any], list[str]]


def store_of(home: Home) -> ListStore:
    """Return the lists of a home folder."""
    return ListStore(home.folder / "lists")


@dataclass(frozen=True)
class ListOptions:
    """What may be said of a list when it is added; None leaves it as it is (or as usual, at first).

    Args:
        is_negative: a bank of legitimate uses.
        publisher: who answers for it.
        ground: legal or policy ground, or licence.
        format: of the file.
        signal: what bare values are.
        bank: of an HMA server.
        secret: ``env:NAME`` or ``file:PATH``.
        pdq_distance: bits in which a picture may differ.
        containment: share of a text's fingerprints that must be found.
    """

    is_negative: bool | None = None
    publisher: str | None = None
    ground: str | None = None
    format: str | None = None
    signal: str | None = None
    bank: str | None = None
    secret: str | None = None
    pdq_distance: int | None = None
    containment: float | None = None


def add(
    home: Home,
    target: str,
    name: str,
    options: ListOptions,
    *,
    now: datetime,
    limits: NetworkLimits | None = None,
) -> Answer:
    """Add a list from a file, an address or an exchange, or read one of that name again from its beginning.

    Args:
        home: where it is kept.
        target: path, ``https://`` address, ``tat`` or ``tat:ADDRESS``, ``hma:ADDRESS``.
        name: of the list.
        options: what it is.
        now: time of the update.
        limits: of fetching.

    Raises:
        ConfigError: no such file, an address that is not allowed, no ground, or nothing in it.
    """
    store = store_of(home)
    origin = _origin(target, options)
    with home.locked():
        before = store.info(name) if name in store.names() else ListInfo(name)
        info = _with_options(replace(before, origin=origin), options)
        if not info.is_negative and not info.ground.strip():
            raise ConfigError(f"list {name}: say on which legal or policy ground its entries count, with --ground")
        return _updated(store, info, now, Client(limits or NetworkLimits()))


def sync(home: Home, names: Sequence[str] = (), *, now: datetime, limits: NetworkLimits | None = None) -> Answer:
    """Bring lists up to date from where they came; one that fails does not stop the others.

    Args:
        home: where they are kept.
        names: of lists; none for all.
        now: time of the update.
        limits: of fetching.

    Raises:
        BastauError: the error of the only list, or of the first of several if all failed.
    """
    store = store_of(home)
    client = Client(limits or NetworkLimits())
    answers: list[dict[str, Any]] = []
    lines: list[str] = []
    errors: list[BastauError] = []
    with home.locked():
        chosen = list(names) or store.names()
        for name in chosen:
            try:
                answer, more = _updated(store, store.info(name), now, client)
                answers.append(answer)
                lines += more
            except BastauError as error:
                errors.append(error)
                answers.append({"list": name, "error": str(error)})
                lines.append(f"{name}: {error}")
    if errors and len(errors) == len(chosen):
        raise errors[0]
    return {"lists": answers}, lines or ["no lists yet; `bastau lists add FILE --name NAME --ground ...` makes one"]


def show(home: Home, *, now: datetime) -> Answer:
    """Return every list with its counts, provenance and age."""
    rows = [_row(info, now) for info in store_of(home).infos()]
    lines = []
    for row in rows:
        counts = ", ".join(f"{n:,} {signal}" for signal, n in sorted(row["counts"].items())) or "empty"
        kind = "negative bank" if row["is_negative"] else "list"
        lines.append(f"{row['name']} ({kind}, version {row['version']}): {counts}; {row['n_deleted']:,} deleted")
        lines.append(f"  by {row['publisher'] or 'nobody named'}; ground: {row['ground'] or 'none'}")
        stale = " - bring it up to date" if row["is_stale"] else ""
        lines.append(f"  from {row['from']}, {row['age_days']} days ago{stale}")
    return {"lists": rows}, lines or ["no lists yet; `bastau lists add FILE --name NAME --ground ...` makes one"]


def export(home: Home, name: str, path: Path, format_: str) -> Answer:
    """Write a list as a file: ``lines``, ``pytx``, ``csv`` or ``ndjson``.

    Raises:
        ConfigError: no such list or format.
    """
    store = store_of(home)
    info = store.info(name)
    pieces = format_items(format_, store.items(name))
    first = next(pieces, "")  # a wrong format is said before a file is begun

    def body(sink: Any) -> None:
        sink.write(first.encode())
        for piece in pieces:
            sink.write(piece.encode())

    write_whole(pafs.LocalFileSystem(), str(path.absolute()), body)
    answer = {"list": name, "file": str(path), "format": format_, "n_entries": info.n_entries}
    return answer, [f"{path}: {info.n_entries:,} entries of {name}"]


def remove(home: Home, name: str) -> Answer:
    """Delete a list and all that is known of it."""
    with home.locked():
        info = store_of(home).remove(name)
    return {"list": name, "n_entries": info.n_entries}, [f"{name}: removed, {info.n_entries:,} entries"]


# ---- reading one list from where it comes --------------------------------------------------------------


def _origin(target: str, options: ListOptions) -> Origin:
    kind, _, rest = target.partition(":")
    common = {"format": options.format, "signal": options.signal, "secret": options.secret}
    if kind == "tat":
        return Origin("tat", rest or TAT_ADDRESS, **common)
    if kind == "hma":
        if not options.bank:
            raise ConfigError("an HMA server has many banks: name one with --bank")
        return Origin("hma", rest, bank=options.bank, **common)
    if kind in ("https", "http") and rest.startswith("//"):
        return Origin("address", target, **common)
    return Origin("file", str(Path(target).absolute()), **common)


def _with_options(info: ListInfo, options: ListOptions) -> ListInfo:
    given = {
        "is_negative": options.is_negative,
        "publisher": options.publisher,
        "ground": options.ground,
        "pdq_distance": options.pdq_distance,
    }
    info = replace(info, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    if options.containment is not None:
        info = replace(info, text=replace(info.text or TextThresholds(), containment=options.containment))
    check_info(info)
    return info


@dataclass(frozen=True)
class _Source:
    """Where one update reads from; ``rejects`` and ``checkpoint`` are complete when ``items`` have been read."""

    items: "_Reached"
    rejects: Rejects
    is_whole: bool = True
    provenance: dict[str, Any] = field(default_factory=dict)
    checkpoint: Callable[[], str | None] = lambda: None


def _opened(origin: Origin, client: Client, stack: ExitStack) -> _Source:
    secret = read_secret(origin.secret)
    if origin.kind == "tat":
        items, fetched = fetch_tat(client, origin.address, secret, origin.checkpoint)
        is_whole = origin.checkpoint is None
        return _Source(_Reached(items), fetched.rejects, is_whole, checkpoint=lambda: fetched.checkpoint)
    if origin.kind == "hma":
        items, fetched = fetch_hma(client, origin.address, origin.bank or "", secret)
        return _Source(_Reached(items), fetched.rejects)
    path = Path(origin.address)
    if origin.kind == "address":
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bastau-list-"))
        path = Path(folder) / f"list{_suffix(origin.address)}"
        with path.open("w+b") as file:
            client.get_to_file(origin.address, file, {"Authorization": f"Bearer {secret}"} if secret else {})
    digest = _sha256(path)
    format_, items, rejects = read_list(path, format_=origin.format, signal=origin.signal)
    return _Source(_Reached(items), rejects, provenance={"format": format_, "sha256": digest})


def _updated(store: ListStore, info: ListInfo, now: datetime, client: Client) -> Answer:
    """Read a list from its origin and put the new version in force."""
    origin = info.origin
    if origin is None:
        raise ConfigError(f"list {info.name} has no origin to be read from")
    with ExitStack() as stack:
        source = _opened(origin, client, stack)

        def provenance() -> dict[str, Any]:
            if not source.items.n and source.is_whole:
                # An empty answer is an accident more often than an empty list, and must not delete everything.
                why = ", ".join(f"{n:,} {reason}" for reason, n in source.rejects.counts.most_common())
                raise ConfigError(f"{_shown_origin(origin)}: holds no entry ({why or 'it is empty'})")
            n_rejected = sum(source.rejects.counts.values())
            read = {"n_read": source.items.n, "n_rejected": n_rejected}
            return {"from": _shown_origin(origin), **source.provenance, **read}

        updated, numbers = store.update(info, source.items, now=now, whole=source.is_whole, provenance=provenance)
    if source.checkpoint() != origin.checkpoint:
        updated = replace(updated, origin=replace(origin, checkpoint=source.checkpoint()))
        store.save(updated)
    rejects = source.rejects.as_dict()
    answer = {
        "list": info.name,
        "version": updated.version,
        "from": _shown_origin(origin),
        **source.provenance,
        **numbers,
        "n_entries": updated.n_entries,
        "counts": updated.counts,
        "n_deleted": updated.n_deleted,
        "rejects": rejects,
    }
    lines = [
        f"{info.name}: {updated.n_entries:,} entries ({numbers['added']:,} added, {numbers['deleted']:,} deleted, "
        f"{numbers['restored']:,} restored, {numbers['unchanged']:,} as before)"
    ]
    lines += [
        f"  {n:,} rejected: {reason}, first at line {source.rejects.lines[reason][0]}"
        for reason, n in source.rejects.counts.most_common()
    ]
    return answer, lines


class _Reached:
    """Entries on their way, counted."""

    def __init__(self, items: Iterator[ListedItem]):
        self.n = 0
        self._items = items

    def __iter__(self) -> Iterator[ListedItem]:
        for item in self._items:
            self.n += 1
            yield item


def _suffix(address: str) -> str:
    """Return the end of the file's name, by which its format is recognised."""
    name = urlsplit(address).path.rsplit("/", 1)[-1] if "://" in address else ""
    return "".join(Path(name).suffixes[-2:]).lower()[:16]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _shown_origin(origin: Origin) -> str:
    if origin.kind == "file":
        return Path(origin.address).name
    bank = f", bank {origin.bank}" if origin.bank else ""
    return shown(origin.address) + bank


def _row(info: ListInfo, now: datetime) -> dict[str, Any]:
    checked = datetime.fromisoformat(info.checked_at) if info.checked_at else None
    age = (now.astimezone(UTC) - checked).days if checked else None
    last = info.history[-1] if info.history else {}
    return {
        "name": info.name,
        "is_negative": info.is_negative,
        "publisher": info.publisher,
        "ground": info.ground,
        "version": info.version,
        "counts": info.counts,
        "n_entries": info.n_entries,
        "n_deleted": info.n_deleted,
        "from": _shown_origin(info.origin) if info.origin else "nowhere",
        "sha256": last.get("sha256"),
        "updated_at": info.updated_at,
        "age_days": age,
        "is_stale": age is not None and age > STALE_DAYS,
        "pdq_distance": info.pdq_distance,
        "text": {"fingerprints": info.text.fingerprints, "containment": info.text.containment},
    }


# ---- hashing files -------------------------------------------------------------------------------------


def hash_files(
    paths: Sequence[Path],
    *,
    home: Home | None = None,
    limits: MediaLimits | None = None,
    turned: bool = False,
) -> Answer:
    """Hash media files and, with a home, look them up in its lists.

    Args:
        paths: files.
        home: whose lists to look in; None looks nowhere.
        limits: of what is opened.
        turned: pictures are also looked up turned and mirrored.

    Raises:
        ConfigError: a file cannot be read.
    """
    index = store_of(home).index() if home else None
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for path in paths:
        hashes = hash_file(path, limits, turned=turned)
        row = _hash_row(path, hashes)
        if index is not None:
            row["known"] = find_file(index, hashes)
        rows.append(row)
        lines += _hash_lines(row)
    return {"files": rows}, lines


def _hash_row(path: Path, hashes: FileHashes) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": str(path),
        "size_bytes": hashes.size_bytes,
        "sha256": hashes.sha256,
        "md5": hashes.md5,
        "pdq": hashes.image.pdq if hashes.image else None,
        "quality": hashes.image.quality if hashes.image else None,
        "reason": hashes.reason,
        "detail": hashes.detail,
    }
    if hashes.frames:
        row["vpdq"] = format_vpdq(list(hashes.frames)).strip().replace("\n", ";")
    return row


def _hash_lines(row: dict[str, Any]) -> list[str]:
    lines = [row["file"], f"  sha256 {row['sha256']}", f"  md5 {row['md5']}"]
    if row["pdq"]:
        weak = "" if row["quality"] >= MIN_QUALITY else ", too little detail to be used"
        lines.append(f"  pdq {row['pdq']} (quality {row['quality']}{weak})")
    if "vpdq" in row:
        lines.append(f"  vpdq of {row['vpdq'].count(';') + 1} frames (shown with --json)")
    if row["reason"]:
        missing = row["reason"] == "extra_media_missing"
        lines.append(
            "  no picture: pip install 'bastau[media]' to read it" if missing else f"  no picture: {row['detail']}"
        )
    for match in row.get("known", []):
        apart = f", {match['distance']:.0f} bits apart" if match["distance"] is not None else ""
        held = f", held back: {match['gate']}" if match["gate"] else ""
        lines.append(f"  on list {match['list']}: {match['entry']} ({match['signal']}{apart}{held})")
    return lines


def find_hash(index: KnownIndex, signal: str, value: str) -> list[dict[str, Any]]:
    """Return the entries of lists that a hash is, as :func:`find_file`.

    Args:
        signal: ``sha256`` or ``md5`` of a file, or ``pdq`` of a picture.
        value: in hexadecimal digits, lower case.
    """
    picture = ImageHash(value, MIN_QUALITY, 0, 0) if signal == "pdq" else None
    by_signal = {"sha256": "", "md5": "", signal: value}
    return find_file(index, FileHashes(0, by_signal["sha256"], by_signal["md5"], picture))


def find_file(index: KnownIndex, hashes: FileHashes) -> list[dict[str, Any]]:
    """Return the entries of lists that one file is; a file is one thing, so any negative hit holds all others back."""
    found: list[tuple[int, float | None, float | None]] = []
    for signal, seed, value in (("sha256", SHA256_SEED, hashes.sha256), ("md5", MD5_SEED, hashes.md5)):
        found += [(owner, None, None) for owner in _exact(index, signal, seed, value)]
    if hashes.image and hashes.image.is_usable:
        pictures, owners = index.pdq
        forms = hashes.image.turned or (hashes.image.pdq,)
        digests = np.frombuffer(bytes.fromhex("".join(forms)), np.uint8).reshape(-1, 32)
        nearest: dict[int, int] = {}
        for _, at, distance in pictures.search(digests).tolist():
            owner = int(owners[at])
            if distance <= index.owner(owner)[0].pdq_distance:
                nearest[owner] = min(distance, nearest.get(owner, distance))
        found += [(owner, float(distance), None) for owner, distance in nearest.items()]
    usable = [digest for _, quality, digest, _ in hashes.frames if quality >= MIN_QUALITY]
    matches = [(*index.owner(owner), distance, share) for owner, distance, share in found]
    if usable and index.has("frames"):
        frames = np.frombuffer(b"".join(usable), np.uint8).reshape(-1, 32)
        matches += [(held, row, None, max(a, b)) for held, row, a, b in find_video(index, frames)]
    is_held = any(held.is_negative for held, *_ in matches)
    return [
        {
            "list": held.name,
            "entry": held.entry_id(row),
            "signal": held.signal(row),
            "distance": distance,
            "similarity": share,
            "gate": "negative_bank" if is_held else None,
        }
        for held, row, distance, share in matches
    ]


def _exact(index: KnownIndex, signal: str, seed: int, value: str) -> list[int]:
    key = np.array([hash_string(value, seed)], np.int64).view(np.uint64)
    owners = index.files.find(key)[1].tolist()
    held = [(owner, *index.owner(owner)) for owner in owners]
    return [owner for owner, one, row in held if one.signal(row) == signal and one.value(row) == value]
