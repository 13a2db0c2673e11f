"""Which pairs of websites are run by the same hands: what they share, when, how likely by chance, what speaks against."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bastau.sources.families.chance import MIN_AREA, UNCOUNTED, AreaScores, log_ratios, null_distribution, p_values
from bastau.sources.families.kinds import CAPS, NOTES, kinds

MAX_P = 1e-4
MAX_Q = 0.02
"""False-discovery rate over all pairs of sites (Benjamini-Hochberg); stricter than MAX_P in large stores."""
MIN_SHARE = 0.5
"""An account that stands on no more than half of the pages fetched while it was seen came with pasted code or an embedded piece."""
MANY_CLIENTS = 3
"""From as many sites on, what an agency or a host supplies to its clients links nobody by itself."""
VOUCHED = 0.6
"""Unless that share of its sites, three at least, are one family by other signals."""
COPIED_TITLES = 0.5
CONFLICTS = ("adsense", "ads_seller", "fb_pixel", "vk_pixel", "tiktok_pixel", "wallet")
"""Accounts that people have one of: two sites with different ones have different owners until something says otherwise."""
_IMPLIED = {"ads_seller": "adsense", "ip": "subnet", "ga_property": "ga_account"}
_ANY_PAGE = ("css_classes", "dom_shape", "title", "image", "verification", "plugins", "theme", "asset_host", "favicon")
"""Kinds that differ from page to page of one site."""
_UNSTEADY = ("css_classes", "dom_shape", "title", "image", "plugins", "theme", "asset_host", "same_minute")
_TIMELESS = ("same_name", "registered_at")
_LASTING = ("certificate", "same_name", "owner_domain")
"""Kinds that outlive a sale: they say when two sites belonged together only where nothing else does."""
MOST_SUSPECTED = 60


@dataclass(frozen=True)
class Rules:
    """``max_sites``: a value on more sites is ignored; ``slack_days``: how long a sighting stands before and after."""

    max_sites: int = 20
    slack_days: int = 45


@dataclass(frozen=True)
class Links:
    """Every pair that shares a value of tier 1.

    Attributes:
        pairs: source_a, source_b, reason (null: linked), log_ratio, p_value, areas, start, end (of the tier-1 overlap).
        evidence: source_a, source_b, signal, value, seen_from, seen_to, log_ratio.
        signals: the sites' signals with ``n_sources`` and ``ignored``.
    """

    pairs: pl.DataFrame
    evidence: pl.DataFrame
    signals: pl.DataFrame


def find_links(merged: pl.DataFrame, rules: Rules) -> Links:
    """Judge every pair of sites that shares a value of tier 1.

    Args:
        merged: rows of :func:`bastau.sources.families.merge.merge_signals`.

    Reference: Benjamini, Hochberg 1995, JRSS B 57; the sum of log-likelihood ratios is that of Fellegi, Sunter 1969, JASA
    64, with frequencies by value.
    """
    every, merged = merged, merged.filter(pl.col("source") != "")
    looks = merged.filter(pl.col("signal") == "page")
    n_sites = looks.get_column("source").n_unique()
    signals = _judge_values(merged.filter(pl.col("signal").is_in(list(kinds()))), looks, rules)
    usable = _with_periods(signals.filter(pl.col("ignored").is_null() & (pl.col("n_sources") > 1)), looks, rules)
    shared = _shared(usable, n_sites)
    suspected = _suspected(shared.filter(pl.col("start") <= pl.col("end")))
    shared = _reweighed(shared, usable, suspected, n_sites)
    evidence = shared.filter(pl.col("start") <= pl.col("end"))
    null = null_distribution(_coincidences(evidence, suspected), n_sites)
    pairs = _judge_pairs(shared, evidence, signals, merged, null, n_sites)
    notes = every.filter(pl.col("signal").is_in(NOTES)).with_columns(
        pl.lit(1, pl.Int64).alias("n_sources"), pl.lit(None, pl.String).alias("ignored")
    )
    wanted = evidence.join(pairs.select("source_a", "source_b"), on=["source_a", "source_b"], how="semi")
    return Links(pairs, wanted, pl.concat([signals, notes.select(signals.columns)]))


# ---- values ------------------------------------------------------------------------------------------------


def _judge_values(signals: pl.DataFrame, looks: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Add ``n_sources`` and ``ignored``: few_pages, many_sites or service."""
    signals = _mark_quoted(signals, looks)
    counted = (
        signals.filter(pl.col("ignored").is_null())
        .group_by("signal", "value")
        .agg(pl.col("source").n_unique().cast(pl.Int64).alias("n_sources"))
    )
    signals = signals.join(counted, on=["signal", "value"], how="left").with_columns(pl.col("n_sources").fill_null(1))
    signals = signals.with_columns(
        pl.when(pl.col("ignored").is_null() & (pl.col("n_sources") > rules.max_sites))
        .then(pl.lit("many_sites"))
        .otherwise("ignored")
        .alias("ignored")
    )
    services = shared_services(signals)
    return (
        signals.join(services.with_columns(pl.lit("service").alias("why")), on=["signal", "value"], how="left")
        .with_columns(pl.coalesce("ignored", "why").alias("ignored"))
        .select("source", "signal", "value", "seen_from", "seen_to", "n_pages", "url", "n_sources", "ignored")
    )


def _mark_quoted(signals: pl.DataFrame, looks: pl.DataFrame) -> pl.DataFrame:
    """Mark accounts that stand on few of the pages fetched around the time they were seen."""
    one_in_many = [k.name for k in kinds().values() if k.is_of_page and k.tier == 1 and k.name not in _ANY_PAGE]
    asked = signals.filter(pl.col("signal").is_in(one_in_many)).with_row_index("row")
    around = asked.select("row", "source", "seen_from", "seen_to").join(
        looks.select("source", pl.col("seen_from").alias("at"), pl.col("n_pages").alias("n_looked")), on="source"
    )
    looked = around.group_by("row").agg(
        _looked_within(timedelta(days=1)).alias("then"), _looked_within(timedelta(days=45)).alias("around")
    )
    asked = asked.join(looked, on="row", how="left")
    few_then = (pl.col("then") >= 2) & (pl.col("n_pages") <= MIN_SHARE * pl.col("then"))
    few_around = (pl.col("then") < 2) & (pl.col("around") >= 3) & (pl.col("n_pages") < MIN_SHARE * pl.col("around"))
    few = asked.filter(few_then | few_around).select("source", "signal", "value", pl.lit("few_pages").alias("ignored"))
    return signals.join(few, on=["source", "signal", "value"], how="left")


def _looked_within(margin: timedelta) -> pl.Expr:
    is_near = (pl.col("at") >= pl.col("seen_from") - margin) & (pl.col("at") <= pl.col("seen_to") + margin)
    return pl.col("n_looked").filter(is_near).sum()


def shared_services(signals: pl.DataFrame) -> pl.DataFrame:
    """Return (signal, value) of tier 1 that sites with different owners' accounts share: an agency, a platform, a sales house.

    Among the sites of a value, those that show an account of a kind of :data:`CONFLICTS` (not the value's own kind) are put
    together by equal accounts; when at least three show one and 70 % of them stay apart, the value is a service's.
    """
    used = signals.filter(pl.col("ignored").is_null())
    tier1 = [k.name for k in kinds().values() if k.tier == 1]
    values = used.filter((pl.col("n_sources") >= 3) & pl.col("signal").is_in(tier1))
    values = values.group_by("signal", "value").agg(pl.col("source"))
    accounts = _accounts(signals)
    found = []
    for signal, value, sources in values.iter_rows():
        n_apart = n_with = 0
        for kind in CONFLICTS:
            if kinds()[kind].area == kinds()[signal].area:
                continue
            owners = [accounts[source][kind] for source in sources if kind in accounts.get(source, {})]
            if len(owners) >= 2:
                n_with += len(owners) - 1
                n_apart += _n_groups(owners) - 1
        if n_with >= 2 and n_apart >= 0.7 * n_with:
            found.append((signal, value))
    return pl.DataFrame(found, schema={"signal": pl.String, "value": pl.String}, orient="row")


def _accounts(signals: pl.DataFrame) -> dict[str, dict[str, set[str]]]:
    rows = signals.filter(
        pl.col("signal").is_in(CONFLICTS) & (pl.col("ignored").is_null() | (pl.col("ignored") != "few_pages"))
    )
    accounts: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for source, kind, value in rows.select("source", "signal", "value").iter_rows():
        accounts[source].setdefault(kind, set()).add(value)
    return accounts


def _n_groups(owners: list[set[str]]) -> int:
    groups: list[set[str]] = []
    for owner in owners:
        touching = [group for group in groups if group & owner]
        groups = [group for group in groups if not group & owner]
        groups.append(owner.union(*touching))
    return len(groups)


def _with_periods(signals: pl.DataFrame, looks: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Add ``start`` and ``end``: when the site may have had the value.

    A sighting stands ``slack_days`` before and after, unless the site was looked at in that time without it: accounts and
    domains are sold, and two sites that had an account one after the other are not linked by it.
    """
    slack = timedelta(days=rules.slack_days)
    days = looks.select("source", pl.col("seen_from").alias("look")).unique().sort("look")
    rows = signals.sort("seen_from").join_asof(
        days, left_on="seen_from", right_on="look", by="source", strategy="backward", allow_exact_matches=False,
        check_sortedness=False,
    ).rename({"look": "before"})  # fmt: skip
    rows = rows.sort("seen_to").join_asof(
        days, left_on="seen_to", right_on="look", by="source", strategy="forward", allow_exact_matches=False,
        check_sortedness=False,
    ).rename({"look": "after"})  # fmt: skip
    # The first look of a day stands for the day: a look on the day of the sighting is the sighting.
    own_day = timedelta(days=1)
    is_steady = ~pl.col("signal").is_in(_UNSTEADY)
    seen_before = (
        is_steady
        & (pl.col("before") >= pl.col("seen_from") - slack)
        & (pl.col("before") < pl.col("seen_from") - own_day)
    )
    seen_after = (
        is_steady & (pl.col("after") <= pl.col("seen_to") + slack) & (pl.col("after") > pl.col("seen_to") + own_day)
    )
    timeless = pl.col("signal").is_in(_TIMELESS)
    return rows.with_columns(
        pl.when(timeless | ~seen_before.fill_null(False))
        .then(pl.col("seen_from") - slack)
        .otherwise("seen_from")
        .alias("start"),
        pl.when(timeless | ~seen_after.fill_null(False))
        .then(pl.col("seen_to") + slack)
        .otherwise("seen_to")
        .alias("end"),
    ).drop("before", "after")


# ---- pairs -------------------------------------------------------------------------------------------------


def _shared(usable: pl.DataFrame, n_sites: int) -> pl.DataFrame:
    """Return a row for each pair of sites and value that both have, with the time in which both may have had it."""
    rows = usable.select("source", "signal", "value", "seen_from", "seen_to", "start", "end", "n_sources")
    pairs = rows.join(rows.drop("n_sources"), on=["signal", "value"], suffix="_b").filter(
        pl.col("source") < pl.col("source_b")
    )
    pairs = pairs.select(
        pl.col("source").alias("source_a"),
        "source_b",
        "signal",
        "value",
        pl.max_horizontal("start", "start_b").alias("start"),
        pl.min_horizontal("end", "end_b").alias("end"),
        pl.max_horizontal("seen_from", "seen_from_b").alias("both_from"),
        pl.min_horizontal("seen_to", "seen_to_b").alias("both_to"),
        "n_sources",
    )
    pairs = pairs.with_columns(
        pl.min_horizontal("both_from", "both_to").alias("seen_from"),
        pl.max_horizontal("both_from", "both_to").alias("seen_to"),
        pl.Series(
            "log_ratio", log_ratios(pairs.get_column("signal"), pairs.get_column("n_sources"), n_sites), pl.Float64
        ),
    ).drop("both_from", "both_to")
    # One value a kind: ten shared class bands are one template.
    return pairs.sort("log_ratio", "value", descending=[True, False]).unique(
        ["source_a", "source_b", "signal"], keep="first", maintain_order=True
    )


def _areas(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return (source_a, source_b, area, score, is_firm): capped sums, without what another signal implies."""
    areas = {k.name: k.area for k in kinds().values()}
    implied = evidence.filter(pl.col("signal").is_in(list(_IMPLIED))).select(
        "source_a", "source_b", pl.col("signal").replace_strict(_IMPLIED, default=None).alias("signal")
    )
    own = evidence.join(implied, on=["source_a", "source_b", "signal"], how="anti")
    own = own.with_columns(pl.col("signal").replace_strict(areas, default="").alias("area"))
    firm = [kind.name for kind in kinds().values() if kind.is_firm]
    summed = own.group_by("source_a", "source_b", "area").agg(
        pl.col("log_ratio").sum().alias("score"), pl.col("signal").is_in(firm).any().alias("is_firm")
    )
    caps = pl.col("area").replace_strict(CAPS, default=0.0, return_dtype=pl.Float64)
    return summed.with_columns(pl.min_horizontal("score", caps).alias("score"))


def _suspected(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return (source_a, component) of sites that hang together by pairs that agree in two areas, one of them firmly.

    Such pairs are what is being tested. Among unrelated sites they are as rare as the product of two small chances, so what
    unrelated sites have in common is counted among the others: families would otherwise make their own accounts look common,
    and hide each other. A part of more than :data:`MOST_SUSPECTED` sites is no family but something common, and counts.
    """
    agreeing = _areas(evidence).filter((pl.col("score") >= MIN_AREA) & ~pl.col("area").is_in(UNCOUNTED))
    tested = agreeing.group_by("source_a", "source_b").agg(pl.len(), pl.col("is_firm").any())
    return _components(tested.filter((pl.col("len") > 1) & pl.col("is_firm")).select("source_a", "source_b"))


def _reweighed(shared: pl.DataFrame, usable: pl.DataFrame, suspected: pl.DataFrame, n_sites: int) -> pl.DataFrame:
    """Return ``shared`` with the rarity of each value measured outside the part that both sites of a pair are in."""
    inside = (
        usable.select("source", "signal", "value")
        .join(suspected, left_on="source", right_on="source_a")
        .group_by("signal", "value", "component")
        .agg(pl.len().alias("n_inside"))
    )
    parts = shared.join(suspected, on="source_a", how="left").join(
        suspected, left_on="source_b", right_on="source_a", how="left", suffix="_b"
    )
    parts = parts.with_columns(
        pl.when(pl.col("component") == pl.col("component_b")).then("component").alias("component")
    )
    parts = parts.join(inside, on=["signal", "value", "component"], how="left")
    outside = (pl.col("n_sources") - pl.col("n_inside")).fill_null(pl.col("n_sources") - 2) + 2
    n_sources = parts.select(outside).to_series()
    ratios = log_ratios(parts.get_column("signal"), n_sources, n_sites)
    parts = parts.with_columns(pl.Series("log_ratio", ratios, pl.Float64))
    return parts.select(shared.columns)


def _coincidences(evidence: pl.DataFrame, suspected: pl.DataFrame) -> dict[str, AreaScores]:
    """Return, per area, the scores of the pairs that may have met by chance: those not inside one suspected part."""
    areas = _areas(evidence).filter(pl.col("score") > 0)
    areas = areas.join(suspected, on="source_a", how="left").join(
        suspected, left_on="source_b", right_on="source_a", how="left", suffix="_b"
    )
    areas = areas.filter((pl.col("component") != pl.col("component_b")).fill_null(True))
    return {
        str(area): AreaScores(
            part.filter(pl.col("is_firm")).get_column("score").to_numpy(),
            part.filter(~pl.col("is_firm")).get_column("score").to_numpy(),
        )
        for (area,), part in areas.group_by("area")
    }


def _components(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return (source_a, component) of the sites in ``pairs``, without parts larger than :data:`MOST_SUSPECTED`."""
    names = pl.concat([pairs.get_column("source_a"), pairs.get_column("source_b")]).unique().sort()
    n = len(names)
    if n == 0:
        return pl.DataFrame(schema={"source_a": pl.String, "component": pl.Int64})
    index = {name: i for i, name in enumerate(names)}
    a, b = ([index[name] for name in pairs.get_column(end)] for end in ("source_a", "source_b"))
    _, labels = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)).tocsr(), directed=False)
    found = pl.DataFrame({"source_a": names, "component": labels.astype(np.int64)})
    sizes = found.group_by("component").len().filter(pl.col("len") <= MOST_SUSPECTED)
    return found.join(sizes.select("component"), on="component", how="semi")


def _judge_pairs(
    shared: pl.DataFrame,
    evidence: pl.DataFrame,
    signals: pl.DataFrame,
    merged: pl.DataFrame,
    null: np.ndarray,
    n_sites: int,
) -> pl.DataFrame:
    tier1 = [k.name for k in kinds().values() if k.tier == 1]
    candidates = shared.filter(pl.col("signal").is_in(tier1)).select("source_a", "source_b").unique()
    copies = _copies(signals, merged)
    counted = _mark_copied(evidence.join(candidates, on=["source_a", "source_b"], how="semi"), copies)
    kept = counted.filter(~pl.col("is_copied"))
    areas = _areas(kept.drop("is_copied"))
    agreeing = (pl.col("score") >= MIN_AREA) & ~pl.col("area").is_in(UNCOUNTED)
    per_pair = areas.group_by("source_a", "source_b").agg(
        pl.col("score").sum().alias("log_ratio"),
        pl.col("area").filter(agreeing).sort().alias("areas"),
        (agreeing & pl.col("is_firm")).any().alias("is_firm"),
    )
    firsts = (
        kept.filter(pl.col("signal").is_in(tier1))
        .group_by("source_a", "source_b")
        .agg(
            pl.col("signal").alias("kinds1"),
            pl.col("n_sources").max().alias("most"),
            _period("start", pl.Expr.min).alias("start"),
            _period("end", pl.Expr.max).alias("end"),
        )
    )
    copied = (
        counted.filter(pl.col("is_copied"))
        .select("source_a", "source_b")
        .unique()
        .with_columns(pl.lit(True).alias("copied"))
    )
    served = kept.filter(~pl.col("signal").is_in(_of_page()))
    served = served.group_by("source_a", "source_b").agg(pl.col("log_ratio").sum().alias("served"))
    registered = kept.filter((pl.col("signal") == "registered_at") & (pl.col("log_ratio") >= MIN_AREA))
    registered = registered.select("source_a", "source_b", pl.lit(True).alias("registered"))
    alike = copies.filter(pl.col("is_alike"))
    suspects = list({*alike.get_column("source_a"), *alike.get_column("source_b")})
    key = ["source_a", "source_b"]
    pairs = (
        candidates.join(per_pair, on=key, how="left")
        .join(firsts, on=key, how="left")
        .join(copied, on=key, how="left")
        .join(served, on=key, how="left")
        .join(registered, on=key, how="left")
    )
    pairs = pairs.with_columns(
        pl.col("log_ratio").fill_null(0.0),
        pl.col("areas").fill_null([]),
        pl.col("is_firm").fill_null(False),
        pl.col("kinds1").fill_null([]),
        pl.col("copied").fill_null(False),
        pl.col("most").fill_null(0),
        pl.col("registered").fill_null(False),
        (
            (pl.col("source_a").is_in(suspects) | pl.col("source_b").is_in(suspects))
            & (pl.col("served").fill_null(0.0) < MIN_AREA)
        ).alias("suspect"),
    ).sort(key)
    n_areas = pairs.get_column("areas").list.len().to_numpy()
    p = p_values(pairs.get_column("log_ratio").to_numpy(), n_areas, pairs.get_column("is_firm").to_numpy(), null)
    accounts = _accounts(signals)
    rows = list(pairs.iter_rows(named=True))
    reasons = [_reason(row, accounts, clients=MANY_CLIENTS) for row in rows]
    reasons = _by_chance(reasons, p, n_sites)
    vouched = _vouched(rows, reasons, kept)
    for i in vouched:
        reasons[i] = _reason(rows[i], accounts, clients=None)
    reasons = _by_chance(reasons, p, n_sites)
    return pairs.with_columns(pl.Series("p_value", p, pl.Float64), pl.Series("reason", reasons, pl.String)).drop(
        "most", "copied", "served", "suspect", "registered"
    )


def _period(name: str, which: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    passing = pl.col(name).filter(~pl.col("signal").is_in(_LASTING))
    return pl.coalesce(which(passing), which(pl.col(name)))


def _copies(signals: pl.DataFrame, merged: pl.DataFrame) -> pl.DataFrame:
    """Return (source_a, source_b, is_alike) of sites of which one seems to be a copy of the other.

    Their pages have the same titles for the most part, or one names the other's addresses as its own.
    """
    titles = signals.filter((pl.col("signal") == "title") & pl.col("ignored").is_null())
    n_titles = titles.group_by("source").agg(pl.len().alias("n"))
    both = titles.select("source", "value").join(titles.select("source", "value"), on="value", suffix="_b")
    both = (
        both.filter(pl.col("source") < pl.col("source_b")).group_by("source", "source_b").agg(pl.len().alias("n_both"))
    )
    both = both.join(n_titles, on="source").join(n_titles, left_on="source_b", right_on="source", suffix="_b")
    alike = both.filter(
        (pl.col("n_both") >= 2) & (pl.col("n_both") >= COPIED_TITLES * pl.min_horizontal("n", "n_b"))
    ).select(pl.col("source").alias("source_a"), "source_b")
    declared = merged.filter(pl.col("signal") == "declared_copy").select(
        pl.min_horizontal("source", "value").alias("source_a"), pl.max_horizontal("source", "value").alias("source_b")
    )
    # Pages that a site says to be copies are left out already; its other pages are its own.
    both_ways = pl.concat([alike.with_columns(is_alike=pl.lit(True)), declared.with_columns(is_alike=pl.lit(False))])
    return both_ways.group_by("source_a", "source_b").agg(pl.col("is_alike").any())


def _mark_copied(evidence: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Add ``is_copied``: what stands in the source of two sites of which one is a copy says nothing of their owners.

    They may be one owner's mirrors or a stranger's copy: only what the servers show counts.
    """
    marked = copies.select("source_a", "source_b").with_columns(pl.lit(True).alias("of_copies"))
    return (
        evidence.join(marked, on=["source_a", "source_b"], how="left")
        .with_columns((pl.col("of_copies").fill_null(False) & pl.col("signal").is_in(_of_page())).alias("is_copied"))
        .drop("of_copies")
    )


def _of_page() -> list[str]:
    return [kind.name for kind in kinds().values() if kind.is_of_page]


def _false_discovery_limit(p: np.ndarray, n_tests: int) -> float:
    """Return the largest p that Benjamini and Hochberg's procedure keeps among ``n_tests``; 0 when none."""
    order = np.sort(p)
    fits = order <= MAX_Q * np.arange(1, len(p) + 1) / max(n_tests, len(p), 1)
    return float(order[fits].max()) if fits.any() else 0.0


def _by_chance(reasons: list[str | None], p: np.ndarray, n_sites: int) -> list[str | None]:
    """Return ``reasons`` with ``by_chance`` where nothing else speaks against a pair but its p is too large."""
    open_pairs = np.array([reason in (None, "by_chance") for reason in reasons], np.bool_)
    limit = _false_discovery_limit(p[open_pairs], n_sites * (n_sites - 1) // 2)
    is_likely = (p < MAX_P) & (p <= limit)
    return [
        reason if not is_open else None if likely else "by_chance"
        for reason, is_open, likely in zip(reasons, open_pairs, is_likely, strict=True)
    ]


def _vouched(rows: list[dict[str, Any]], reasons: list[str | None], evidence: pl.DataFrame) -> list[int]:
    """Return the pairs held back as ``one_supplier`` whose supplied value is for the most part one family's already."""
    linked = pl.DataFrame(
        [(r["source_a"], r["source_b"]) for r, reason in zip(rows, reasons, strict=True) if reason is None],
        schema={"source_a": pl.String, "source_b": pl.String},
        orient="row",
    )
    part_of = dict(_components(linked).iter_rows())
    held = {(r["source_a"], r["source_b"]): i for i, r in enumerate(rows) if reasons[i] == "one_supplier"}
    supplied = [k.name for k in kinds().values() if k.tier == 1 and k.role == "supplier"]
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    pairs_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    for a, b, signal, value in (
        evidence.filter(pl.col("signal").is_in(supplied)).select("source_a", "source_b", "signal", "value").iter_rows()
    ):
        users[signal, value] |= {a, b}
        if (a, b) in held:
            pairs_of[signal, value].append(held[a, b])
    found = set()
    for key, waiting in pairs_of.items():
        parts = Counter(part_of[site] for site in users[key] if site in part_of)
        if parts and parts.most_common(1)[0][1] >= max(3, VOUCHED * len(users[key])):
            found.update(waiting)
    return sorted(found)


def _reason(row: dict[str, Any], accounts: dict[str, dict[str, set[str]]], *, clients: int | None) -> str | None:
    """Return what speaks against the pair beside chance, None for nothing; the first that holds, gravest first."""
    firsts, areas = set(row["kinds1"]), row["areas"]
    if not firsts:
        return "copied_pages" if row["copied"] else "not_at_once"
    roles = {kinds()[name].role for name in firsts}
    if "owner" not in roles and _in_conflict(accounts.get(row["source_a"], {}), accounts.get(row["source_b"], {})):
        return "own_accounts"
    if clients is not None and roles == {"supplier"} and not row["registered"] and row["most"] >= clients:
        return "one_supplier"
    if len(areas) < 2:
        return "copied_pages" if row["copied"] else "one_area"
    if row["suspect"]:
        return "copied_pages"
    if len(firsts) < 2 and not any(kinds()[name].is_enough for name in firsts):
        return "weak_signal"
    return None


def _in_conflict(a: dict[str, set[str]], b: dict[str, set[str]]) -> bool:
    return any(kind in b and not a[kind] & b[kind] for kind in a)
