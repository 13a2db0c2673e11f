"""Big sets of posts for benchmarks, made from given texts and streamed in chunks.

The mix: about 55 % new texts, 15 % near-copies (one to three words edited), 20 % exact repeats (reposts, forwards
and pasted copies), 10 % scraps of one to three words. Sources and links are heavy-tailed (Zipf), one source in ten
is a publisher, hours follow day and night, and some groups move together. Post ``i`` depends on (seed, i) and the
total only, so that a million posts need no more memory than one chunk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.errors import ConfigError
from bastau.schemas import POST_FORMAT, POSTS, TIME
from bastau.settings import Publishers
from bastau.simulate.remix import Corpus, mix, mix_all

N_DAYS = 30
N_GROUPS = 5
GROUP_SIZE = 8
_EVENTS_PER_GROUP = 20
_CHUNK_ROWS = 100_000
_HOUR_MS = 3_600_000
_HOUR_US = 3_600_000_000
_OTHER_SHARERS = 20
MAX_POSTS = 10**8
"""With more, the arithmetic of times would leave 64 bits."""
_START = datetime(2025, 3, 1, tzinfo=UTC)
_POST_TABLE = pa.schema([POSTS.field(name) for name in POST_FORMAT])

# kinds of post; the first three are what the shares of 100 in `_kind` say
_NEW, _NEAR, _REPEAT, _SCRAP, _EVENT = range(5)

# Posts an hour (UTC) out of 100 at the busiest.
_RHYTHM = np.array(
    [20, 14, 10, 8, 9, 14, 28, 45, 60, 70, 76, 78, 76, 74, 72, 72, 76, 84, 94, 100, 92, 70, 46, 30], np.uint64
)
_KINDS = ("outlet", "channel", "page", "account")
_PLATFORMS = ("web", "telegram", "vk", "x", "mastodon")
_ACCOUNTS_ON = np.array([3, 3, 3, 3, 3, 3, 2, 2, 4, 4])


@nb.njit(nogil=True, cache=True)
def _event_of(i, n_posts, n_events):  # type: ignore[no-untyped-def]
    """Return (event, member) when post ``i`` belongs to a group's event, else (-1, -1)."""
    if n_events == 0:
        return -1, -1
    step = n_posts // (n_events + 1)
    event = i // step - 1
    member = i - (event + 1) * step
    if 0 <= event < n_events and member < GROUP_SIZE:
        return event, member
    return -1, -1


@nb.njit(nogil=True, cache=True)
def _kind(i, n_posts, n_events, seed):  # type: ignore[no-untyped-def]
    if _event_of(i, n_posts, n_events)[0] >= 0:
        return _EVENT
    share = mix(seed, i, 1) % np.uint64(100)
    if i < 10 or share < 55:
        return _NEW
    if share < 70:
        return _NEAR
    return _REPEAT if share < 90 else _SCRAP


@nb.njit(nogil=True, cache=True)
def _earlier(i, seed):  # type: ignore[no-untyped-def]
    """Return an earlier post to copy: the distance is log-uniform, so that fresh posts are copied most."""
    h = mix(seed, i, 2)
    doublings = 1
    while (1 << (doublings + 1)) <= i:
        doublings += 1
    width = np.uint64(1) << (np.uint64(1) + h % np.uint64(doublings))
    return max(i - 1 - np.int64((h >> np.uint64(16)) % width), 0)


@nb.njit(nogil=True, cache=True)
def _plan(first, n, n_posts, n_events, seed, kinds, roots, events):  # type: ignore[no-untyped-def]
    """Fill the kind, the post whose text it carries, and the event (-1: none) of posts ``first .. first + n``."""
    for k in range(n):
        i = first + k
        kind = _kind(i, n_posts, n_events, seed)
        kinds[k], roots[k], events[k] = kind, i, -1
        if kind == _EVENT:
            event, member = _event_of(i, n_posts, n_events)
            events[k], roots[k] = event, i - member
        elif kind in (_NEAR, _REPEAT):
            root = i
            while True:
                # copying a copy is copying its original: cascades grow as those of real posts do
                root = _earlier(root, seed)
                while _kind(root, n_posts, n_events, seed) in (_SCRAP, _EVENT):
                    root -= 1
                if _kind(root, n_posts, n_events, seed) == _NEW:
                    break
            roots[k] = root


def scale_groups(n_posts: int) -> dict[str, list[str]]:
    """Return the coordinated groups of a set of this size, name -> sources; none below 2,000 posts."""
    if _n_events(n_posts) == 0:
        return {}
    return {f"band{g}": [_member(g, m) for m in range(GROUP_SIZE)] for g in range(N_GROUPS)}


def _member(group: int, member: int) -> str:
    return f"band{group}_{member}"


def _n_events(n_posts: int) -> int:
    """Return how many events all groups have; each takes GROUP_SIZE posts and at most one post in eight is in one."""
    return min(N_GROUPS * _EVENTS_PER_GROUP, n_posts // 64 - 1) if n_posts >= 2000 else 0


@dataclass(frozen=True)
class _Sources:
    """Columns of the sources by rank; the groups' members come last."""

    table: pa.Table
    platform: np.ndarray
    cumulative: np.ndarray

    @classmethod
    def of(cls, n: int, n_events: int, seed: int) -> "_Sources":
        bits = mix_all(seed, np.arange(n), 3)
        share = bits % np.uint64(100)
        kind = np.searchsorted(np.array([2, 7, 8], np.uint64), share, side="right")
        account = _ACCOUNTS_ON[((bits >> np.uint64(8)) % np.uint64(len(_ACCOUNTS_ON))).astype(np.int64)]
        platform = np.where(kind == 3, account, np.minimum(kind, 2))
        low = np.where(share < 10, Publishers().min_audience, 20).astype(np.uint64)
        audience = low + ((bits >> np.uint64(16)) % low) * ((bits >> np.uint64(32)) % np.uint64(9))
        audience = np.where((kind == 3) & (share >= 10), np.minimum(audience, np.uint64(4_000)), audience)
        if n_events:
            members = N_GROUPS * GROUP_SIZE
            kind = np.append(kind, np.full(members, 1))
            platform = np.append(platform, np.full(members, 1))
            audience = np.append(audience, np.full(members, 9_000, np.uint64))
        handles = pc.binary_join_element_wise("reader_", _as_text(np.arange(n)), "")
        handles = pc.if_else(pa.array(kind[:n] == 0), pc.binary_join_element_wise(handles, ".example", ""), handles)
        named = [_member(g, m) for g in range(N_GROUPS) for m in range(GROUP_SIZE)] if n_events else []
        handle = pa.concat_arrays([handles, pa.array(named, pa.string())])
        platforms = pa.array(_PLATFORMS).take(pa.array(platform))
        home = pc.if_else(
            pa.array(platform == 0),
            pc.binary_join_element_wise("https://", handle, ""),
            pc.binary_join_element_wise(
                "https://", platforms, ".example/", pa.array(["", "@"]).take(pa.array((kind == 3) * 1)), handle, ""
            ),
        )
        table = pa.table(
            {
                "source": handle,
                "platform": platforms,
                "source_kind": pa.array(_KINDS).take(pa.array(kind)),
                "audience": pa.array(audience.astype(np.int64)),
                "home": home,
            }
        )
        # 1 / (rank + 20): the busiest of 50,000 sources writes one post in 150
        return cls(table, platform, _zipf(n, 20))

    def drawn(self, numbers: np.ndarray, seed: int) -> np.ndarray:
        """Return the source of each post, before groups and reposts have their say."""
        return _draw(self.cumulative, mix_all(seed, numbers, 4))


def _zipf(n: int, flat: int) -> np.ndarray:
    """Return cumulative integer weights of 1 / (rank + ``flat``)."""
    return np.cumsum(np.uint64(1 << 32) // np.arange(flat, n + flat, dtype=np.uint64))


def _draw(cumulative: np.ndarray, bits: np.ndarray) -> np.ndarray:
    return np.searchsorted(cumulative, bits % cumulative[-1], side="right")


def _as_text(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _link_table(n: int, seed: int) -> pa.Array:
    """Return ``n`` addresses on as many as n / 20 sites; some with tracking parameters, as they are pasted."""
    numbers = np.arange(n)
    sites = _as_text(mix_all(seed, numbers, 5) % np.uint64(max(1, n // 20)))
    tails = pa.array(["", "", "", "?utm_source=share&utm_medium=post", "?id=7"])
    tail = tails.take(pa.array((mix_all(seed, numbers, 6) % np.uint64(5)).astype(np.int64)))
    return pc.binary_join_element_wise("https://site", sites, ".example/story/", _as_text(numbers), tail, "")


def _hashtag_table(seed: int) -> pa.Array:
    """Return 4,000 strings of one to four hashtags, common ones more often."""
    tags = _draw(_zipf(3000, 3), mix_all(seed, np.arange(16_000), 7)).reshape(-1, 4)
    sizes = 1 + _draw(np.cumsum(np.array([5, 3, 1, 1], np.uint64)), mix_all(seed, np.arange(4000), 8))
    return pa.array([" ".join(f"#topic{t}" for t in row[:size]) for row, size in zip(tags, sizes, strict=True)])


def _published(numbers: np.ndarray, n_posts: int, start: datetime) -> np.ndarray:
    """Return int64 microseconds: the posts spread evenly over the weighted hours of all days."""
    weights = np.tile(_RHYTHM, N_DAYS)
    ends = np.cumsum(weights) * np.uint64(_HOUR_MS)
    spot = numbers.astype(np.uint64) * ends[-1] // np.uint64(n_posts)
    hour = np.searchsorted(ends, spot, side="right")
    into = (spot + weights[hour] * np.uint64(_HOUR_MS) - ends[hour]) // weights[hour]
    return int(start.timestamp()) * 1_000_000 + (hour * _HOUR_MS + into.astype(np.int64)) * 1000


def scale_posts(
    texts: Sequence[str] | pa.Table,
    n_posts: int,
    seed: int = 2026,
    *,
    start: datetime = _START,
    chunk_rows: int = _CHUNK_ROWS,
) -> Iterator[pa.Table]:
    """Yield ``n_posts`` posts of 30 days from ``start`` in chunks, roughly in order of time.

    Args:
        texts: what to make texts from; a table has ``text`` and perhaps ``language``, whose texts are kept apart
            (without it, Cyrillic ones from others).

    Raises:
        ConfigError: no words in the texts, or more posts than MAX_POSTS.
    """
    if not 0 < n_posts <= MAX_POSTS:
        raise ConfigError(f"between 1 and {MAX_POSTS} posts can be made, not {n_posts}")
    factory = _Factory.of(texts, n_posts, seed, start)
    for first in range(0, n_posts, chunk_rows):
        yield factory.make(first, min(chunk_rows, n_posts - first))


@dataclass(frozen=True)
class _Factory:
    """What is shared by all chunks."""

    corpus: Corpus
    sources: _Sources
    links: pa.Array
    link_weights: np.ndarray
    hashtags: pa.Array
    n_posts: int
    n_events: int
    seed: int
    start: datetime

    @classmethod
    def of(cls, texts: Sequence[str] | pa.Table, n_posts: int, seed: int, start: datetime) -> "_Factory":
        n_links = max(50, n_posts // 10)
        return cls(
            corpus=Corpus.of(texts),
            sources=_Sources.of(max(200, n_posts // 20), _n_events(n_posts), seed),
            links=_link_table(n_links, seed),
            link_weights=_zipf(n_links, 5),
            hashtags=_hashtag_table(seed),
            n_posts=n_posts,
            n_events=_n_events(n_posts),
            seed=seed,
            start=start,
        )

    def make(self, first: int, n: int) -> pa.Table:
        """Return posts ``first .. first + n``."""
        numbers = np.arange(first, first + n)
        kinds, roots, events = np.empty(n, np.int8), np.empty(n, np.int64), np.empty(n, np.int64)
        _plan(first, n, self.n_posts, self.n_events, self.seed, kinds, roots, events)
        bits = mix_all(self.seed, numbers, 9)
        edited = (kinds == _NEAR) | ((kinds == _EVENT) & (numbers > roots) & (bits % np.uint64(2) == 0))
        text = self.corpus.write(roots, (kinds == _SCRAP).astype(np.int8), np.where(edited, numbers + 1, 0), self.seed)
        links, hashtags = self._attachments(numbers, kinds, roots, events, bits)
        text = pc.binary_join_element_wise(text.cast(pa.string()), hashtags, links, " ", null_handling="skip")
        who = self._who(numbers, kinds, roots, events)
        at = _published(np.where(kinds == _EVENT, roots, numbers), self.n_posts, self.start)
        at += np.where(kinds == _EVENT, (bits >> np.uint64(40)) % np.uint64(20_000_000), 0).astype(np.int64)
        reposts = self._reposts(kinds, roots, who, bits)
        return _post_table(self.sources.table.take(pa.array(who)), numbers, at, bits, text, links, reposts)

    def _who(self, numbers: np.ndarray, kinds: np.ndarray, roots: np.ndarray, events: np.ndarray) -> np.ndarray:
        members = len(self.sources.cumulative) + events % N_GROUPS * GROUP_SIZE + numbers - roots
        return np.where(kinds == _EVENT, members, self.sources.drawn(numbers, self.seed))

    def _attachments(
        self, numbers: np.ndarray, kinds: np.ndarray, roots: np.ndarray, events: np.ndarray, bits: np.ndarray
    ) -> tuple[pa.Array, pa.Array]:
        """Return a link and hashtags or null for each post; copies keep those of the original, near-copies half."""
        own = (kinds == _NEAR) & ((bits >> np.uint64(8)) % np.uint64(2) == 0)
        of = mix_all(self.seed, np.where(own, numbers, roots), 10)
        plain = (kinds == _SCRAP) | (kinds == _EVENT)
        drawn = _draw(self.link_weights, mix_all(self.seed, np.where(own, numbers, roots), 17))
        links = self.links.take(pa.array(drawn, mask=plain | (of % np.uint64(100) >= 30)))
        event_links = pc.binary_join_element_wise("https://band.example/page", _as_text(events), "/")
        links = pc.if_else(pa.array(kinds == _EVENT), event_links, links)
        tag = ((of >> np.uint64(8)) % np.uint64(len(self.hashtags))).astype(np.int64)
        tagless = plain | ((of >> np.uint64(32)) % np.uint64(100) >= 20)
        return links, self.hashtags.take(pa.array(tag, mask=tagless))

    def _reposts(
        self, kinds: np.ndarray, roots: np.ndarray, who: np.ndarray, bits: np.ndarray
    ) -> tuple[pa.Array, pa.Array]:
        """Return repost_of and forwarded_from: three in four exact repeats within a platform used its button."""
        original = self.sources.drawn(roots, self.seed)
        platform = self.sources.platform
        by_button = (kinds == _REPEAT) & (platform[original] == platform[who]) & (platform[who] > 0)
        by_button &= (bits >> np.uint64(16)) % np.uint64(4) > 0
        channel = platform[who] == _PLATFORMS.index("telegram")
        table = self.sources.table
        repost = table.take(pa.array(original, mask=~by_button | channel))
        ids = pc.binary_join_element_wise(
            pc.binary_join_element_wise(repost.column("platform"), repost.column("source"), ":"), _as_text(roots), "/"
        )
        return ids, table.column("source").take(pa.array(original, mask=~by_button | ~channel))


def _post_table(
    sources: pa.Table,
    numbers: np.ndarray,
    at: np.ndarray,
    bits: np.ndarray,
    text: pa.Array,
    links: pa.Array,
    reposts: tuple[pa.Array, pa.Array],
) -> pa.Table:
    """Return the Post format; ``sources`` has one row a post."""
    n, number = len(numbers), _as_text(numbers)
    likes = sources.column("audience").to_numpy() * ((bits >> np.uint64(24)) % np.uint64(8)).astype(np.int64) // 100
    collected = at + 900_000_000 + ((bits >> np.uint64(30)) % np.uint64(3_000_000_000)).astype(np.int64)
    columns = {
        "post_id": pc.binary_join_element_wise(
            pc.binary_join_element_wise(sources.column("platform"), sources.column("source"), ":"), number, "/"
        ),
        "platform": sources.column("platform"),
        "source": sources.column("source"),
        "source_kind": sources.column("source_kind"),
        "audience": sources.column("audience"),
        "published_at": pa.array(at).cast(TIME),
        "collected_at": pa.array(collected).cast(TIME),
        "url": pc.binary_join_element_wise(sources.column("home"), number, "/"),
        "text": text,
        "links": _as_lists(links),
        "repost_of": reposts[0],
        "forwarded_from": reposts[1],
        "likes": pa.array(likes),
        "shares": pa.array(likes // 5),
        "replies": pa.array(likes // 9),
        "views": pa.array(likes * 12),
    }
    arrays = [columns.get(field.name) for field in _POST_TABLE]
    filled = [pa.nulls(n, f.type) if a is None else a for a, f in zip(arrays, _POST_TABLE, strict=True)]
    return pa.table(filled, names=_POST_TABLE.names).cast(_POST_TABLE)


def _as_lists(values: pa.Array) -> pa.Array:
    """Return lists of one value, null where the value is."""
    there = pc.is_valid(values)
    ends = np.concatenate([[0], np.cumsum(there.to_numpy(zero_copy_only=False))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pc.drop_null(values), mask=pc.invert(there))


@dataclass(frozen=True)
class Trending:
    """One link that everybody shares within an hour, and a group that hides among them.

    Attributes:
        posts: Post format, ordered by time.
        link: the trending address.
        group: sources that share the trending link and every one of ``ordinary`` within five seconds of each other.
        ordinary: addresses that the group and a few others share.
    """

    posts: pa.Table
    link: str
    group: list[str]
    ordinary: list[str]


def trending(
    texts: Sequence[str] | pa.Table,
    n_shares: int = 200_000,
    *,
    n_accounts: int = 150_000,
    group_size: int = 12,
    n_ordinary: int = 3,
    seed: int = 2026,
    start: datetime = _START,
) -> Trending:
    """Return ``n_shares`` shares of one link within an hour by ``n_accounts`` accounts, and a hidden group's posts.

    Each ordinary link is also shared by 20 accounts that have nothing to do with the group, some hours later.
    """
    sources, corpus = _Sources.of(n_accounts, 0, seed), Corpus.of(texts)
    members = [f"hidden_{m}" for m in range(group_size)]
    joined = _with_members(sources.table, members)
    n_objects = 1 + n_ordinary
    # object 0 is the trending link
    objects = np.concatenate(
        [
            np.zeros(n_shares, np.int64),
            np.repeat(np.arange(n_objects), group_size),
            np.repeat(np.arange(1, n_objects), _OTHER_SHARERS),
        ]
    )
    bits = mix_all(seed, np.arange(len(objects)), 20)
    who = (bits % np.uint64(n_accounts)).astype(np.int64)
    is_member = slice(n_shares, n_shares + n_objects * group_size)
    who[is_member] = n_accounts + np.tile(np.arange(group_size), n_objects)
    at = ((bits >> np.uint64(20)) % np.uint64(_HOUR_US)).astype(np.int64) + objects * 3 * _HOUR_US
    moments = mix_all(seed, objects[is_member], 21) % np.uint64(_HOUR_US - 5_000_000)
    jitter = (bits[is_member] >> np.uint64(20)) % np.uint64(5_000_000)
    at[is_member] = (moments + jitter).astype(np.int64) + objects[is_member] * 3 * _HOUR_US
    order = np.argsort(at, kind="stable")
    objects, bits, who, at = objects[order], bits[order], who[order], at[order]
    addresses = pa.array([f"https://object{k}.example/story" for k in range(n_objects)])
    links, numbers = addresses.take(pa.array(objects)), np.arange(len(objects))
    plain = corpus.write(numbers, np.zeros(len(numbers), np.int8), np.zeros(len(numbers), np.int64), seed)
    text = pc.binary_join_element_wise(plain.cast(pa.string()), links, " ")
    at += int(start.timestamp()) * 1_000_000
    nothing = pa.nulls(len(numbers), pa.string())
    posts = _post_table(joined.take(pa.array(who)), numbers, at, bits, text, links, (nothing, nothing))
    return Trending(posts, addresses[0].as_py(), members, addresses[1:].to_pylist())


def _with_members(sources: pa.Table, members: list[str]) -> pa.Table:
    added = {
        "source": members,
        "platform": ["telegram"] * len(members),
        "source_kind": ["channel"] * len(members),
        "audience": [9_000] * len(members),
        "home": [f"https://telegram.example/{member}" for member in members],
    }
    return pa.concat_tables([sources, pa.table(added, schema=sources.schema)])
