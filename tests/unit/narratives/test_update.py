import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrative_posts import Post, fetcher, key, narratives, plain_grouping, table

from bastau.errors import ContractError
from bastau.narratives.update import STATE_TEXTS, Limits, State, update
from bastau.schemas import MEMBERS, TEXT_PAIRS

BRIDGE = "the new bridge over the river will be opened to everybody before the end of this summer"
BRIDGE_2 = BRIDGE + " they say"
MARKET = "prices of bread and milk at the central market went up again after the long dry spring"
TINY = Limits(centres=2, crowd=4, crowd_centres=1, linkage_texts=3)
STARS = Limits(centres=1, crowd=100, crowd_centres=1, linkage_texts=100)


def group(posts: list[Post], *, previous: State | None = None, known: tuple[Post, ...] = (), **options) -> State:
    options = {"similarity": 0.7} | options
    return update(previous, table(posts), fetcher([*known, *posts]), **options)


def rows_by_name(state: State, *names: str) -> list[dict]:
    rows = {row["post_key"]: row for row in state.members.to_pylist()}
    return [rows[key(name)] for name in names]


def assert_equal(a: State, b: State) -> None:
    for name in ("texts", "pairs", "members", "posts"):
        assert getattr(a, name).equals(getattr(b, name)), name


class TestGrouping:
    def test_equal_texts_and_near_copies_share_a_narrative_that_bears_the_key_of_its_earliest_post(self):
        state = group([Post("b", 5, BRIDGE), Post("a", 3, BRIDGE_2), Post("c", 9, BRIDGE), Post("x", 1, MARKET)])
        a, b, c, x = rows_by_name(state, "a", "b", "c", "x")
        assert {row["narrative_key"] for row in (a, b, c)} == {key("a")}
        assert [row["joined_by"] for row in (a, b, c)] == ["text", "near_copy", "near_copy"]
        assert a["similarity"] == 1.0
        assert 0.7 <= b["similarity"] == c["similarity"] < 1.0
        assert x["narrative_key"] is None
        assert x["joined_by"] is None
        assert x["similarity"] is None
        assert x["text_key"] == key(MARKET)

    def test_every_post_is_a_member_once(self):
        posts = [Post(f"p{i}", i, [BRIDGE, MARKET, None][i % 3], "p0" if i % 5 == 0 else None) for i in range(30)]
        members = group(posts).members
        assert members.schema.equals(MEMBERS, check_metadata=True)
        assert sorted(members.column("post_key").to_pylist()) == sorted(key(post.name) for post in posts)

    def test_pairs_are_ascending_and_within_the_threshold(self):
        texts = [BRIDGE, BRIDGE_2, BRIDGE + " now", "well " + BRIDGE, MARKET]
        pairs = group([Post(str(i), i, text) for i, text in enumerate(texts)]).pairs
        assert pairs.schema.equals(TEXT_PAIRS, check_metadata=True)
        rows = [(p["text_a"], p["text_b"]) for p in pairs.to_pylist()]
        assert rows == sorted(rows)
        assert all(a < b for a, b in rows)
        assert len(rows) == 6
        assert min(pairs.column("similarity").to_pylist()) >= 0.7

    def test_texts_that_only_chain_stay_apart(self):
        words = [f"word{i:02}" for i in range(60)]
        # Each text moves four words on: neighbours are similar at .7, the ends share nothing.
        texts = [" ".join(words[i : i + 24]) for i in range(0, 33, 4)]
        state = group([Post(str(i), i, text) for i, text in enumerate(texts)])
        assert state.pairs.num_rows == len(texts) - 1
        assert len(set(state.texts.column("component").to_pylist())) == 1
        assert len(narratives(state)) > 2

    def test_an_empty_table_gives_empty_tables(self):
        state = group([])
        assert state.members.num_rows == state.pairs.num_rows == state.texts.num_rows == state.posts.num_rows == 0
        assert state.texts.schema.equals(STATE_TEXTS)
        assert_equal(group([], previous=state), state)

    def test_posts_without_any_text_are_unclustered(self):
        assert (
            group([Post("a"), Post("b"), Post("c", repost_of="unknown")]).members.column("narrative_key").null_count
            == 3
        )


class TestReposts:
    def test_a_repost_without_text_joins_its_original_through_a_chain(self):
        posts = [Post("a", 1, BRIDGE), Post("b", 2, None, "a"), Post("c", 3, None, "b")]
        a, b, c = rows_by_name(group(posts), "a", "b", "c")
        assert a["narrative_key"] == b["narrative_key"] == c["narrative_key"] == key("a")
        assert (a["joined_by"], b["joined_by"], c["joined_by"]) == ("text", "repost", "repost")
        assert b["similarity"] is None

    def test_a_repost_with_a_text_of_its_own_goes_by_its_text(self):
        posts = [Post("a", 1, BRIDGE), Post("b", 2, MARKET, "a"), Post("c", 3, MARKET)]
        assert narratives(group(posts)) == {None: {key("a")}, key("b"): {key("b"), key("c")}}

    def test_reposts_of_a_picture_are_a_narrative_with_it(self):
        posts = [Post("a", 1), Post("b", 2, None, "a"), Post("c", 3, None, "a"), Post("d", 4)]
        assert narratives(group(posts)) == {key("a"): {key("a"), key("b"), key("c")}, None: {key("d")}}

    def test_posts_that_repeat_each_other_in_a_circle_are_one_narrative(self):
        posts = [Post("a", 2, None, "c"), Post("b", 1, None, "a"), Post("c", 3, None, "b"), Post("d", 4, None, "a")]
        posts.append(Post("self", 0, None, "self"))
        assert narratives(group(posts)) == {key("b"): {key(n) for n in "abcd"}, None: {key("self")}}

    def test_a_repost_dated_before_its_original_gives_the_narrative_its_key(self):
        state = group([Post("a", 5, BRIDGE), Post("b", 4, None, "a")])
        assert set(narratives(state)) == {key("b")}
        assert rows_by_name(state, "a")[0]["joined_by"] == "text"

    def test_an_original_that_comes_later_is_found(self):
        repost, original = Post("b", 4, None, "a"), Post("a", 1, BRIDGE)
        first = group([repost])
        assert set(narratives(first)) == {None}
        assert_equal(group([original], previous=first, known=(repost,)), group([original, repost]))


class TestUpdates:
    def test_an_earlier_post_of_a_known_text_renames_the_narrative_and_measures_from_its_text(self):
        known = (Post("a", 5, BRIDGE), Post("b", 6, BRIDGE_2))
        first = group(list(known))
        second = group([Post("c", 1, BRIDGE_2)], previous=first, known=known)
        assert set(narratives(first)) == {key("a")}
        assert set(narratives(second)) == {key("c")}
        a, b = rows_by_name(second, "a", "b")
        assert (a["joined_by"], b["joined_by"], b["similarity"]) == ("near_copy", "text", 1.0)
        assert_equal(second, group([*known, Post("c", 1, BRIDGE_2)]))

    def test_posts_that_are_known_change_nothing(self):
        posts = [Post("a", 5, BRIDGE), Post("b", 6, BRIDGE_2), Post("c", 7, None, "a")]
        state = group(posts)
        assert_equal(group(posts, previous=state), state)
        assert_equal(group([*posts, *posts]), state)

    def test_texts_far_from_anything_new_are_not_fetched(self):
        known = (Post("a", 1, BRIDGE), Post("b", 2, BRIDGE_2), Post("c", 3, MARKET))
        state = group(list(known))
        asked: list[int] = []

        def fetch(keys: np.ndarray) -> pa.Table:
            asked.extend(keys.tolist())
            return fetcher([*known, Post("d", 4, MARKET + " they say")])(keys)

        update(state, table([Post("d", 4, MARKET + " they say")]), fetch, similarity=0.7)
        assert sorted(asked) == sorted([key(MARKET), key(MARKET + " they say")])

    def test_texts_that_come_with_the_posts_are_not_fetched(self):
        posts = [Post("a", 1, BRIDGE), Post("b", 2, BRIDGE_2), Post("c", 3)]
        new = table(posts).append_column("folded", pa.array([post.text or "" for post in posts]))

        def refuse(keys: np.ndarray) -> pa.Table:
            raise AssertionError(f"{len(keys)} texts asked for")

        assert_equal(update(None, new, refuse, similarity=0.7), group(posts))

    def test_a_text_that_does_not_come_is_a_contract_error(self):
        posts = [Post("a", 1, BRIDGE), Post("b", 2, BRIDGE_2)]
        with pytest.raises(ContractError, match="did not come"):
            update(None, table(posts), lambda keys: fetcher(posts)(keys[:1]), similarity=0.7)

    def test_a_text_without_bands_is_a_contract_error(self):
        new = table([Post("a", 1, BRIDGE)])
        new = new.set_column(4, "bands", pa.nulls(1, new.schema.field("bands").type))
        with pytest.raises(ContractError, match="no bands"):
            update(None, new, fetcher([]), similarity=0.7)


NAMES = [f"p{i}" for i in range(20)]


def window(start: int, length: int) -> str:
    """Return some of a row of words: windows that lie close together are alike, others are not."""
    return " ".join(f"word{chr(97 + i)}" for i in range(start, start + length))


TEXTS = st.builds(window, st.integers(0, 9), st.integers(4, 6))


def few_bands(text: str) -> bytes:
    """Return a signature with few values, so that buckets overflow and centres are displaced all the time."""
    digest = hashlib.sha256(text.encode()).digest()
    values = [digest[band] % (band + 1) for band in range(3)] + [int.from_bytes(digest[:4], "little")] * 13
    return np.array(values, np.uint32).tobytes()


@st.composite
def batches(draw: st.DrawFn) -> list[list[Post]]:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    posts = [
        Post(name, draw(st.integers(0, 6)), draw(st.none() | TEXTS), draw(st.none() | st.sampled_from(NAMES)))
        for name in names
    ]
    cuts = sorted(draw(st.lists(st.integers(0, len(posts)), max_size=4)))
    return [posts[a:b] for a, b in zip([0, *cuts], [*cuts, len(posts)], strict=True)]


class TestLaws:
    @settings(max_examples=100, deadline=None)
    @given(batches(), st.sampled_from([TINY, STARS]))
    def test_any_order_in_any_batches_gives_the_obvious_answer(self, parts, limits):
        posts = [post for part in parts for post in part]
        pairs, members = plain_grouping(posts, 0.5, limits, few_bands)
        fetch = fetcher(posts)
        state = None
        for part in parts:
            state = update(state, table(part, few_bands), fetch, similarity=0.5, limits=limits)
        assert state.pairs.to_pylist() == pairs
        assert state.members.to_pylist() == members
        whole = update(None, table(sorted(posts), few_bands), fetch, similarity=0.5, limits=limits, threads=1)
        assert_equal(state, whole)


class TestFlood:
    def test_many_variants_of_one_sentence_have_few_pairs_each_and_one_narrative(self):
        n = 4000
        posts = [Post(f"p{i}", i, f"{BRIDGE} {i:05}") for i in range(n)]
        state = group(posts)
        assert state.pairs.num_rows < 40 * n
        assert len(set(state.texts.column("cluster").to_pylist())) == 1
        assert set(narratives(state)) == {key("p0")}
