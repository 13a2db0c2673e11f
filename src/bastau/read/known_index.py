"""Lists of known content, opened for matching: entries on disk, look-up arrays mapped into memory.

A list is a folder: ``entries.arrow`` (Arrow IPC, ENTRIES) and look-up arrays as ``.npy``, all made when the list
changed. Opening reads no entry: only the arrays are read, and an entry's id when it matches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bastau.hashing import hash_strings
from bastau.listed_urls import listed_expressions
from bastau.read.fold import fold_strings
from bastau.read.known_keys import MD5_SEED, SHA256_SEED, TEXT_SEED, URL_SEED, URL_SHA256_SEED, KeyTable
from bastau.read.known_pdq import MAX_DISTANCE, PdqIndex, parse_pdq, parse_vpdq
from bastau.read.known_text import TextIndex, TextThresholds, fingerprints
from bastau.schemas import TIME

ENTRIES = pa.schema(
    [
        pa.field("entry_id", pa.string(), nullable=False),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("note", pa.string()),
        pa.field("added_at", TIME, nullable=False),
        pa.field("deleted_at", TIME),
    ]
)
"""Entries of one list; one that was deleted stays, with the time, and matches no more."""

_EMPTY: dict[str, np.ndarray] = {
    "file_keys": np.empty(0, np.uint64),
    "file_key_rows": np.empty(0, np.int32),
    "url_keys": np.empty(0, np.uint64),
    "url_key_rows": np.empty(0, np.int32),
    "url_hash_keys": np.empty(0, np.uint64),
    "url_hash_key_rows": np.empty(0, np.int32),
    "text_keys": np.empty(0, np.uint64),
    "text_key_rows": np.empty(0, np.int32),
    "pdq": np.empty((0, 32), np.uint8),
    "pdq_rows": np.empty(0, np.int32),
    "frames": np.empty((0, 32), np.uint8),
    "frame_rows": np.empty(0, np.int32),
    "prints": np.empty(0, np.uint64),
    "print_texts": np.empty(0, np.int32),
    "print_places": np.empty(0, np.int32),
    "text_rows": np.empty(0, np.int32),
    "text_chars": np.empty(0, np.int32),
}
ARRAYS = tuple(_EMPTY)
"""Look-up arrays of a list. ``*_rows`` are rows of its entries; ``print_texts`` are indices into ``text_rows``."""
_HASHES = {
    "sha256": ("file", SHA256_SEED),
    "md5": ("file", MD5_SEED),
    "url_sha256": ("url_hash", URL_SHA256_SEED),
}


def empty_arrays() -> dict[str, np.ndarray]:
    """Return the look-up arrays of no entries."""
    return dict(_EMPTY)


def look_up_arrays(entries: pa.Table, first_row: int = 0, first_text: int = 0) -> dict[str, np.ndarray]:
    """Return the look-up arrays of some entries of a list, the deleted ones left out; keys in any order.

    Args:
        entries: part of ENTRIES.
        first_row: row in the list of the first of ``entries``.
        first_text: texts in the list before them.
    """
    arrays = empty_arrays()
    signals = np.asarray(entries.column("signal").to_pylist(), object)
    active = entries.column("deleted_at").is_null().to_numpy()
    values = entries.column("value").combine_chunks()
    keys: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for signal in set(signals[active].tolist()):
        rows = np.flatnonzero(active & (signals == signal)).astype(np.int32)
        chosen = values.take(pa.array(rows))
        if signal in _HASHES:
            group, seed = _HASHES[signal]
            keys.setdefault(group, []).append((hash_strings(chosen, seed), rows))
        elif signal == "url":
            expressions = [listed_expressions(value)[0] for value in chosen.to_pylist()]
            flat = pa.array([e for found in expressions for e in found], pa.string())
            repeated = np.repeat(rows, [len(found) for found in expressions])
            keys["url"] = [(hash_strings(flat, URL_SEED), repeated)]
        elif signal == "pdq":
            arrays["pdq"], _ = parse_pdq(chosen)
            arrays["pdq_rows"] = rows + np.int32(first_row)
        elif signal == "vpdq":
            videos = [parse_vpdq(value.replace(";", "\n")) for value in chosen.to_pylist()]
            arrays["frames"] = np.concatenate([video.hashes for video in videos])
            arrays["frame_rows"] = np.repeat(rows + np.int32(first_row), [len(video.hashes) for video in videos])
        elif signal == "text":
            folded = fold_strings(chosen)[0]
            keys["text"] = [(hash_strings(folded, TEXT_SEED), rows)]
            arrays["prints"], texts, arrays["print_places"], arrays["text_chars"] = fingerprints(folded)
            arrays["print_texts"] = texts + np.int32(first_text)
            arrays["text_rows"] = rows + np.int32(first_row)
    for group, parts in keys.items():
        arrays[f"{group}_keys"] = np.concatenate([hashes for hashes, _ in parts]).view(np.uint64)
        arrays[f"{group}_key_rows"] = np.concatenate([held for _, held in parts]) + np.int32(first_row)
    return arrays


@dataclass(frozen=True)
class KnownList:
    """One list, opened.

    Args:
        name: of the list.
        entries: ENTRIES.
        arrays: as :func:`look_up_arrays` makes them; any order.
        is_negative: hits hold back those of other lists.
        text: when a post holds a listed text.
        pdq_distance: bits in which a picture may differ, at most 31.
    """

    name: str
    entries: pa.Table
    arrays: dict[str, np.ndarray]
    is_negative: bool = False
    text: TextThresholds = field(default_factory=TextThresholds)
    pdq_distance: int = MAX_DISTANCE

    @classmethod
    def of_entries(cls, name: str, entries: pa.Table, **settings: Any) -> "KnownList":
        """Open entries held in memory."""
        return cls(name, entries, look_up_arrays(entries), **settings)

    @classmethod
    def open(cls, name: str, folder: Path, **settings: Any) -> "KnownList":
        """Map a stored list into memory.

        Raises:
            OSError, ValueError, pyarrow.ArrowInvalid: a file is missing or broken.
        """
        with pa.memory_map(str(folder / "entries.arrow")) as source:
            entries = pa.ipc.open_file(source).read_all()
        arrays = {n: np.load(folder / f"{n}.npy", mmap_mode="r", allow_pickle=False) for n in ARRAYS}
        return cls(name, entries, arrays, **settings)

    def entry_id(self, row: int) -> str:
        """Return the id of an entry."""
        return str(self.entries.column("entry_id")[row].as_py())

    def signal(self, row: int) -> str:
        """Return the kind of signal of an entry."""
        return str(self.entries.column("signal")[row].as_py())

    def value(self, row: int) -> str:
        """Return the value of an entry."""
        return str(self.entries.column("value")[row].as_py())


@dataclass(frozen=True)
class KnownIndex:
    """All lists together. An *owner* is ``list number << 32 | row``."""

    lists: tuple[KnownList, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the tables: another process makes them again."""
        return {"lists": self.lists}

    @cached_property
    def files(self) -> KeyTable:
        """Keys of files by SHA-256 and MD5; values are owners, here and in the next three."""
        return self._table("file")

    @cached_property
    def urls(self) -> KeyTable:
        """Keys of address expressions."""
        return self._table("url")

    @cached_property
    def url_hashes(self) -> KeyTable:
        """Keys of hashed Safe Browsing expressions."""
        return self._table("url_hash")

    @cached_property
    def texts(self) -> KeyTable:
        """Keys of whole folded texts."""
        return self._table("text")

    @cached_property
    def pdq(self) -> tuple[PdqIndex, np.ndarray]:
        """Search over all pictures, and the owner of each."""
        return PdqIndex.build(self._joined("pdq")), self._owners("pdq_rows")

    @cached_property
    def frames(self) -> tuple[PdqIndex, np.ndarray]:
        """Search over all video frames, and the owner of each."""
        return PdqIndex.build(self._joined("frames")), self._owners("frame_rows")

    @cached_property
    def prints(self) -> tuple[TextIndex, np.ndarray]:
        """Fingerprints of all texts, and the owner of each text."""
        before = np.cumsum([0, *(len(held.arrays["text_rows"]) for held in self.lists)])
        texts = [
            held.arrays["print_texts"] + np.int32(n) for held, n in zip(self.lists, before[:-1].tolist(), strict=True)
        ]
        index = TextIndex.build(
            self._joined("prints"),
            np.concatenate([*texts, np.empty(0, np.int32)]),
            self._joined("print_places"),
            self._joined("text_chars"),
        )
        return index, self._owners("text_rows")

    def load(self) -> "KnownIndex":
        """Make every table now rather than when it is first needed."""
        _ = (self.files, self.urls, self.url_hashes, self.texts, self.pdq, self.frames, self.prints)
        return self

    def has(self, name: str) -> bool:
        """Say whether any list has something in the array of that name."""
        return any(len(held.arrays[name]) for held in self.lists)

    def owner(self, value: int) -> tuple[KnownList, int]:
        """Return (list, row) of an owner."""
        return self.lists[value >> 32], value & 0xFFFFFFFF

    def _table(self, group: str) -> KeyTable:
        return KeyTable.build(self._joined(f"{group}_keys"), self._owners(f"{group}_key_rows"))

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([*(held.arrays[name] for held in self.lists), _EMPTY[name]])

    def _owners(self, name: str) -> np.ndarray:
        parts = [held.arrays[name].astype(np.int64) | n << 32 for n, held in enumerate(self.lists)]
        return np.concatenate([*parts, np.empty(0, np.int64)])


def find_video(
    index: KnownIndex, hashes: np.ndarray, *, share: float = 0.8
) -> list[tuple[KnownList, int, float, float]]:
    """Return (list, row, share of the given frames found in it, share of its frames found) of each listed video.

    A video is found when either share reaches ``share``: a listed clip inside a longer film, or a piece of a listed
    film.

    Args:
        index: the lists.
        hashes: frames of one video of sufficient quality, uint8 (n, 32).
        share: in (0, 1].
    """
    frames, owners = index.frames
    pairs = frames.search(hashes)
    found = []
    for owner in np.unique(owners[pairs[:, 1]]).tolist():
        mine = pairs[owners[pairs[:, 1]] == owner]
        held, row = index.owner(owner)
        given_share = len(np.unique(mine[:, 0])) / len(hashes)
        listed_share = len(np.unique(mine[:, 1])) / int((owners == owner).sum())
        if max(given_share, listed_share) >= share:
            found.append((held, row, given_share, listed_share))
    return found


def index_of(lists: Sequence[KnownList]) -> KnownIndex:
    """Return the index of some lists."""
    return KnownIndex(tuple(lists))
