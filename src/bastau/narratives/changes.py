"""What became of narrative ids: every id that was ever given out resolves to where its posts are now."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.hashing import format_id
from bastau.schemas import NARRATIVE_CHANGES


def changes(old: pa.Table, new: pa.Table, generation: int) -> pa.Table:
    """Return NARRATIVE_CHANGES from one MEMBERS table to the next.

    An id changes when its narrative does not hold all of its remaining posts, or holds them under another id:

    - renamed: its posts are together in one narrative that took in no other old one;
    - merged: they are together in one narrative with those of another old one, whose id it bears or not;
    - split: they are in several narratives; one row for each, the one with its earliest post first, then by posts;
    - erased: none of its posts is in a narrative any more; ``new_id`` is null.

    Rows are ordered by old_id; the order of the rows of a split is the order in which :func:`resolve` gives them.
    """
    moves, gone = _moves(old, new)
    rows: list[tuple[str, str | None, str]] = [(old_id, None, "erased") for old_id in gone]
    n_parts = Counter(move.old_key for move in moves)
    n_origins = Counter(move.new_key for move in moves)
    for move in sorted(moves, key=lambda move: (move.old_key, not move.holds_first, -move.n_posts, move.new_key)):
        if n_parts[move.old_key] > 1:
            change = "split"
        elif n_origins[move.new_key] > 1:
            change = "merged"
        else:
            change = "renamed"
        if change == "split" or move.old_key != move.new_key:
            rows.append((format_id("n", move.old_key), format_id("n", move.new_key), change))
    rows.sort(key=lambda row: row[0])  # stable: the order inside a split stays
    old_ids, new_ids, kinds = zip(*rows, strict=True) if rows else ((), (), ())
    columns = [pa.array(column, pa.string()) for column in (old_ids, new_ids, kinds)]
    return pa.Table.from_arrays([*columns, pa.array([generation] * len(rows), pa.int64())], schema=NARRATIVE_CHANGES)


class _Move(NamedTuple):
    """Posts of one old narrative that are in one new narrative."""

    old_key: int
    new_key: int
    n_posts: int
    holds_first: bool


def _moves(old: pa.Table, new: pa.Table) -> tuple[list[_Move], list[str]]:
    """Return the moves that concern a narrative with a changed key, and the ids of narratives without posts left."""
    was_post, was_key = _clustered(old)
    now_post, now_key = _clustered(new)
    at = np.searchsorted(now_post, was_post)
    stays = at < len(now_post)
    stays[stays] = now_post[at[stays]] == was_post[stays]
    post, before, after = was_post[stays], was_key[stays], now_key[at[stays]]
    gone = np.setdiff1d(was_key[~stays], before)
    moved = before != after
    concerned = _is_in(before, before[moved]) | _is_in(after, after[moved])
    counts: Counter[tuple[int, int]] = Counter()
    first: set[tuple[int, int]] = set()
    for k in np.flatnonzero(concerned):
        pair = (int(before[k]), int(after[k]))
        counts[pair] += 1
        if post[k] == before[k]:  # the key of a narrative is that of its earliest post
            first.add(pair)
    moves = [_Move(*pair, n_posts, pair in first) for pair, n_posts in counts.items()]
    return moves, [format_id("n", int(key)) for key in gone]


def _clustered(members: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return (post_key, narrative_key) of the posts in a narrative, by post_key."""
    members = members.filter(pc.is_valid(members.column("narrative_key")))
    post = members.column("post_key").to_numpy()
    order = np.argsort(post)
    return post[order], members.column("narrative_key").to_numpy()[order]


def _is_in(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    return pc.is_in(pa.array(values), pa.array(among)).to_numpy(zero_copy_only=False)


def resolve(history: pa.Table, narrative_id: str) -> list[str]:
    """Return the ids that ``narrative_id`` stands for now, best first; several after a split, none when erased.

    ``history`` holds the NARRATIVE_CHANGES of all generations, each in the order in which it was made. An id
    without changes stands for itself.
    """
    ids, generation = [narrative_id], -1
    while True:
        concerned = history.filter(
            pc.and_(
                pc.is_in(history.column("old_id"), pa.array(ids, pa.string())),
                pc.greater(history.column("generation"), generation),
            )
        )
        if not concerned.num_rows:
            break
        generation = pc.min(concerned.column("generation")).as_py()
        replaced: dict[str, list[str]] = {}
        for row in concerned.filter(pc.equal(concerned.column("generation"), generation)).to_pylist():
            replaced.setdefault(row["old_id"], []).extend([row["new_id"]] if row["new_id"] else [])
        ids = list(dict.fromkeys(new_id for old_id in ids for new_id in replaced.get(old_id, [old_id])))
    # After a merge and a later split the id may name one of the parts again: the part with its own first post.
    return sorted(ids, key=lambda new_id: new_id != narrative_id)
