"""The signals of each website over all batches."""

import ibis


def merge_signals(page_signals: ibis.ir.Table) -> ibis.ir.Table:
    """Return PAGE_SIGNALS with one row a site, kind and value: first and last sight, pages, an address."""
    return page_signals.group_by("source", "signal", "value").agg(
        seen_from=page_signals.seen_from.min(),
        seen_to=page_signals.seen_to.max(),
        n_pages=page_signals.n_pages.sum(),
        url=page_signals.url.min(),
    )


def same_minutes(posts: ibis.ir.Table, readings: ibis.ir.Table) -> ibis.ir.Table:
    """Return (host, value, published_at, url) of web posts: the same text in the same minute has the same value."""
    web = posts.filter((posts.platform == "web") & posts.is_publisher).select(
        "post_key", "source", "published_at", "url"
    )
    texts = readings.filter(readings.text_key.notnull()).select("post_key", "text_key")
    rows = web.join(texts, "post_key")
    minute = rows.published_at.epoch_seconds() // 60
    rows = rows.select(
        "published_at", "url", host=rows.source, value=rows.text_key.cast("string") + ":" + minute.cast("string")
    )
    same = ibis.window(group_by="value")
    rows = rows.mutate(first=rows.host.min().over(same), last=rows.host.max().over(same))
    return rows.filter(rows.first != rows.last).drop("first", "last")
