"""How well posts are matched to fact-checks: labelled files, with the ranker of a user, of training pairs, or the shipped one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bastau.errors import InputError
from bastau.evaluate.figures import figure_lines
from bastau.evaluate.labelled import MAX_SHOWN, labelled_rows
from bastau.factchecks.encoders import Encoder
from bastau.factchecks.features import FEATURES, Candidates
from bastau.factchecks.matcher import ClaimMatcher, Ranking, day_of, open_claims, rank_candidates
from bastau.factchecks.ranker import Ranker, shipped_ranker
from bastau.factchecks.training import Example, Plan, mark_alike, train_ranker, without_rows
from bastau.factchecks.words import MAX_CHARS, Words, read_words
from bastau.intervals import wilson

MAX_TEXT = 1 << 20
"""Characters of one text; longer rows are left out and counted, as imports do."""
DEPTHS = (5, 50)


@dataclass
class Problems:
    """Rows that could not be used: how many of each kind, and the first few in words."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)

    def add(self, path: Path, line: int, kind: str, why: str) -> None:
        """Count one row."""
        self.counts[kind] += 1
        if self.counts[kind] <= MAX_SHOWN:
            self.shown.append(f"{path}: line {line}: {why}")


@dataclass(frozen=True)
class Post:
    """A labelled post; ``relevant`` are rows of the claims that are about it, maybe none."""

    post_id: str
    words: Words
    day: float
    relevant: frozenset[int]


@dataclass(frozen=True)
class ClaimData:
    """Claims as (claim_id, text, title, published_at), and what was wrong with the files."""

    claims: list[tuple[str, str, str | None, datetime | None]]
    rows: dict[str, int]
    problems: Problems


def read_claim_file(path: Path) -> ClaimData:
    """Read claims: claim_id, text and optionally title and published_at, CSV or NDJSON.

    Rows without id or text, with an id seen before, or with a text longer than ``MAX_TEXT`` are left out and counted.

    Raises:
        InputError: the file cannot be read, or no row can be used.
    """
    claims: list[tuple[str, str, str | None, datetime | None]] = []
    rows: dict[str, int] = {}
    problems = Problems()
    for line, row in labelled_rows(path):
        if isinstance(row, str):
            problems.add(path, line, "claims: broken row", row)
            continue
        ident, text = (row.get("claim_id") or "").strip(), (row.get("text") or "").strip()
        if not ident:
            problems.add(path, line, "claims: no id", "claim_id: missing or empty; every claim needs one")
        elif not text:
            problems.add(
                path, line, "claims: no text", "text: missing or empty; a claim without words cannot be matched"
            )
        elif len(text) > MAX_TEXT:
            problems.add(path, line, "claims: too long", f"text: longer than {MAX_TEXT:,} characters; no claim is")
        elif ident in rows:
            problems.add(
                path, line, "claims: repeated id", "claim_id: seen on an earlier line; the earlier one is kept"
            )
        else:
            moment = _moment(row.get("published_at"))
            if row.get("published_at") and moment is None:
                problems.add(path, line, "claims: bad date", "published_at: no date; used without one")
            rows[ident] = len(claims)
            claims.append((ident, text, row.get("title") or None, moment))
    if not claims:
        raise InputError(_said(path, "holds no usable claims; it needs claim_id and text", problems))
    return ClaimData(claims, rows, problems)


def read_posts(posts: Path, relevant: Path, data: ClaimData) -> list[Post]:
    """Read labelled posts: post_id, text and optionally author and published_at; and pairs of post_id and claim_id.

    Posts that ``relevant`` does not name have no fact-check. Pairs that name an unknown post or claim are counted.

    Raises:
        InputError: a file cannot be read, or no post can be used.
    """
    problems = data.problems
    held: dict[str, tuple[Words, float]] = {}
    for line, row in labelled_rows(posts):
        if isinstance(row, str):
            problems.add(posts, line, "posts: broken row", row)
            continue
        ident, text = (row.get("post_id") or "").strip(), row.get("text") or ""
        if not ident:
            problems.add(posts, line, "posts: no id", "post_id: missing or empty; every post needs one")
        elif ident in held:
            problems.add(posts, line, "posts: repeated id", "post_id: seen on an earlier line; the earlier one is kept")
        else:
            if not text.strip():
                problems.add(posts, line, "posts: no text", "text: empty; nothing will be found for it")
            words = read_words(text[:MAX_CHARS], author=row.get("author"))
            moment = _moment(row.get("published_at"))
            held[ident] = (words, day_of(moment) if moment else words.signed_on)
    pairs: dict[str, set[int]] = {}
    for line, row in labelled_rows(relevant):
        if isinstance(row, str):
            problems.add(relevant, line, "relevant: broken row", row)
            continue
        post, claim = (row.get("post_id") or "").strip(), (row.get("claim_id") or "").strip()
        if post not in held:
            problems.add(
                relevant, line, "relevant: unknown post", "post_id: no such post in the file of posts; left out"
            )
        elif claim not in data.rows:
            problems.add(relevant, line, "relevant: unknown claim", "claim_id: no such usable claim; left out")
        else:
            pairs.setdefault(post, set()).add(data.rows[claim])
    if not held:
        raise InputError(_said(posts, "holds no usable posts; it needs post_id and text", problems))
    return [Post(i, words, day, frozenset(pairs.get(i, ()))) for i, (words, day) in held.items()]


def _said(path: Path, what: str, problems: Problems) -> str:
    return "\n".join([f"{path}: {what}", *problems.shown])


def _moment(text: str | None) -> datetime | None:
    if not text or not text.strip():
        return None
    try:
        made = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def examples(matcher: ClaimMatcher, posts: Sequence[Post]) -> list[Example]:
    """Return posts with their candidates, for training."""
    made = []
    for post in posts:
        found = matcher.candidates(post.words, day=post.day)
        alike = mark_alike(matcher.index, found.rows, post.relevant)
        made.append(Example(found, np.isin(found.rows, list(post.relevant)), alike))
    return made


def train_claims(
    claims: Path, posts: Path, relevant: Path, *, licence: str = "", seed: int = 1, encoder: Encoder | None = None
) -> tuple[Ranker, ClaimData]:
    """Train a ranker on labelled files, with ``encoder`` if one is given; see :func:`read_posts`.

    Raises:
        InputError: a file cannot be used.
        ConfigError: LightGBM is missing, or too few pairs.
    """
    data = read_claim_file(claims)
    labelled = read_posts(posts, relevant, data)
    matcher = open_claims(data.claims, encoder=encoder)
    encoder_id = encoder.encoder_id if encoder else ""
    card = {
        "what": "orders candidate fact-checks of a post, and says how likely the first is the right one",
        "data": [p.name for p in (claims, posts, relevant)],
        "licence": licence or "not stated",
        "n_claims": len(data.claims),
    } | ({"encoder": encoder_id} if encoder_id else {})
    return train_ranker(examples(matcher, labelled), Plan(seed=seed), card=card, encoder_id=encoder_id), data


def evaluate_claims(
    claims: Path,
    posts: Path,
    relevant: Path,
    *,
    train_posts: Path | None = None,
    train_relevant: Path | None = None,
    ranker: Ranker | None = None,
    encoder: Encoder | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Match each post of a labelled file and compare with the claims it is said to be about.

    Args:
        claims, posts, relevant: see :func:`read_claim_file` and :func:`read_posts`.
        train_posts, train_relevant: other posts over the same claims, to train a ranker on first.
        ranker: to use without them; None: the one that comes with bastau.
        encoder: to train with, or that ``ranker`` was trained with.

    Returns:
        answer and lines: MAP@5, P@1, MRR, recall@5 and @50 over posts that have a claim, for BM25, without and with dates; what
        would be shown above the threshold, how much of it is right, and how often something is shown for posts whose claim
        is taken away; hit@1 and hit@5 by languages; rows that could not be used.

    Raises:
        InputError: a file cannot be used, or no post has a claim.
        ConfigError: the ranker was trained with another encoder.
    """
    data = read_claim_file(claims)
    labelled = read_posts(posts, relevant, data)
    if train_posts is not None and train_relevant is not None:
        matcher = open_claims(data.claims, encoder=encoder)
        taught = read_posts(train_posts, train_relevant, data)
        fresh = train_ranker(examples(matcher, taught), encoder_id=encoder.encoder_id if encoder else "")
        matcher = replace(matcher, ranker=fresh)
        used = f"trained on {len(taught)} posts"
    else:
        matcher = open_claims(data.claims, ranker or shipped_ranker(), encoder)
        used = "shipped" if ranker is None else "own"
    with_claim = [post for post in labelled if post.relevant]
    if not with_claim:
        raise InputError(_said(relevant, "names no post and claim that are in the files", data.problems))
    found = [matcher.candidates(post.words, day=post.day) for post in labelled]
    answer: dict[str, Any] = {
        "task": "claims",
        "ranker": used,
        "n_claims": len(data.claims),
        "n_posts": len(labelled),
        "n_posts_with_claim": len(with_claim),
        "not_used": dict(data.problems.counts),
    }
    orders: dict[str, list[np.ndarray]] = {
        "bm25": [f.rows[np.argsort(-f.x[:, FEATURES.index("both")], kind="stable")] for f in found]
    }
    for name, dates in (("text only", False), ("with dates", True)):
        rankings = [
            rank_candidates(matcher.ranker, f, dates=dates, n_words=len(p.words.stems))
            for f, p in zip(found, labelled, strict=True)
        ]
        orders[name] = [r.rows for r in rankings]
        answer[name] = score_orders(orders[name], labelled) | {
            "shown": _shown(matcher, rankings, found, labelled, dates=dates)
        }
    answer["bm25"] = score_orders(orders["bm25"], labelled)
    answer["n_posts_dated"] = sum(
        matcher.ranker.side(f) is matcher.ranker.dated and matcher.ranker.dated is not matcher.ranker.text
        for f in found
    )
    answer["by_languages"] = _by_languages(matcher, orders["text only"], labelled)
    lines = figure_lines(answer)
    if data.problems.shown:
        lines += ["rows that could not be used, the first of each kind:", *(f"  {s}" for s in data.problems.shown)]
    return answer, lines


def score_orders(orders: Sequence[np.ndarray], posts: Sequence[Post]) -> dict[str, float]:
    """Return MAP@5, P@1, MRR, recall@5 and recall@50 over posts that have a claim.

    Average precision at 5 is divided by the smaller of 5 and the number of claims about the post; recall is the share of a
    post's claims among the first.

    Reference: Barrón-Cedeño et al. 2020, CheckThat! at CLEF 2020, section 3.
    """
    ap, first, reciprocal = [], [], []
    recall: dict[int, list[float]] = {depth: [] for depth in DEPTHS}
    for order, post in zip(orders, posts, strict=True):
        if not post.relevant:
            continue
        right = np.isin(order, list(post.relevant))
        hits = np.flatnonzero(right)
        top = hits[hits < 5]
        ap.append(float(((np.arange(len(top)) + 1) / (top + 1)).sum()) / min(5, len(post.relevant)))
        first.append(bool(len(hits)) and hits[0] == 0)
        reciprocal.append(1 / (hits[0] + 1) if len(hits) else 0.0)
        for depth, values in recall.items():
            values.append(int((hits < depth).sum()) / len(post.relevant))
    figures = {"map_5": ap, "p_1": first, "mrr": reciprocal} | {f"recall_{d}": v for d, v in recall.items()}
    return {name: float(np.mean(values)) for name, values in figures.items()}


def _shown(
    matcher: ClaimMatcher,
    rankings: Sequence[Ranking],
    found: Sequence[Candidates],
    posts: Sequence[Post],
    *,
    dates: bool,
) -> dict[str, Any]:
    n_shown = n_right = n_false_without = n_without = 0
    for ranking, candidates, post in zip(rankings, found, posts, strict=True):
        if ranking.is_shown:
            n_shown += 1
            n_right += int(ranking.rows[0]) in post.relevant
        if post.relevant:
            gone = mark_alike(matcher.index, candidates.rows, post.relevant)
            rest = without_rows(candidates, gone) if gone.any() else candidates
            n_without += 1
            n_false_without += rank_candidates(
                matcher.ranker, rest, dates=dates, n_words=len(post.words.stems)
            ).is_shown
        else:
            n_without += 1
            n_false_without += ranking.is_shown
    return {
        "precision": n_right / n_shown if n_shown else None,
        "precision_low": wilson(n_right, n_shown)[0] if n_shown else None,
        "coverage": n_shown / len(posts),
        "n_shown": n_shown,
        "n_wrong": n_shown - n_right,
        "shown_without_a_claim": n_false_without / n_without if n_without else None,
        "n_without_a_claim": n_without,
    }


def _by_languages(matcher: ClaimMatcher, orders: Sequence[np.ndarray], posts: Sequence[Post]) -> dict[str, Any]:
    """Return hit@1 and hit@5 by language of post and claim."""
    names = ("en", "ru", "kk")
    groups: dict[str, list[tuple[bool, bool]]] = {}
    for order, post in zip(orders, posts, strict=True):
        if not post.relevant:
            continue
        target = names[int(matcher.index.languages[min(post.relevant)])]
        right = np.isin(order[:5], list(post.relevant))
        groups.setdefault(f"{post.words.language} to {target}", []).append((bool(right[:1].any()), bool(right.any())))
    return {
        name: {
            "n": len(hits),
            "hit_1": sum(a for a, _ in hits) / len(hits),
            "hit_5": sum(b for _, b in hits) / len(hits),
        }
        for name, hits in sorted(groups.items())
    }
