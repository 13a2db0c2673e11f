"""The operator's own narratives (`narratives.yaml` in the home folder): a step of the pipeline over what was told.

What chance makes of each proposition is measured when the file is new or has changed, and kept; after that only tellings
that are new are looked at, so that a day's work costs a day's texts.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.home import Generation, Home
from bastau.narratives.curated import SAMPLE, Curated, Matcher, find_file, fingerprint, match, read_curated
from bastau.read.fold import Fold
from bastau.schemas import CURATED, POSTS

CURATED_TABLES = ("curated", "state_curated")
_STATE = pa.schema(
    [
        ("rarity", pa.list_(pa.float32())),
        ("share", pa.list_(pa.float64())),
        ("base", pa.list_(pa.float64())),
        ("spread", pa.list_(pa.float64())),
        ("n_tellings", pa.int64()),
    ]
)

Fetch = Callable[[np.ndarray], Iterable[pa.Table]]
"""post_keys -> tables (post_key, folded) of them."""


def curated_fingerprint(home: Home) -> str:
    """Return a hash of the operator's narratives, empty when there are none."""
    return fingerprint(find_file(home.folder))


def match_curated(home: Home, generation: Generation, previous: Generation | None, fetch: Fetch) -> str:
    """Write CURATED of ``generation``, whose tellings are written, and return what it was made by.

    Args:
        home: whose file to match.
        generation: being made.
        previous: the generation whose matches of tellings that stayed are taken over; None for all anew.
        fetch: brings texts.

    Raises:
        ConfigError: the file cannot be read, or says something that has no sense.
    """
    path = find_file(home.folder)
    made_by = fingerprint(path)
    if path is None:
        generation.write("curated", CURATED.empty_table())
        return made_by
    curated = read_curated(path)
    tellings = generation.read("tellings", ["telling_key", "text_post_key"])
    if previous is not None and previous.manifest.get("curated_made_by") == made_by and previous.paths("state_curated"):
        state = previous.read("state_curated")
        matcher = _restore(state, curated)
        stayed = _stayed(tellings, previous.read("tellings", ["telling_key", "text_post_key"]))
        kept = previous.read("curated")
        kept = kept.filter(
            pc.is_in(kept.column("telling_key"), tellings.column("telling_key").filter(stayed).combine_chunks())
        )
        tellings = tellings.filter(pc.invert(stayed))
    else:
        kept = CURATED.empty_table()
        sample = pa.chunked_array([folded for _, folded in _texts(_sample(tellings), fetch)], pa.string())
        matcher = Matcher.fit(curated, _fold, sample, tellings.num_rows)
        state = _keep(matcher)
    found = match(matcher, curated, _texts(tellings, fetch))
    rows = pa.concat_tables([kept, found]).sort_by([("curated_id", "ascending"), ("telling_key", "ascending")])
    generation.write("curated", rows)
    generation.write("state_curated", state)
    return made_by


def renew_curated(home: Home, previous: Generation, fetch: Fetch) -> Generation:
    """Put a generation in force that is ``previous`` with the operator's narratives matched again, because they changed."""
    generation = home.next_generation(previous, without=CURATED_TABLES)
    made_by = match_curated(home, generation, None, fetch)
    return home.put_in_force(generation, {**previous.manifest, "curated_made_by": made_by})


def _stayed(now: pa.Table, before: pa.Table) -> pa.Array:
    """Return which tellings were there with the same text."""
    known = dict(zip(*(column.to_pylist() for column in before.columns), strict=True))
    return pa.array(
        [known.get(key) == post for key, post in zip(*(c.to_pylist() for c in now.columns), strict=True)], pa.bool_()
    )


def _sample(tellings: pa.Table) -> pa.Table:
    """Return tellings that stand for all: those whose mixed keys are smallest, whatever the order."""
    # Keys are hashes already; the product only makes the choice independent of their order elsewhere.
    mixed = tellings.column("telling_key").to_numpy().view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return tellings.take(pa.array(np.argsort(mixed, kind="stable")[:SAMPLE]))


def _texts(tellings: pa.Table, fetch: Fetch) -> Iterator[tuple[np.ndarray, pa.ChunkedArray]]:
    """Yield (telling keys, folded texts) of ``tellings``."""
    posts = tellings.column("text_post_key").to_numpy()
    if not len(posts):
        return
    order = np.argsort(posts)
    keys = tellings.column("telling_key").to_numpy()[order]
    for some in fetch(posts):
        at = np.searchsorted(posts[order], some.column("post_key").to_numpy())
        yield keys[at], some.column("folded").cast(pa.string())


def _fold(texts: pa.Array) -> pa.ChunkedArray:
    title = POSTS.field("title")
    posts = pa.table({"title": pa.nulls(len(texts), title.type), "text": texts})
    return Fold().run(posts).column("folded")


def _keep(matcher: Matcher) -> pa.Table:
    columns = [[matcher.rarity], [matcher.share], [matcher.base], [matcher.spread], [matcher.n_tellings]]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, _STATE, strict=True)], schema=_STATE)


def _restore(state: pa.Table, curated: tuple[Curated, ...]) -> Matcher:
    rarity, *tails = (state.column(name).combine_chunks().flatten().to_numpy() for name in _STATE.names[:4])
    share, base, spread = tails
    return Matcher.of_known(curated, _fold, rarity, (share, base, spread), state.column("n_tellings")[0].as_py())
