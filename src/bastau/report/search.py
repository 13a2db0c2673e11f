# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""Find the narrative a query means: an id, an address, or words.

A narrative id (old ones too), a post_id, a web address, a text that is a near-duplicate of something stored,
or else words that stored texts contain; the first that fits wins, rivals are listed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa

from bastau.hashing import hash_string, parse_id
from bastau.report.queries import clean, rows, shorten
from bastau.schemas import N_BANDS
from bastau.shingles import SHINGLE_CHARS

How = Literal["narrative", "old_id", "post", "url", "link", "text", "near_copy", "words", "none"]
Suggestion = Literal["erased", "not_stored_id", "not_stored_url", "too_short", "other_words", "nothing_stored"]

MOST_HITS = 8
MIN_SIMILARITY = 0.3
"""A pasted text this like a stored one (Jaccard of character 5-grams) is shown with its likeness, for people to judge;
members of a narrative are held to a stricter threshold."""
MIN_WORDS = 0.5
"""Share of the query's rarity-weighted words that a text must contain."""
_MOST_COMPARED = 400
_MOST_WORDS = 12
_WORD_LETTERS = 3
_MASKS = "bastau_word_masks"


@dataclass(frozen=True)
class Hit:
    """A narrative, or a post that is in none, that the query may mean; ``likeness`` in [0, 1], 1 for keys."""

    narrative_id: str | None
    post_key: int
    n_posts: int
    text: str
    likeness: float


@dataclass(frozen=True)
class Found:
    """What a query led to. ``best`` is None when nothing fits; then ``suggestions`` say what to try."""

    query: str
    how: How
    best: Hit | None
    others: tuple[Hit, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


def find(
    con: duckdb.DuckDBPyConnection,
    query: str,
    *,
    canonical: Callable[[str], str],
    sign: Callable[[str], tuple[str, int | None, bytes | None]],
) -> Found:
    """Return what ``query`` means among the stored posts.

    Args:
        con: one view per table of :data:`bastau.schemas.TABLES`.
        query: narrative id, post_id, address or text.
        canonical: address -> its canonical form, as the links stage makes it.
        sign: text -> (folded, text_key, bands), as the read stages make them; None when too short.
    """
    query = query.strip()
    if parse_id("n", query) is not None:
        return _by_narrative_id(con, query)
    by_post = rows(con, "select post_key from posts where post_key = ? and post_id = ?", [hash_string(query), query])
    if by_post:
        return _found(con, query, "post", {by_post[0]["post_key"]: 1.0})
    if _is_address(query):
        return _by_address(con, query, hash_string(canonical(query)))
    return _by_text(con, query, *sign(query))


def _by_narrative_id(con: duckdb.DuckDBPyConnection, query: str) -> Found:
    """Follow renames, merges and splits until ids that exist."""
    ahead, seen, alive = [query], set[str](), list[str]()
    while ahead:
        narrative_id = ahead.pop(0)
        if narrative_id in seen:
            continue
        seen.add(narrative_id)
        if rows(con, "select 1 from narratives where narrative_id = ?", [narrative_id]):
            alive.append(narrative_id)
            continue
        sql = "select new_id from narrative_changes where old_id = ? and new_id is not null order by generation desc"
        ahead.extend(row["new_id"] for row in rows(con, sql, [narrative_id]))
    if not alive:
        was = rows(con, "select 1 from narrative_changes where old_id = ? limit 1", [query])
        return Found(query, "none", None, suggestions=("erased" if was else "not_stored_id",))
    sql = "select narrative_id, first_post_key from narratives where narrative_id in (select unnest(?))"
    firsts = {row["narrative_id"]: row["first_post_key"] for row in rows(con, sql, [alive])}
    how: How = "narrative" if alive == [query] else "old_id"
    return _found(con, query, how, {firsts[narrative_id]: 1.0 for narrative_id in alive})


def _is_address(query: str) -> bool:
    if any(c.isspace() for c in query):
        return False
    host, slash, _ = query.partition("/")
    return "://" in query or (bool(slash) and "." in host)


def _by_address(con: duckdb.DuckDBPyConnection, query: str, key: int) -> Found:
    own = rows(con, "select post_key from readings where own_url_key = ? limit 1000", [key])
    if own:
        return _found(con, query, "url", {row["post_key"]: 1.0 for row in own})
    linking = rows(con, "select post_key from readings where list_contains(url_keys, ?) limit 100000", [key])
    if linking:
        return _found(con, query, "link", {row["post_key"]: 1.0 for row in linking})
    return Found(query, "none", None, suggestions=("not_stored_url", "other_words"))


def _by_text(
    con: duckdb.DuckDBPyConnection, query: str, folded: str, text_key: int | None, bands: bytes | None
) -> Found:
    if text_key is not None:
        same = rows(con, "select post_key from readings where text_key = ? limit 1000", [text_key])
        if same:
            return _found(con, query, "text", {row["post_key"]: 1.0 for row in same})
    if bands is not None and (near := _near_copies(con, folded, bands)):
        return _found(con, query, "near_copy", near)
    if not (words := _words(folded)):
        return Found(query, "none", None, suggestions=("too_short",))
    if scores := _containing(con, words):
        return _found(con, query, "words", scores)
    stored = rows(con, "select 1 from readings limit 1")
    return Found(query, "none", None, suggestions=("other_words",) if stored else ("nothing_stored",))


def _near_copies(con: duckdb.DuckDBPyConnection, folded: str, bands: bytes) -> dict[int, float]:
    """Return post_key -> Jaccard similarity, one post for each text that shares a band with the query's signature."""
    wanted = np.frombuffer(bands, np.uint32)
    shared: dict[int, tuple[int, int]] = {}
    reader = con.sql("select post_key, text_key, bands from readings where bands is not null").to_arrow_reader(262_144)
    for batch in reader:
        column = batch.column("bands").cast(pa.binary(N_BANDS * 4))
        matrix = np.frombuffer(column.buffers()[1], np.uint32).reshape(-1, N_BANDS)
        n_equal = (matrix[column.offset : column.offset + len(column)] == wanted).sum(axis=1)
        (hits,) = n_equal.nonzero()
        keys, texts = (
            batch.column(name).to_numpy(zero_copy_only=False)[hits].tolist() for name in batch.schema.names[:2]
        )
        shared |= dict(zip(texts, zip(n_equal[hits].tolist(), keys, strict=True), strict=True))
    closest = [key for _, key in sorted(shared.values(), reverse=True)[:_MOST_COMPARED]]
    own = _shingles(folded)
    sql = "select post_key, folded from readings where post_key in (select unnest(?))"
    scores = {row["post_key"]: _jaccard(own, _shingles(row["folded"])) for row in rows(con, sql, [closest])}
    return {key: score for key, score in scores.items() if score >= MIN_SIMILARITY}


def _shingles(folded: str) -> set[str]:
    return {folded[i : i + SHINGLE_CHARS] for i in range(max(1, len(folded) - SHINGLE_CHARS + 1))}


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def _words(folded: str) -> list[str]:
    distinct = dict.fromkeys(word for word in folded.split() if len(word) >= _WORD_LETTERS)
    return sorted(distinct, key=len, reverse=True)[:_MOST_WORDS]


def _containing(con: duckdb.DuckDBPyConnection, words: Sequence[str]) -> dict[int, float]:
    """Return post_key -> share of the rarity-weighted words that its text contains, best 2,000.

    A word counts where a stored word begins with it: Kazakh and Russian put their endings behind. The texts are
    scanned once, to a bit a word; everything else works on the few combinations that occur.
    """
    hit = "(contains(folded, ?) or starts_with(folded, ?))"
    mask = " + ".join(f"({1 << i} * {hit}::int)" for i in range(len(words)))
    params: list[Any] = [part for word in words for part in (" " + word, word)]
    con.execute(f"create or replace temp table {_MASKS} as select post_key, {mask} as mask from readings", params)
    try:
        counts = {row["mask"]: row["n"] for row in rows(con, f"select mask, count(*) as n from {_MASKS} group by 1")}
        scores = _score_masks(counts, len(words))
        kept = [mask for mask in sorted(scores, key=scores.__getitem__, reverse=True) if scores[mask] >= MIN_WORDS]
        sql = f"""
            select post_key, mask from {_MASKS} where mask in (select unnest(?::integer[]))
            order by list_position(?::integer[], mask), post_key limit 2000"""
        return {row["post_key"]: scores[row["mask"]] for row in rows(con, sql, [kept, kept])} if kept else {}
    finally:
        con.execute(f"drop table if exists {_MASKS}")


def _score_masks(counts: Mapping[int, int], n_words: int) -> dict[int, float]:
    """Return mask -> share in [0, 1] of the words it holds, a word weighing ln(1 + texts / texts with it).

    Words that no text contains weigh most: half a query of unknown words is no hit.
    """
    total = sum(counts.values())
    having = [sum(n for mask, n in counts.items() if mask >> i & 1) for i in range(n_words)]
    rarity = [math.log(1 + total / (n + 0.5)) for n in having]
    return {
        mask: sum(weight for i, weight in enumerate(rarity) if mask >> i & 1) / sum(rarity) for mask in counts if mask
    }


def _found(con: duckdb.DuckDBPyConnection, query: str, how: How, scores: dict[int, float]) -> Found:
    """Turn scored posts into narratives: the best-scoring first, then the larger, then the earlier."""
    keys = list(scores)
    sql = """
        select m.post_key, n.narrative_id, n.first_post_key, coalesce(n.n_posts, 1) as n_posts, n.text,
               epoch_us(n.first_seen_at) as at_us
        from members m left join narratives n using (narrative_key)
        where m.post_key in (select unnest(?))"""
    best: dict[str, tuple[float, int, int, Hit]] = {}
    for row in rows(con, sql, [keys]):
        score = scores[row["post_key"]]
        narrative_id = row["narrative_id"]
        key = row["first_post_key"] if narrative_id else row["post_key"]
        hit = Hit(narrative_id, key, row["n_posts"], shorten(clean(row["text"]), 160), score)
        order = (-score, -row["n_posts"], row["at_us"] or 0, hit)
        slot = narrative_id or str(key)
        if slot not in best or order[:3] < best[slot][:3]:
            best[slot] = order
    hits = [entry[3] for entry in sorted(best.values(), key=lambda e: (*e[:3], e[3].post_key))]
    if not hits:
        # Stored, but not yet through a run: the post stands alone.
        hits = [Hit(None, key, 1, "", scores[key]) for key in sorted(keys, key=lambda k: (-scores[k], k))]
    hits = [_with_text(con, hit) for hit in hits[: MOST_HITS + 1]]
    return Found(query, how, hits[0], tuple(hits[1:]))


def _with_text(con: duckdb.DuckDBPyConnection, hit: Hit) -> Hit:
    if hit.text:
        return hit
    post = rows(con, "select title, text from posts where post_key = ?", [hit.post_key])[0]
    text = shorten(clean(f"{post['title'] or ''} {post['text'] or ''}"), 160)
    return Hit(hit.narrative_id, hit.post_key, hit.n_posts, text, hit.likeness)
