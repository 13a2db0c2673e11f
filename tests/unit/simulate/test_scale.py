from collections import Counter, defaultdict
from datetime import timedelta

import pyarrow as pa
import pytest

from bastau.errors import ConfigError
from bastau.schemas import POST_FORMAT
from bastau.simulate.remix import Corpus, mix
from bastau.simulate.scale import MAX_POSTS, scale_groups, scale_posts, trending
from bastau.simulate.world import MIN_POSTS, generate

N = 20_000


@pytest.fixture(scope="module")
def texts() -> pa.Table:
    return generate(MIN_POSTS).posts.select(["text", "language"])


@pytest.fixture(scope="module")
def posts(texts: pa.Table) -> pa.Table:
    return pa.concat_tables(scale_posts(texts, N))


@pytest.fixture(scope="module")
def rows(posts: pa.Table) -> list[dict]:
    return posts.to_pylist()


def grams(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(len(text) - 4)}


def test_chunks_change_nothing(texts: pa.Table, posts: pa.Table) -> None:
    chunks = list(scale_posts(texts, N, chunk_rows=7001))

    assert [chunk.num_rows for chunk in chunks] == [7001, 7001, 5998]
    assert pa.concat_tables(chunks).equals(posts)


def test_another_seed_gives_other_posts(texts: pa.Table, posts: pa.Table) -> None:
    assert next(scale_posts(texts, N, seed=1))["text"] != posts["text"]


def test_posts_have_the_post_format_and_their_own_ids(posts: pa.Table) -> None:
    assert posts.column_names == POST_FORMAT
    assert len(set(posts["post_id"].to_pylist())) == posts.num_rows == N
    for name in ("post_id", "platform", "source", "published_at", "collected_at", "text"):
        assert posts[name].null_count == 0


def test_the_mix_is_the_documented_one(rows: list[dict]) -> None:
    bare = [row["text"].split(" #")[0].split(" http")[0] for row in rows]
    n_scraps = sum(len(text.split()) <= 3 for text in bare)
    repeats = N - len(set(bare))

    assert 0.08 < n_scraps / N < 0.12
    assert 0.18 < repeats / N < 0.30
    assert 0.04 < sum(row["repost_of"] is not None for row in rows) / N < 0.2


def test_new_texts_are_no_near_duplicates_and_near_copies_are(texts: pa.Table) -> None:
    corpus = Corpus.of(texts)
    numbers, zeros = pa.array(range(200)).to_numpy(), pa.array([0] * 200)
    kinds = zeros.to_numpy().astype("int8")
    new = [grams(t) for t in corpus.write(numbers, kinds, zeros.to_numpy(), 1).to_pylist()]
    edited = [grams(t) for t in corpus.write(numbers, kinds, numbers + 1, 1).to_pylist()]
    across = [len(a & b) / len(a | b) for i, a in enumerate(new) for b in new[:i]]
    copies = [len(a & b) / len(a | b) for a, b in zip(new, edited, strict=True)]

    assert sum(s >= 0.5 for s in across) <= 0.001 * len(across)
    assert sum(0.5 < s < 1 for s in copies) > 0.8 * len(copies)


def test_reposts_point_at_earlier_posts_with_the_same_text(rows: list[dict]) -> None:
    by_id = {row["post_id"]: row for row in rows}
    reposts = [row for row in rows if row["repost_of"]]

    assert len(reposts) > 800
    for row in reposts:
        original = by_id[row["repost_of"]]
        assert original["text"] == row["text"]
        assert original["platform"] == row["platform"]
        assert original["published_at"] <= row["published_at"]
    assert any(row["forwarded_from"] for row in rows)


def test_sources_and_links_are_heavy_tailed_and_a_tenth_publish(rows: list[dict]) -> None:
    of_source = Counter(row["source"] for row in rows)
    of_link = Counter(link for row in rows for link in row["links"] or ())
    publishers = {row["source"] for row in rows if row["source_kind"] != "account" or (row["audience"] or 0) >= 5000}

    assert of_source.most_common(1)[0][1] > 4 * N / len(of_source)
    assert of_link.most_common(1)[0][1] > 50
    assert 0.05 < len(publishers) / len(of_source) < 0.2


def test_times_span_thirty_days_with_quiet_nights(rows: list[dict]) -> None:
    times = [row["published_at"] for row in rows]
    hours = Counter(at.hour for at in times)

    assert timedelta(days=29, hours=23) < max(times) - min(times) < timedelta(days=30, seconds=30)
    assert hours[3] < 0.2 * hours[19]


def test_groups_share_their_links_within_seconds(rows: list[dict]) -> None:
    groups = scale_groups(N)
    events = defaultdict(list)
    for row in rows:
        if row["links"] and row["links"][0].startswith("https://band.example/"):
            events[row["links"][0]].append(row)

    assert len(groups) == 5
    assert len(events) == 100
    for event in events.values():
        times = [row["published_at"] for row in event]
        assert sorted(row["source"] for row in event) in [sorted(members) for members in groups.values()]
        assert max(times) - min(times) < timedelta(seconds=20)


def test_small_sets_have_no_groups_and_still_work() -> None:
    made = pa.concat_tables(scale_posts(["one two three", "four"], 50))

    assert scale_groups(50) == {}
    assert made.num_rows == 50


@pytest.mark.parametrize("texts", [[], ["", "  "], ["https://a.example/b"]])
def test_texts_without_words_are_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="no words"):
        next(scale_posts(texts, 10))


@pytest.mark.parametrize("n_posts", [0, -1, MAX_POSTS + 1])
def test_an_impossible_number_of_posts_is_refused(n_posts: int) -> None:
    with pytest.raises(ConfigError, match="posts can be made"):
        next(scale_posts(["a b"], n_posts))


def test_scripts_are_not_mixed_in_one_text() -> None:
    texts = ["one two three four five six seven eight", "раз два три четыре пять шесть семь восемь"] * 20
    for text in pa.concat_tables(scale_posts(texts, 500))["text"].to_pylist():
        bare = text.split(" #")[0].split(" http")[0]
        assert not (any("а" <= c <= "я" for c in bare) and any("a" <= c <= "z" for c in bare))


def test_a_trending_link_hides_a_group_that_also_shares_ordinary_links(texts: pa.Table) -> None:
    made = trending(texts, 5000, n_accounts=4000, group_size=12)
    shares = defaultdict(list)
    for row in made.posts.to_pylist():
        shares[row["links"][0]].append(row)
    hour = [row["published_at"] for row in shares[made.link]]

    assert len(shares[made.link]) == 5012
    assert max(hour) - min(hour) <= timedelta(hours=1)
    assert hour == sorted(hour)
    assert len(made.ordinary) == 3
    for link in (made.link, *made.ordinary):
        at = [row["published_at"] for row in shares[link] if row["source"] in made.group]
        assert len(at) == 12
        assert max(at) - min(at) < timedelta(seconds=5)
    assert all(len(shares[link]) == 32 for link in made.ordinary)


def test_mixed_bits_are_pinned() -> None:
    assert [int(mix(1, number, 2)) % 1000 for number in range(3)] == [910, 118, 707]
