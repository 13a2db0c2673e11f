"""Floors of near-duplicate quality on a fixed sample of real tweets; lowering one is an argued commit."""

import hashlib
import os
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from bastau.evaluate.near_duplicates import NearDuplicateFigures, evaluate
from bastau.hashing import hash_strings
from bastau.narratives.update import update
from bastau.read.fold import Fold
from bastau.read.signature import Sign
from bastau.settings import Narratives

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
TWEETS = SHARED / "ira-troll-tweets"
SAMPLE = "528f97df7051ea9d"
"""BLAKE2b of the ids of the sampled tweets."""
FLOORS = {
    "pair_precision": 0.97,
    "pair_recall": 0.97,
    "post_pair_precision": 0.97,
    "post_pair_recall": 0.97,
    "narrative_text_precision": 0.75,
    "narrative_text_recall": 0.95,
    "narrative_precision": 0.96,
    "narrative_recall": 0.97,
}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not TWEETS.is_dir(), reason="needs ../shared/data/ira-troll-tweets"),
]


@pytest.fixture(scope="module")
def figures() -> NearDuplicateFigures:
    files = sorted(TWEETS.glob("tweets_*.csv.gz"))
    tweets = pl.concat([pl.read_csv(f, columns=["tweet_row_id", "content"], infer_schema=False) for f in files])
    tweets = tweets.sort("tweet_row_id")
    rows = np.sort(np.random.default_rng(7).permutation(len(tweets))[:30_000])
    tweets = tweets[rows]
    assert hashlib.blake2b("".join(tweets["tweet_row_id"]).encode(), digest_size=8).hexdigest() == SAMPLE
    posts = pa.table(
        {
            "post_key": hash_strings(tweets["tweet_row_id"].to_arrow()),
            "published_at": pa.array(np.arange(len(rows)), pa.timestamp("us", tz="UTC")),
            "repost_of": pa.nulls(len(rows), pa.string()),
            "title": pa.nulls(len(rows), pa.string()),
            "text": tweets["content"].fill_null("").to_arrow().cast(pa.string()),
        }
    )
    posts = Sign().run(Fold().run(posts))
    similarity = Narratives().similarity
    return evaluate(update(None, posts, lambda keys: posts, similarity=similarity), posts, similarity=similarity)


@pytest.mark.parametrize("name", FLOORS)
def test_quality_is_not_below_its_floor(figures, name):
    assert getattr(figures, name) >= FLOORS[name]


def test_the_sample_is_large_enough_to_say_something(figures):
    assert figures.n_true_pairs > 900


def test_no_narrative_swallows_the_sample(figures):
    assert figures.largest is not None
    assert figures.largest.n_texts < 0.005 * figures.n_texts
    assert figures.largest.min_similarity > 0.5
