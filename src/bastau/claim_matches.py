"""Fact-checks of narratives: a step of the pipeline over texts of each narrative, and what is said of single texts.

Texts are collected to the driver and looked up there, on either engine: the index is one memory map, and only narratives
whose texts or whose claims are new are looked up again.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from bastau.engine import Engine
from bastau.factchecks.matcher import ClaimMatcher, Match
from bastau.factchecks.store import claims_fingerprint, open_matcher
from bastau.factchecks.words import read_words
from bastau.home import Generation, Home
from bastau.schemas import CLAIM_MATCHES

MOST_VERSIONS = 3
"""Texts of a narrative that are looked up: the first, and those that most posts have."""
CLAIM_TABLES = ("claim_matches", "state_claims")
STATE_CLAIMS = pa.schema(
    [
        ("post_key", pa.int64()),
        ("claim_id", pa.string()),
        ("claim", pa.string()),
        ("score", pa.float64()),
        ("made_by", pa.string()),
    ]
)
"""What earlier runs found for the first post of a text, null for nothing, and by which claims and ranker."""

Progress = Callable[[int, int], None]


def version_posts(posts: Any, narratives: Any, versions: Any) -> Any:
    """Return (narrative_key, post_key, title, text, published_at) of the texts to look up, as an Ibis expression.

    Args:
        posts, narratives, versions: tables of those names.
    """
    import ibis

    firsts = narratives.select("narrative_key", post_key="first_post_key")
    later = versions.filter(versions.version > 0).select(
        "narrative_key", "version", "n_posts", post_key="first_post_key"
    )
    ranked = later.mutate(
        place=ibis.row_number().over(
            group_by="narrative_key", order_by=[ibis.desc("n_posts"), ibis.asc("version"), ibis.asc("post_key")]
        )
    )
    others = ranked.filter(ranked.place < MOST_VERSIONS - 1).select("narrative_key", "post_key")
    wanted = firsts.union(others).distinct()
    return wanted.join(posts, "post_key").select("narrative_key", "post_key", "title", "text", "published_at")


def match_narratives(
    home: Home,
    engine: Engine,
    generation: Generation,
    previous: Generation | None,
    progress: Progress = lambda _done, _total: None,
) -> str:
    """Write CLAIM_TABLES of ``generation``, whose narratives and versions are written; return what they were made by.

    Args:
        home: whose claims.
        engine: with the posts opened.
        generation: the one being made.
        previous: the one before; what it looked up with the same claims is not looked up again.
        progress: told of texts looked up.
    """
    made_by = claims_fingerprint(home)
    matcher = open_matcher(home) if made_by else None
    if matcher is None:
        generation.write("claim_matches", CLAIM_MATCHES.empty_table())
        generation.write("state_claims", STATE_CLAIMS.empty_table())
        return made_by
    engine.open({name: generation.paths(name) for name in ("narratives", "versions")})
    engine.open({"posts": home.sources()["posts"]})
    expression = version_posts(*(engine.table(name) for name in ("posts", "narratives", "versions")))
    texts = engine.collect(expression).sort_by([("narrative_key", "ascending"), ("post_key", "ascending")])
    found = _look_up(matcher, texts, _known(previous, made_by), progress)
    generation.write("claim_matches", _best(texts, found))
    generation.write("state_claims", _state(texts, found, made_by))
    return made_by


def renew_claim_matches(home: Home, engine: Engine, previous: Generation) -> Generation:
    """Put a generation in force that is ``previous`` with the fact-checks looked up again, because the claims changed."""
    generation = home.next_generation(previous, without=CLAIM_TABLES)
    made_by = match_narratives(home, engine, generation, None)
    return home.put_in_force(generation, {**previous.manifest, "claims_made_by": made_by})


Found = dict[int, Match | None]
"""By post_key."""


def _known(previous: Generation | None, made_by: str) -> Found:
    if previous is None or not previous.paths("state_claims"):
        return {}
    return {
        row["post_key"]: None if row["claim_id"] is None else Match(row["claim_id"], row["claim"], row["score"])
        for row in previous.read("state_claims").to_pylist()
        if row["made_by"] == made_by
    }


def _look_up(matcher: ClaimMatcher, texts: pa.Table, known: Found, progress: Progress) -> Found:
    found: Found = {}
    columns = (texts.column(name).to_pylist() for name in ("post_key", "title", "text", "published_at"))
    for n, (key, title, text, at) in enumerate(zip(*columns, strict=True)):
        if key in found:
            continue
        if key in known:
            found[key] = known[key]
        else:
            found[key] = matcher.match(as_one(title, text), published_at=at)
        if n % 256 == 0:
            progress(n, texts.num_rows)
    return found


def as_one(title: str | None, text: str | None) -> str:
    """Return title and text as one, as they are read everywhere."""
    return " ".join(part for part in (title, text) if part)


def _best(texts: pa.Table, found: Found) -> pa.Table:
    """Return CLAIM_MATCHES: of each narrative and claim the text that fits best."""
    best: dict[tuple[int, str, str], tuple[float, int]] = {}
    for narrative, post in zip(
        texts.column("narrative_key").to_pylist(), texts.column("post_key").to_pylist(), strict=True
    ):
        match = found[post]
        if match is None:
            continue
        key = (narrative, match.claim_id, match.claim)
        if key not in best or (match.score, -post) > (best[key][0], -best[key][1]):
            best[key] = (match.score, post)
    rows = [
        {"narrative_key": narrative, "claim_id": ident, "claim": claim, "score": score, "post_key": post}
        for (narrative, ident, claim), (score, post) in sorted(best.items())
    ]
    return pa.Table.from_pylist(rows, CLAIM_MATCHES)


def _state(texts: pa.Table, found: Found, made_by: str) -> pa.Table:
    keys = np.unique(texts.column("post_key").to_numpy())
    matches = [found[int(key)] for key in keys]
    return pa.table(
        {
            "post_key": keys,
            "claim_id": [m.claim_id if m else None for m in matches],
            "claim": [m.claim if m else None for m in matches],
            "score": [m.score if m else None for m in matches],
            "made_by": [made_by] * len(keys),
        },
        schema=STATE_CLAIMS,
    )


def check_claims(matcher: ClaimMatcher, text: str, language: str | None = None) -> list[dict[str, Any]]:
    """Return the fact-check that ``text`` repeats, if one surely is about it: {claim_id, score} and what its publisher says."""
    ranking = matcher.rank(read_words(text, language))
    if not ranking.is_shown:
        return []
    row = int(ranking.rows[0])
    return [{"claim_id": matcher.ids[row], "score": round(ranking.probability, 4), **matcher.details(row)}]


def claim_lines(claims: list[dict[str, Any]]) -> list[str]:
    """Return matched fact-checks as lines: publisher, date, the publisher's words, and where to read it."""
    lines = []
    for one in claims:
        at = one["published_at"]
        who = ", ".join(str(part) for part in (one["publisher"] or "unknown publisher", at and str(at)[:10]) if part)
        lines.append(f"  fact-check ({who}): {one['claim']}")
        if one["verdict"]:
            lines.append(f"    in the publisher's words: {one['verdict']}")
        lines.append(f"    {one['url'] or one['claim_id']} (likelihood that it is about this text: {one['score']:.2f})")
    return lines
