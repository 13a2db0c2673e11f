"""Who is a publisher, and everybody else's name out of every column (SCOPE, rule 2).

Runs on checked rows before anything leaves :mod:`bastau.collect`. Rows that cannot hold a private handle are told
by column-wide tests; only the others are looked at one by one.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from bastau.collect import handles
from bastau.collect.checking import PLATFORMS
from bastau.collect.mentions import AT, CLOSER_LOOK, find_mentions, flag_rows, replace_spans, replace_words
from bastau.collect.pseudonyms import PSEUDONYM, Pseudonyms
from bastau.hashing import hash_strings
from bastau.schemas import PUBLISHER_KINDS
from bastau.settings import Publishers

MAX_REMEMBERED = 4_000_000
"""Private authors of one file remembered as 64-bit hashes (32 MB), to know their handles inside odd post ids."""

_SIMPLE_ID = r"^[a-z0-9_-]+:(?:-?\d+|[A-Za-z0-9]+)$"
_HANDLE_ID = (
    r"^[a-z0-9_-]+:(?<at>@?)(?<holder>[A-Za-z0-9_.\-]+(?:@[A-Za-z0-9_.\-]+)?)(?<mark>[/#])(?<tail>[A-Za-z0-9]+)$"
)
_FEDI_HOLDER = re.compile(r"(@?)([\w.\-]+@[\w.\-]+)(?=[/#])")
_DONE_ADDRESS = r"^https?://[A-Za-z0-9.\-]+/(?:@|s/|users/|profile/|u/)?p~[a-z2-7]{16}(?:[/?#][A-Za-z0-9/_=\-]*)?$"
"""An address whose handle is a pseudonym already; what follows it has no room for another host or handle."""
_OWN_ADDRESS = r"^https?://[A-Za-z0-9.\-]+/(?:@|s/|users/|profile/|u/)?([A-Za-z0-9_.\-]+)(?:[/?#][A-Za-z0-9/_=\-]*)?$"
_SECOND_OWNER = r"[?&][wz]="
"""VK opens somebody's post over another page; such an address names two."""
_LOCAL_NAME = r"^([^@]{3,}?)(?:@.*|\.bsky\.social)$"
_TOKENS = re.compile(r"([^\w.\-]+)")
_PARTS = re.compile(r"([^A-Za-z0-9]+)")
_MAX_RUN = 6
"""Words of a handle, apart by ``_``, ``-`` or ``.``; more are no handle anybody has."""
_VK_OWNER = re.compile(r"^(vk:(?:wall|post|photo|video)?)(\d+)(?=_)")


def named_publishers(publishers: Publishers) -> frozenset[tuple[str, str]]:
    """Return (platform, canonical handle) of those that the settings name as publishers, whatever their audience."""
    named = set()
    for entry in publishers.known:
        platform, _, rest = entry.partition(":")
        if rest and platform in PLATFORMS:
            named.add((platform, handles.canonical(platform, rest)))
        else:
            named |= {(platform, handles.canonical(platform, entry)) for platform in PLATFORMS}
    return frozenset(named)


class Authors:
    """Decides who is a publisher while one file is read, and gives everybody else a pseudonym."""

    def __init__(
        self, publishers: Publishers, pseudonyms: Pseudonyms, is_publisher: Callable[[str, str], bool] | None
    ) -> None:
        self.everyone = publishers.min_audience == 0
        self._min_audience = publishers.min_audience
        self._pseudonyms = pseudonyms
        self._asked = is_publisher
        self._named = named_publishers(publishers)
        self._seen: set[tuple[str, str]] = set()
        self._private = np.zeros(0, np.int64)
        self._private_platforms: set[str] = set()
        self.replace = lru_cache(maxsize=1 << 17)(self._replace)

    def is_known(self, platform: str, handle: str) -> bool:
        """Say whether a canonical handle is a publisher by the settings, by this file so far, or by the lake."""
        key = (platform, handle)
        return key in self._named or key in self._seen or (self._asked is not None and self._asked(platform, handle))

    def is_named(self, platform: str, handle: str) -> bool:
        """Say whether the settings name a canonical handle as a publisher, whatever its audience."""
        return (platform, handle) in self._named

    def pseudonym(self, platform: str, handle: str) -> str:
        """Return the pseudonym of a canonical handle; a pseudonym is its own."""
        return handle if PSEUDONYM.fullmatch(handle) else self._pseudonyms.pseudonym(platform, handle)

    def _replace(self, platform: str, handle: str) -> str | None:
        if self.everyone or self.is_known(platform, handle):
            return None
        return self.pseudonym(platform, handle)

    def settle(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return one row for each (platform, source) of ``table``: handle, is_publisher and the source to store."""
        kind, platform = pl.col("source_kind"), pl.col("platform")
        by_row = kind.is_in(PUBLISHER_KINDS) | (kind.is_null() & (platform == "web"))
        sources = table.group_by("platform", "source").agg(
            (by_row.fill_null(value=False).any() | (pl.col("audience").max() >= self._min_audience).fill_null(value=False))
            .alias("by_row")
        )  # fmt: skip
        known, stored, canonical = [], [], []
        for name, source, says_so in sources.iter_rows():
            handle = handles.canonical(name, source)
            is_own = PSEUDONYM.fullmatch(handle) is not None
            is_publisher = not is_own and (self.everyone or says_so or self.is_known(name, handle))
            if is_publisher:
                self._seen.add((name, handle))
            canonical.append(handle)
            known.append(is_publisher)
            stored.append(_stored(name, source, handle) if is_publisher else self.pseudonym(name, handle))
        sources = sources.with_columns(
            pl.Series("handle", canonical, pl.String),
            pl.Series("is_publisher", known, pl.Boolean),
            pl.Series("stored", stored, pl.String),
        )
        if not self.everyone and "post_id" in table.columns:
            by_publishers = table.join(sources.filter("is_publisher"), on=["platform", "source"], how="semi")
            self._seen |= {("bluesky", did) for did in dids_of(by_publishers.get_column("post_id"))}
        self._remember(sources.filter(~pl.col("is_publisher")))
        # Now that all publishers of the stretch are known, later calls must not see older answers.
        self.replace.cache_clear()
        return sources

    def _remember(self, private: pl.DataFrame) -> None:
        keys = _keys(private.get_column("platform"), private.get_column("handle"))
        self._private_platforms |= set(private.get_column("platform").unique())
        if len(self._private) < MAX_REMEMBERED:
            self._private = np.union1d(self._private, keys)

    def are_private(self, platforms: pl.Series, words: pl.Series) -> np.ndarray:
        """Return bool (n,): the word is the handle of a private author of this file."""
        if not len(self._private):
            return np.zeros(len(words), np.bool_)
        keys = _keys(platforms, words.str.to_lowercase())
        at = np.minimum(np.searchsorted(self._private, keys), len(self._private) - 1)
        return self._private[at] == keys

    def private_among(self, words: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return those (platform, word in lower case) that are handles of private authors of this file."""
        distinct = list({word for word in words if word[0] in self._private_platforms})
        if not distinct:
            return frozenset()
        platforms, texts = zip(*distinct, strict=True)
        flags = self.are_private(pl.Series(platforms, dtype=pl.String), pl.Series(texts, dtype=pl.String))
        return frozenset(itertools.compress(distinct, flags))


def dids_of(post_ids: pl.Series) -> list[str]:
    """Return the DIDs that stand before the ``/`` in ids of Bluesky: a publisher's is its name as much as its handle."""
    return post_ids.str.extract(r"^bluesky:(did:[a-z]+:[A-Za-z0-9.:%_\-]+)/", 1).drop_nulls().unique().to_list()


def _keys(platforms: pl.Series, words: pl.Series) -> np.ndarray:
    joined = pl.select((platforms.cast(pl.String) + "\0" + words).alias("key")).get_column("key")
    return hash_strings(joined.to_arrow())


def _stored(platform: str, source: str, handle: str) -> str:
    """Return a publisher's source as it is stored: as written, less ``@`` and addresses around it."""
    return handle if platform == "web" or "/" in source else source.lstrip("@")


def scrub_posts(table: pl.DataFrame, authors: Authors) -> pl.DataFrame:
    """Return checked rows, same order, with ``is_publisher`` and no private author's name, handle or address."""
    sources = authors.settle(table)
    table = table.join(sources.drop("by_row"), on=["platform", "source"], how="left", maintain_order="left")
    if authors.everyone:
        return table.with_columns(source="stored").drop("stored", "handle")
    is_private = ~pl.col("is_publisher")
    table = table.with_columns(
        pl.when(is_private).then("handle").alias("_own"),
        pl.when(is_private).then(pl.col("source_name").str.strip_chars()).alias("_name"),
        # Not null at once: Arrow would keep the bytes of the name behind the null.
        pl.when("is_publisher").then("source_name").otherwise(pl.lit("")).alias("source_name"),
        pl.when(is_private).then("stored").alias("_pseudonym"),
        pl.col("stored").alias("source"),
    ).with_columns(pl.when(pl.col("source_name") != "").then("source_name").alias("source_name"))
    ids = [scrub_ids(table.get_column(name), authors) for name in ("post_id", "repost_of", "reply_to")]
    texts = [_scrub_texts(table, name, authors) for name in ("title", "text", "url")]
    lists = [_scrub_lists(table, name, authors) for name in ("links", "media")]
    return table.with_columns(*ids, *texts, *lists, _scrub_sources(table, "forwarded_from", authors)).drop(
        "_own", "_name", "_pseudonym", "stored", "handle"
    )


# ---- sources and ids ---------------------------------------------------------------------------------------


def _scrub_sources(table: pl.DataFrame, name: str, authors: Authors) -> pl.Series:
    distinct = table.select("platform", name).filter(pl.col(name).is_not_null()).unique()
    stored = []
    for platform, source in distinct.iter_rows():
        handle = handles.canonical(platform, source)
        is_website = platform == "web" and "." in handle and " " not in handle
        is_publisher = is_website or authors.is_known(platform, handle)
        stored.append(_stored(platform, source, handle) if is_publisher else authors.pseudonym(platform, handle))
    distinct = distinct.with_columns(pl.Series("_stored", stored, pl.String))
    joined = table.select("platform", name).join(distinct, on=["platform", name], how="left", maintain_order="left")
    return joined.get_column("_stored").alias(name)


def scrub_ids(ids: pl.Series, authors: Authors) -> pl.Series:
    """Return post ids in which every private handle is replaced, the same in each column so that they still join.

    A handle is where ids have one (before the first ``/`` or ``#``, in the owner of a VK id, in a profile address), or
    any part that is the handle of a private author of this file.
    """
    frame = pl.DataFrame({"id": ids}).with_row_index("row").filter(pl.col("id").is_not_null())
    column = pl.col("id")
    frame = frame.with_columns(column.str.extract(r"^([a-z0-9_-]+):", 1).alias("prefix"))
    simple = (column.str.contains(_SIMPLE_ID) & (pl.col("prefix") != "vk")).fill_null(value=False)
    frame = frame.with_columns(
        simple.alias("simple"), pl.when(~simple).then(column.str.extract_groups(_HANDLE_ID)).alias("parts")
    ).unnest("parts")
    frame = frame.with_columns(
        pl.when("simple").then(column.str.slice(pl.col("prefix").str.len_chars() + 1)).otherwise("tail").alias("word")
    )
    private_word = pl.Series(
        "private_word",
        authors.are_private(frame.get_column("prefix").fill_null(""), frame.get_column("word").fill_null("")),
    )
    holders = frame.select("prefix", "holder").filter(pl.col("holder").is_not_null()).unique()
    stored = [_holder(authors, prefix, holder) for prefix, holder in holders.iter_rows()]
    holders = holders.with_columns(pl.Series("stored", stored, pl.String))
    frame = frame.with_columns(private_word).join(holders, on=["prefix", "holder"], how="left", maintain_order="left")
    plain = pl.concat_str(pl.col("prefix"), pl.lit(":"), "at", "stored", "mark", "tail")
    frame = frame.with_columns(
        pl.when("private_word").then(None).when("simple").then(column).otherwise(plain).alias("done")
    )
    todo = frame.filter(pl.col("done").is_null()).get_column("id").unique()
    private = authors.private_among(itertools.chain.from_iterable(map(_candidates, todo)))
    scrubbed = pl.Series([scrub_id(value, authors, private) for value in todo], dtype=pl.String)
    slow = pl.DataFrame({"id": todo, "scrubbed": scrubbed})
    frame = frame.join(slow, on="id", how="left", maintain_order="left")
    done = frame.select(pl.coalesce("done", "scrubbed")).to_series()
    return ids.scatter(frame.get_column("row"), done)


def _holder(authors: Authors, prefix: str, holder: str) -> str | None:
    """Return the handle in an id as it is stored; None where :func:`scrub_id` must look closer."""
    if prefix not in PLATFORMS or _VK_OWNER.match(f"{prefix}:{holder}"):
        return None
    if re.fullmatch(r"-\d+", holder):
        return holder
    return authors.replace(prefix, holder.casefold()) or holder


def scrub_id(post_id: str, authors: Authors, private: frozenset[tuple[str, str]] | None = None) -> str:
    """Return one post id with private handles replaced; the obvious version of :func:`scrub_ids`.

    Args:
        private: which of its parts are handles of private authors; None: find out.
    """
    if private is None:
        private = authors.private_among(_candidates(post_id))
    prefix, colon, native = post_id.partition(":")
    platform = prefix if prefix in PLATFORMS else "other"
    if not colon:
        return post_id
    owned = _VK_OWNER.match(post_id)
    if owned:
        pseudonym = authors.replace("vk", f"id{owned[2]}")
        return post_id if pseudonym is None else f"{owned[1]}{pseudonym}{post_id[owned.end() :]}"
    fedi = _FEDI_HOLDER.match(native)
    if fedi:  # name@host/number
        pseudonym = authors.replace(platform, fedi[2].casefold())
        if pseudonym is not None:
            return f"{prefix}{colon}{fedi[1]}{pseudonym}{native[fedi.end() :]}"
    elif "://" in native or "/@" in native or "@" in native[1:]:
        native = handles.scrub(native, platform, authors.replace)
    did = re.match(r"did:\w+:[\w.\-]+", native)
    tokens = [did[0], *_TOKENS.split(native[did.end() :])[1:]] if did else _TOKENS.split(native)
    out = []
    for i, token in enumerate(tokens):
        ahead = tokens[i + 1] if i + 1 < len(tokens) else ""
        holds = (
            (i == 0 or (i == 2 and tokens[0] == "")) and ahead[:1] in ("/", "#") and not re.fullmatch(r"-\d+", token)
        )
        if not token or token.startswith("p~") or (tokens[i - 1][-1:] == "~" if i else False) or "://" in ahead:
            out.append(token)
        elif holds and "://" not in native:
            out.append(authors.replace(platform, token.casefold()) or token)
        else:
            out.append(_scrub_token(token, platform, authors, private))
    return prefix + colon + "".join(out)


def _candidates(post_id: str) -> Iterator[tuple[str, str]]:
    """Yield (platform, run) of every run of up to :data:`_MAX_RUN` words inside an id that may be a handle."""
    prefix, _, native = post_id.partition(":")
    platform = prefix if prefix in PLATFORMS else "other"
    for token in _TOKENS.split(native)[::2]:
        parts = _PARTS.split(token.casefold())
        for first in range(0, len(parts), 2):
            for last in range(first, min(first + 2 * _MAX_RUN, len(parts)), 2):
                yield platform, "".join(parts[first : last + 1])


def _scrub_token(token: str, platform: str, authors: Authors, private: frozenset[tuple[str, str]]) -> str:
    if not private:
        return token
    parts = _PARTS.split(token)
    out, first = [], 0
    while first < len(parts):
        runs = range(min(first + 2 * _MAX_RUN - 2, len(parts) - 1), first - 1, -2) if first % 2 == 0 else ()
        for last in runs:
            run = "".join(parts[first : last + 1]).casefold()
            if run and (platform, run) in private:
                out.append(authors.pseudonym(platform, run))
                first = last + 1
                break
        else:
            out.append(parts[first])
            first += 1
    return "".join(out)


# ---- words -------------------------------------------------------------------------------------------------


def _scrub_texts(table: pl.DataFrame, name: str, authors: Authors) -> pl.Series:
    frame = table.select("platform", "_own", "_name", "_pseudonym", "handle", pl.col(name).alias("value"))
    return scrub_column(frame, authors, is_own_address=name == "url").alias(name)


def scrub_column(frame: pl.DataFrame, authors: Authors, *, is_own_address: bool = False) -> pl.Series:
    """Return column ``value`` with private handles replaced.

    Args:
        frame: ``platform``, ``value``, and ``_own``, ``_name`` and ``_pseudonym`` of the author if private.
        is_own_address: the values are the posts' own addresses; with ``handle``, which publishers keep in them.
    """
    frame = frame.with_columns(_without_own(frame).alias("value"))
    value = pl.col("value")
    flags = flag_rows(frame.get_column("value").to_arrow())
    hinted = value.str.contains_any(handles.HINTS, ascii_case_insensitive=True)
    settled = value.str.contains(_DONE_ADDRESS)
    if is_own_address:
        settled |= value.str.extract(_OWN_ADDRESS, 1).str.to_lowercase() == pl.col("handle")
    settled &= ~value.str.contains(_SECOND_OWNER)
    slow = frame.select((hinted & ~settled.fill_null(value=False)).fill_null(value=False)).to_series()
    slow |= pl.Series((flags & CLOSER_LOOK) > 0) | frame.select(_names_own_in_letters()).to_series()
    values = frame.get_column("value")
    fast = pl.Series((flags & AT) > 0) & ~slow
    if fast.any():
        values = _replace_plain(values, frame.get_column("platform"), fast, authors)
    if not slow.any():
        return values
    rows = np.flatnonzero(slow.to_numpy())
    done = [
        handles.scrub(text, platform, authors.replace, _own_pattern(own, shown, authors, platform))
        for platform, own, shown, text in frame.filter(slow).select("platform", "_own", "_name", "value").iter_rows()
    ]
    return values.scatter(rows, pl.Series(done, dtype=pl.String))


def _without_own(frame: pl.DataFrame) -> pl.Series:
    """Return the values with the author's own handle and shown name, as far as they are ASCII, replaced."""
    name = pl.col("_name").str.to_lowercase()
    words = frame.select(
        pl.col("_own").fill_null(""), pl.when(_is_ascii(pl.col("_name"))).then(name).fill_null("").alias("_name"),
        pl.col("_own").str.extract(_LOCAL_NAME).fill_null("").alias("local"),
    )  # fmt: skip
    column = frame.get_column("value")
    replaced = replace_words(
        column.fill_null("").to_arrow(),
        [words.get_column(name).to_arrow() for name in ("_own", "_name", "local")],
        frame.get_column("_pseudonym").fill_null("").to_arrow(),
    )
    return pl.select(pl.when(column.is_not_null()).then(pl.Series(replaced))).to_series()


def _is_ascii(column: pl.Expr) -> pl.Expr:
    return column.str.len_bytes() == column.str.len_chars()


def _names_own_in_letters() -> pl.Expr:
    """Tell the rows that hold their author's shown name or handle in letters beyond ASCII."""
    lower = pl.col("value").str.to_lowercase()
    named = [
        pl.when(~_is_ascii(pl.col(word))).then(lower.str.contains(pl.col(word).str.to_lowercase(), literal=True))
        for word in ("_own", "_name")
    ]
    return named[0].fill_null(value=False) | named[1].fill_null(value=False)


def _own_pattern(own: str | None, name: str | None, authors: Authors, platform: str) -> handles.Own | None:
    if own is None:
        return None
    pattern = handles.own_words(own, name)
    return None if pattern is None else (pattern, authors.pseudonym(platform, own))


def _replace_plain(values: pl.Series, platforms: pl.Series, which: pl.Series, authors: Authors) -> pl.Series:
    rows = np.flatnonzero(which.to_numpy())
    column = values.fill_null("").to_arrow()
    spans, found = find_mentions(column, rows)
    if not len(spans):
        return values
    mentions = pl.DataFrame({"handle": pl.Series(found).str.to_lowercase(), "platform": platforms.gather(spans[:, 0])})
    distinct = mentions.unique()
    words = [authors.replace(platform, handle) for handle, platform in distinct.iter_rows()]
    chosen = distinct.with_columns(
        pl.Series("word", range(len(words)), pl.Int64),
        pl.Series("private", [word is not None for word in words], pl.Boolean),
    ).with_columns(pl.when("private").then("word").otherwise(-1).alias("word"))
    joined = mentions.join(chosen, on=["handle", "platform"], how="left", maintain_order="left")
    replaced = pl.Series(
        values.name, replace_spans(column, spans, joined.get_column("word").to_numpy(), [word or "" for word in words])
    )
    return pl.select(pl.when(values.is_not_null()).then(replaced)).to_series().alias(values.name)


def _scrub_lists(table: pl.DataFrame, name: str, authors: Authors) -> pl.Series:
    column = table.get_column(name)
    if column.null_count() == len(column):
        return column
    flat = (
        table.select("platform", "_own", "_name", "_pseudonym", pl.col(name)).with_row_index("row")
        .filter(pl.col(name).list.len() > 0).explode(name)
    )  # fmt: skip
    value = pl.col(name).struct.field("url") if name == "media" else pl.col(name)
    done = scrub_column(flat.select("platform", "_own", "_name", "_pseudonym", value.alias("value")), authors)
    item = pl.col(name).struct.with_fields(done.alias("url")) if name == "media" else done.alias(name)
    lists = flat.with_columns(item.alias(name)).group_by("row", maintain_order=True).agg(name)
    rows = pl.DataFrame({"row": pl.Series(range(len(column)), dtype=pl.UInt32)})
    joined = rows.join(lists, on="row", how="left", maintain_order="left").get_column(name)
    return pl.select(pl.when(column.list.len() == 0).then(column).otherwise(joined)).to_series().alias(name)


def scrub_records(records: list[dict[str, Any]], fields: Mapping[str, bool], authors: Authors) -> list[dict[str, Any]]:
    """Return pages or claims with private handles replaced in the string ``fields`` (True: source of a page)."""
    if authors.everyone:
        return records
    return [
        {
            name: handles.scrub(value, "web", authors.replace, markup=fields[name])
            if name in fields and isinstance(value, str)
            else value
            for name, value in record.items()
        }
        for record in records
    ]
