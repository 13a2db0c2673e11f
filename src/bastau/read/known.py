"""Known content: addresses, media files, pictures and texts of a post that are on a list.

A match says that the same bytes, address, picture or words are there. It says nothing of why: news shows the same
clip, and counter-speech quotes the same sentence. So a match has a gate, and lists of such uses hold others back.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from bastau.hashing import hash_strings
from bastau.listed_urls import listed_expressions, page_expressions
from bastau.prefix_client import safe_expressions
from bastau.read.known_index import KnownIndex, KnownList
from bastau.read.known_keys import SHA256_SEED, URL_SHA256_SEED
from bastau.read.known_pdq import MAX_DISTANCE, parse_pdq
from bastau.read.known_text import text_candidates
from bastau.read.known_urls import probe_addresses
from bastau.read.url_columns import canonical_urls
from bastau.schemas import FOLDED, KNOWN, KNOWN_HIT, LINKS, POSTS
from bastau.tables import append_columns
from bastau.urls import canonical_url

NEGATIVE_BANK = "negative_bank"
"""Gate of a match that a list of legitimate uses holds back."""


class _Hit(NamedTuple):
    """One listed thing in one post, before gates.

    ``place`` names what in the post was hit: ("text",), ("url", address) or ("media", number); ``span`` is where in
    the folded text, in characters.
    """

    row: int
    owner: int
    place: tuple[str, str | int]
    span: tuple[int, int] = (0, 0)
    distance: float | None = None
    similarity: float | None = None


@dataclass(frozen=True)
class MatchKnown:
    """Add what in each post is on a list of known content.

    Args:
        lists: opened lists; without any the column is null throughout.

    Reference: docs/decisions/0012-known-content.md.
    """

    lists: KnownIndex = field(default_factory=KnownIndex)

    needs: ClassVar[pa.Schema] = pa.schema(
        [POSTS.field("url"), POSTS.field("media"), FOLDED.field("folded"), LINKS.field("urls")]
    )
    adds: ClassVar[pa.Schema] = KNOWN

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the column of KNOWN."""
        by_row: dict[int, dict[tuple[int, tuple[str, str | int]], _Hit]] = {}
        if self.lists.lists:
            for hit in self._hits(posts):
                # The same entry twice in one place is one match, the first (and best) of them.
                by_row.setdefault(hit.row, {}).setdefault((hit.owner, hit.place), hit)
        matches = {row: self._gated(list(hits.values())) for row, hits in by_row.items()}
        return append_columns(posts, {"known": _column(matches, posts.num_rows)}, self.adds)

    def find_urls(self, urls: Sequence[str]) -> list[list[dict[str, object]]]:
        """Return what :meth:`run` finds in posts of nothing but these addresses, quicker."""
        hits: list[dict[int, _Hit]] = [{} for _ in urls]
        if self.lists.has("url_keys") or self.lists.has("url_hash_keys"):
            canonical = pa.array([canonical_url(url) for url in urls], pa.string())
            for i, address, owner in self._listed_addresses(canonical):
                hits[i].setdefault(owner, _Hit(i, owner, ("url", address)))
        return [self._gated(list(found.values())) for found in hits]

    def _hits(self, posts: pa.Table) -> Iterator[_Hit]:
        media = _Media.of(posts)
        has = self.lists.has
        if has("url_keys") or has("url_hash_keys"):
            yield from self._addresses(posts, media)
        if has("file_keys"):
            yield from self._files(media)
        if has("pdq"):
            yield from self._pictures(media)
        if has("text_keys"):
            yield from self._whole_texts(posts)
        if has("prints"):
            yield from self._passages(posts)

    def _addresses(self, posts: pa.Table, media: "_Media") -> Iterator[_Hit]:
        rows, addresses = _flat(posts.column("urls"))
        own = posts.column("url").combine_chunks()
        n_links, n_own = len(addresses), posts.num_rows
        given = pa.concat_arrays([addresses, canonical_urls(own), canonical_urls(media.urls)])
        for i, address, owner in self._listed_addresses(given):
            if i < n_links:
                yield _Hit(int(rows[i]), owner, ("url", address))
            elif i < n_links + n_own:
                yield _Hit(i - n_links, owner, ("url", address))
            else:
                number = i - n_links - n_own
                yield _Hit(int(media.rows[number]), owner, ("media", number))

    def _listed_addresses(self, given: pa.Array) -> Iterator[tuple[int, str, int]]:
        """Yield (index into ``given``, address, owner) for each entry that one of the canonical addresses ``given`` is."""
        table = self.lists.urls
        at, keys = probe_addresses(given, table.words, table.shift)
        which, owners = table.find(keys)
        at = at[which]
        if self.lists.has("url_hash_keys"):
            hashed_at, hashed_owners = self._hashed_addresses(given)
            at, owners = np.concatenate([at, hashed_at]), np.concatenate([owners, hashed_owners])
        listed: dict[int, set[str]] = {}
        for i, owner in zip(at.tolist(), owners.tolist(), strict=True):
            address = given[i].as_py()
            if owner not in listed:
                listed[owner] = self._listed(owner)
            # Equal hashes are not enough: the strings behind them are compared.
            if listed[owner].isdisjoint(page_expressions(address)) and listed[owner].isdisjoint(_safe_digests(address)):
                continue
            yield i, address, owner

    def _hashed_addresses(self, given: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Return (index into ``given``, owner) for lists that hold hashes of Safe Browsing expressions."""
        at: list[int] = []
        digests: list[str] = []
        for i, address in enumerate(given.to_pylist()):
            mine = _safe_digests(address) if address else []
            at += [i] * len(mine)
            digests += mine
        keys = hash_strings(pa.array(digests, pa.string()), URL_SHA256_SEED).view(np.uint64)
        which, owners = self.lists.url_hashes.find(keys)
        return np.array(at, np.int64)[which], owners

    def _listed(self, owner: int) -> set[str]:
        """Return the expressions of an entry that is an address, or its digest."""
        held, row = self.lists.owner(owner)
        value = held.value(row)
        return set(listed_expressions(value)[0]) if held.signal(row) == "url" else {value}

    def _files(self, media: "_Media") -> Iterator[_Hit]:
        lowered = pa.array(media.sha256, pa.string())
        which, owners = self.lists.files.find(hash_strings(lowered, SHA256_SEED).view(np.uint64))
        for i, owner in zip(which.tolist(), owners.tolist(), strict=True):
            held, row = self.lists.owner(owner)
            if held.signal(row) == "sha256" and held.value(row) == lowered[i].as_py():
                yield _Hit(int(media.rows[i]), owner, ("media", i))

    def _whole_texts(self, posts: pa.Table) -> Iterator[_Hit]:
        folded = posts.column("folded")
        which, owners = self.lists.texts.find(hash_strings(folded).view(np.uint64))
        for i, owner in zip(which.tolist(), owners.tolist(), strict=True):
            held, row = self.lists.owner(owner)
            if held.signal(row) == "text":
                yield _Hit(i, owner, ("text", 0), (0, len(folded[i].as_py())), similarity=1.0)

    def _pictures(self, media: "_Media") -> Iterator[_Hit]:
        hashes, valid = parse_pdq(media.pdq)
        at = np.flatnonzero(valid)
        pictures, owners = self.lists.pdq
        for query, found, distance in pictures.search(hashes[at], MAX_DISTANCE).tolist():
            owner = int(owners[found])
            if distance <= self.lists.owner(owner)[0].pdq_distance:
                number = int(at[query])
                yield _Hit(int(media.rows[number]), owner, ("media", number), distance=float(distance))

    def _passages(self, posts: pa.Table) -> Iterator[_Hit]:
        texts, owners = self.lists.prints
        found = text_candidates(posts.column("folded"), texts)
        for row, text, n, covered, start, end in found[found[:, 2] >= 2].tolist():
            owner = int(owners[text])
            limits = self.lists.owner(owner)[0].text
            similarity = n / texts.counts[text]
            if n >= limits.fingerprints and similarity >= limits.containment and covered >= limits.covered_chars:
                yield _Hit(row, owner, ("text", 0), (start, end), similarity=float(similarity))

    def _gated(self, hits: list[_Hit]) -> list[dict[str, object]]:
        """Return the matches of one post: those of positive lists, and of negative ones that hold one of them back."""
        lists = {hit.owner: self.lists.owner(hit.owner) for hit in hits}
        negative = [hit for hit in hits if lists[hit.owner][0].is_negative]
        matches: list[dict[str, object]] = []
        holding: dict[_Hit, None] = {}
        for hit in hits:
            if lists[hit.owner][0].is_negative:
                continue
            holders = [other for other in negative if _same_thing(hit, other)]
            holding.update(dict.fromkeys(holders))
            matches.append(_match(hit, *lists[hit.owner], NEGATIVE_BANK if holders else None))
        return matches + [_match(hit, *lists[hit.owner], NEGATIVE_BANK) for hit in holding]


def _same_thing(hit: _Hit, other: _Hit) -> bool:
    """Say whether two hits are of one address, one media item, or of passages that overlap by half of ``hit``.

    A text that quotes a listed passage inside a listed legitimate one is held back; a listed passage *beside* a
    legitimate one is not, or anybody could append one to be held back.
    """
    if hit.place != other.place:
        return False
    if hit.place[0] != "text":
        return True
    shared = min(hit.span[1], other.span[1]) - max(hit.span[0], other.span[0])
    return 2 * shared >= hit.span[1] - hit.span[0]


def _match(hit: _Hit, held: KnownList, row: int, gate: str | None) -> dict[str, object]:
    return {
        "list": held.name,
        "entry": held.entry_id(row),
        "signal": held.signal(row),
        "distance": hit.distance,
        "similarity": hit.similarity,
        "gate": gate,
    }


def _safe_digests(address: str) -> list[str]:
    """Return the SHA-256 of each expression of a canonical address, with and without the ``www.`` that it lost."""
    head, _, rest = address.partition("://")
    with_www = (e for e in safe_expressions(f"{head}://www.{rest}") if e.startswith("www."))
    return [hashlib.sha256(e.encode()).hexdigest() for e in (*safe_expressions(address), *with_www)]


def _flat(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return (row of each value, values) of a list column; a null list has none."""
    lists = column.combine_chunks()
    rows = lists.value_parent_indices().to_numpy(zero_copy_only=False) if len(lists) else np.empty(0, np.int64)
    return rows, lists.flatten().cast(pa.string())


@dataclass(frozen=True)
class _Media:
    """Media of all posts, one item a row."""

    rows: np.ndarray
    urls: pa.Array
    sha256: pa.Array
    pdq: pa.Array

    @classmethod
    def of(cls, posts: pa.Table) -> "_Media":
        import pyarrow.compute as pc

        lists = posts.column("media").combine_chunks()
        rows = lists.value_parent_indices().to_numpy(zero_copy_only=False) if len(lists) else np.empty(0, np.int64)
        items = lists.flatten()
        return cls(
            rows,
            pc.struct_field(items, "url"),
            pc.ascii_lower(pc.struct_field(items, "sha256")),
            pc.struct_field(items, "pdq"),
        )


def _column(matches: dict[int, list[dict[str, object]]], n_rows: int) -> pa.Array:
    """Return the list column: null but for the rows that have matches."""
    kept = {row: found for row, found in matches.items() if found}
    if not kept:
        return pa.nulls(n_rows, KNOWN.field(0).type)
    counts = np.zeros(n_rows, np.int64)
    counts[list(kept)] = [len(found) for found in kept.values()]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    values = pa.array([match for row in sorted(kept) for match in kept[row]], KNOWN_HIT)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(counts == 0))
