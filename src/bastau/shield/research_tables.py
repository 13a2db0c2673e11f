# ruff: noqa: S608 - every part of these queries is a constant of this module
"""The tables of a researchers' export as SQL, and the meaning of their columns.

``posts`` and ``private_posts`` are selected from one view per table of :data:`bastau.schemas.TABLES` and from what
:mod:`bastau.shield.research` prepares: ``ids`` (old_id, new_id) and ``cells`` (:func:`bastau.shield.cells.form_cells`). All others count
what these two show, as the views ``shown_posts`` and ``shown_private``: what is in no row is in no count either.
"""

from collections.abc import Mapping

import pyarrow as pa

from bastau.schemas import COORDINATION, FAMILIES, NARRATIVES, POSTS

PSEUDONYM = "p~[a-z2-7]{16}"
NONE = "none"
"""Stands where a post is in no narrative, story or theme, because null says that it is withheld."""

ATTRIBUTES = {
    "platform": "platform",
    "source_kind": "channel, page, account and so on; `unknown`: nobody said",
    "month": "month of publication, as 2024-03",
    "day": "day of publication in UTC, as 2024-03-22",
    "language": "detected language, BCP 47; `und` when unsure",
    "narrative_id": f"narrative; `{NONE}`: in none",
    "hour": "hour of publication in UTC, 00 to 23",
    "form": "post, repost, forward or reply",
    "has_links": "points to an address: yes or no",
    "has_media": "has pictures or videos: yes or no",
    "length": "words: 0, 1-9, 10-49, 50-199 or 200+",
}
"""What is shown of a private account's post, in the order of what matters, and nothing else."""

_WEB_ADDRESS = r"(?i)(?:https?://|www\.|\b[\w-]+\.[a-z]{2,}/)\S+"
_LINKS = f"""(
    SELECT post_key, bool_or(is_private) AS points_to_private,
        list(url ORDER BY place) FILTER (NOT is_private AND NOT regexp_matches(url, '{PSEUDONYM}')) AS links
    FROM (
        SELECT post_key, place, url, url_key IN (
            SELECT own_url_key FROM readings SEMI JOIN (FROM posts WHERE NOT is_publisher) USING (post_key) WHERE own_url_key IS NOT NULL
        ) AS is_private
        FROM (SELECT post_key, unnest(urls) AS url, unnest(url_keys) AS url_key, generate_subscripts(urls, 1) AS place FROM readings)
    ) GROUP BY post_key
)"""
_PLACES = """(
    SELECT post_key, n.new_id AS narrative_id, s.new_id AS story_id, t.new_id AS theme_id
    FROM members LEFT JOIN narratives USING (narrative_key) LEFT JOIN tellings ON telling_key = coalesce(narrative_key, post_key)
    LEFT JOIN stories USING (story_key) LEFT JOIN theme_members USING (story_key) LEFT JOIN themes USING (theme_key)
    LEFT JOIN ids n ON n.old_id = narratives.narrative_id LEFT JOIN ids s ON s.old_id = stories.story_id
    LEFT JOIN ids t ON t.old_id = themes.theme_id
)"""
_FATES = """(
    SELECT post_key, max(seen_at) FILTER (kind = 'edited') AS edited_at,
        CASE WHEN arg_max(kind, seen_at) = 'deleted' THEN max(seen_at) END AS deleted_at
    FROM edits GROUP BY post_key
)"""


def _words(column: str, with_texts: bool) -> str:
    """Select words of a publisher without pseudonyms, and without addresses where one leads to a private account's post."""
    if not with_texts:
        return "NULL::VARCHAR"
    said = f"regexp_replace({column}, '{PSEUDONYM}', '…', 'g')"
    return f"CASE WHEN points_to_private THEN regexp_replace({said}, '{_WEB_ADDRESS}', '…', 'g') ELSE {said} END"


def _clear(column: str) -> str:
    """Select an address, null where it holds a pseudonym."""
    return f"CASE WHEN NOT regexp_matches({column}, '{PSEUDONYM}') THEN {column} END"


def _id(column: str) -> str:
    """Select an id, another in its place where it holds a pseudonym."""
    other = f"split_part({column}, ':', 1) || ':' || sha256(concat_ws('\\0', (SELECT key FROM secret), {column}))[:16]"
    return f"CASE WHEN regexp_matches({column}, '{PSEUDONYM}') THEN {other} ELSE {column} END"


def posts(with_texts: bool) -> str:
    """Select the posts of publishers in full, earliest first."""
    return f"""
        WITH told AS (SELECT post_id FROM posts WHERE is_publisher), named AS (SELECT DISTINCT source FROM posts WHERE is_publisher)
        SELECT {_id("post_id")} AS post_id, platform, source, source_kind, regexp_replace(source_name, '{PSEUDONYM}', '…', 'g') AS source_name, audience, published_at, collected_at, {_clear("url")} AS url,
            {_words("title", with_texts)} AS title, {_words("text", with_texts)} AS text, language,
            coalesce(detected_language, 'und') AS detected_language, coalesce(l.links, []) AS links,
            CASE WHEN repost_of IN (FROM told) THEN {_id("repost_of")} END AS repost_of,
            CASE WHEN reply_to IN (FROM told) THEN {_id("reply_to")} END AS reply_to,
            CASE WHEN forwarded_from IN (FROM named) THEN forwarded_from END AS forwarded_from,
            coalesce(list_transform(media, lambda m: {_clear("m.url")}), []) AS media_urls,
            coalesce(list_transform(media, lambda m: m.sha256), []) AS media_sha256,
            coalesce(list_transform(media, lambda m: m.pdq), []) AS media_pdq, likes, shares, replies, views,
            coalesce(narrative_id, '{NONE}') AS narrative_id, coalesce(story_id, '{NONE}') AS story_id,
            coalesce(theme_id, '{NONE}') AS theme_id, edited_at, deleted_at
        FROM posts LEFT JOIN readings USING (post_key) LEFT JOIN {_LINKS} l USING (post_key) LEFT JOIN {_PLACES} USING (post_key)
        LEFT JOIN {_FATES} USING (post_key)
        WHERE is_publisher ORDER BY published_at, posts.post_id"""


def private_rows() -> str:
    """Select what cells are formed from: private accounts' posts that were not deleted where they stood."""
    return f"""
        SELECT hash(source) AS account, stored_on AS period, coalesce(n_keys, 2) AS n_keys, platform,
            coalesce(source_kind, 'unknown') AS source_kind, strftime(published_at, '%Y-%m') AS month,
            strftime(published_at, '%Y-%m-%d') AS day, coalesce(detected_language, 'und') AS language,
            coalesce(narrative_id, '{NONE}') AS narrative_id, strftime(published_at, '%H') AS hour,
            CASE WHEN repost_of IS NOT NULL THEN 'repost' WHEN forwarded_from IS NOT NULL THEN 'forward'
                WHEN reply_to IS NOT NULL THEN 'reply' ELSE 'post' END AS form,
            CASE WHEN len(coalesce(urls, [])) > 0 THEN 'yes' ELSE 'no' END AS has_links,
            CASE WHEN len(coalesce(media, [])) > 0 THEN 'yes' ELSE 'no' END AS has_media,
            CASE WHEN coalesce(n_words, 0) = 0 THEN '0' WHEN n_words < 10 THEN '1-9' WHEN n_words < 50 THEN '10-49'
                WHEN n_words < 200 THEN '50-199' ELSE '200+' END AS length
        FROM posts LEFT JOIN readings USING (post_key) LEFT JOIN {_PLACES} USING (post_key) LEFT JOIN {_FATES} USING (post_key)
        LEFT JOIN stored USING (post_key) LEFT JOIN keys_in_use USING (stored_on)
        WHERE NOT is_publisher AND deleted_at IS NULL"""


def private_posts() -> str:
    """Select private accounts' posts, as cells of ten accounts or more: what a row shows, ten accounts and more show."""
    alike = ", ".join(f"coalesce({name}, '')" for name in ATTRIBUTES)
    shown = ", ".join(f"coalesce(month, day[:7]) AS {name}" if name == "month" else name for name in ATTRIBUTES)
    return f"""
        SELECT {shown}, sha256(concat_ws('\\0', (SELECT key FROM secret), {alike}, account))[:16] AS author
        FROM cells ORDER BY {", ".join(ATTRIBUTES)}, author"""


def narratives() -> str:
    """Select narratives that publishers or enough private accounts told, earliest first."""
    return f"""
        WITH told AS (
            SELECT narrative_id, any_value(nullif(story_id, '{NONE}')) AS story_id, any_value(nullif(theme_id, '{NONE}')) AS theme_id,
                min(published_at) AS first_seen_at, max(published_at) AS last_seen_at, count(*) AS n_posts,
                count(DISTINCT source) AS n_publishers, list(DISTINCT detected_language ORDER BY detected_language) AS languages,
                list(DISTINCT platform ORDER BY platform) AS platforms, arg_min(post_id, (published_at, post_id)) AS first_post_id,
                arg_min(coalesce(text, title), (published_at, post_id)) AS text
            FROM shown_posts WHERE narrative_id <> '{NONE}' GROUP BY narrative_id
        ), repeated AS (
            SELECT narrative_id, count(*) AS n_private_posts, max(n_authors) AS n_private_authors FROM (
                SELECT narrative_id, author, count(DISTINCT author) OVER (PARTITION BY {", ".join(ATTRIBUTES)}) AS n_authors
                FROM shown_private WHERE narrative_id <> '{NONE}'
            ) GROUP BY narrative_id
        ), found AS (
            SELECT new_id AS narrative_id, abstained, coverage, list_transform(candidates, lambda c: c.source) AS candidates,
                list_transform(candidates, lambda c: c.confidence) AS candidate_confidences
            FROM origins JOIN narratives USING (narrative_key) JOIN ids ON old_id = narratives.narrative_id
        ), loud AS (
            SELECT new_id AS narrative_id, list(source ORDER BY score DESC, source) AS amplifiers,
                list(score ORDER BY score DESC, source) AS amplifier_scores
            FROM amplifiers JOIN narratives USING (narrative_key) JOIN ids ON old_id = narratives.narrative_id GROUP BY new_id
        ), checked AS (
            SELECT new_id AS narrative_id, list(DISTINCT claim_id ORDER BY claim_id) AS claims
            FROM claim_matches JOIN narratives USING (narrative_key) JOIN ids ON old_id = narratives.narrative_id GROUP BY new_id
        ), wired AS (
            SELECT new_id AS narrative_id, agency AS wire
            FROM wire_copies JOIN narratives USING (narrative_key) JOIN ids ON old_id = narratives.narrative_id
        )
        SELECT narrative_id, story_id, theme_id, first_seen_at, last_seen_at, coalesce(n_posts, 0) AS n_posts,
            coalesce(n_publishers, 0) AS n_publishers, coalesce(languages, []) AS languages, coalesce(platforms, []) AS platforms,
            first_post_id, text, n_private_posts, n_private_authors, coalesce(abstained, true) AS abstained, coverage,
            coalesce(candidates, []) AS candidates, coalesce(candidate_confidences, []) AS candidate_confidences,
            coalesce(amplifiers, []) AS amplifiers, coalesce(amplifier_scores, []) AS amplifier_scores, wire,
            coalesce(claims, []) AS claims
        FROM told FULL JOIN repeated USING (narrative_id) LEFT JOIN found USING (narrative_id) LEFT JOIN loud USING (narrative_id)
        LEFT JOIN checked USING (narrative_id) LEFT JOIN wired USING (narrative_id)
        ORDER BY first_seen_at NULLS LAST, narrative_id"""


def coordination(fewest: int) -> str:
    """Select groups of publishers that moved together, surest first; says nothing of intent.

    ``fewest`` pseudonyms are needed to say how many private accounts were among them.
    """
    return f"""
        SELECT group_id, sources, CASE WHEN n_other_accounts >= {fewest} THEN n_other_accounts END AS n_other_accounts, p_value, traces,
            list_transform(windows, lambda w: w['from']) AS windows_from, list_transform(windows, lambda w: w['to']) AS windows_to,
            n_objects, list_filter(
                list_distinct(flatten(list_transform(examples, lambda e: e.post_ids))), lambda p: NOT regexp_matches(p, '{PSEUDONYM}')
            ) AS example_post_ids, test, median_delay_s,
            n_wire_copies, is_one_house
        FROM coordination ORDER BY p_value, group_id"""


def families() -> str:
    """Select websites run by the same hands, surest first, with what they have in common and when."""
    return """
        SELECT family_id, sources, list_transform(evidence, lambda e: e.signal) AS signals,
            list_transform(evidence, lambda e: e.value) AS signal_values,
            list_transform(evidence, lambda e: e.seen_from) AS seen_from, list_transform(evidence, lambda e: e.seen_to) AS seen_to, p_value
        FROM families ORDER BY p_value, family_id"""


def counts() -> str:
    """Select posts and authors by day, language, platform and kind, as the two tables of posts show them."""
    return f"""
        SELECT true AS is_publisher, strftime(published_at, '%Y-%m') AS month, strftime(published_at, '%Y-%m-%d') AS day,
            detected_language AS language, platform, coalesce(source_kind, 'unknown') AS source_kind, count(*) AS n_posts,
            count(DISTINCT source) AS n_authors
        FROM shown_posts GROUP BY ALL
        UNION ALL
        SELECT false, month, day, language, platform, source_kind, count(*), max(n_authors) FROM (
            SELECT month, day, language, platform, source_kind,
                count(DISTINCT author) OVER (PARTITION BY {", ".join(ATTRIBUTES)}) AS n_authors
            FROM shown_private
        ) GROUP BY ALL
        ORDER BY is_publisher DESC, month, day, language, platform, source_kind"""


def _docs(schema: pa.Schema, *names: str) -> dict[str, str]:
    return {name: schema.field(name).metadata[b"doc"].decode() for name in names}


TABLES: Mapping[str, tuple[str, dict[str, str]]] = {
    "posts": (
        "posts of publishers in full; the words are null where the export was made without texts",
        {
            **_docs(
                POSTS,
                *[
                    "post_id",
                    "platform",
                    "source",
                    "source_kind",
                    "source_name",
                    "audience",
                    "published_at",
                    "collected_at",
                    "url",
                    "title",
                ],
            ),
            "source": "domain, channel or account",
            "text": "body as published; `…` stands where a private person was named",
            **_docs(POSTS, "language"),
            "detected_language": "BCP 47, as bastau detects it; `und` when unsure",
            "links": "addresses that the post points to, canonical, but those of private accounts",
            "repost_of": "post_id of the original; null also where that is no post of this table",
            "reply_to": "post_id answered to; null also where that is no post of this table",
            "forwarded_from": "source the platform says it was forwarded from; null also where that is no publisher of this table",
            "media_urls": "addresses of attached media",
            "media_sha256": "their SHA-256 as hex, in the same order",
            "media_pdq": "their PDQ as hex, in the same order",
            **_docs(POSTS, "likes", "shares", "replies", "views"),
            "narrative_id": f"narrative; `{NONE}`: in none. Ids are made for this export",
            "story_id": f"story of the narrative or post; `{NONE}`: in none",
            "theme_id": f"theme of the story; `{NONE}`: in none",
            "edited_at": "last seen to have changed; the words are those of before",
            "deleted_at": "seen to be gone, and not seen again",
        },
    ),
    "private_posts": (
        "posts of private accounts without words, ids, addresses and names. Rows that read alike are a cell, of ten accounts or more; null: withheld",
        {
            **ATTRIBUTES,
            "author": "tells accounts apart inside a cell; the same account has another name in every other cell and export",
        },
    ),
    "narratives": (
        "near-duplicates grouped; all but the columns `n_private_...` is of publishers' posts alone",
        {
            "narrative_id": "as in posts",
            "story_id": "as in posts; null: in none",
            "theme_id": "as in posts; null: in none",
            "first_seen_at": "earliest observed post of a publisher; null: none told it",
            "last_seen_at": "latest post of a publisher",
            "n_posts": "posts of publishers",
            **_docs(NARRATIVES, "n_publishers"),
            "languages": "detected languages",
            "platforms": "platforms",
            "first_post_id": "the earliest observed post of a publisher",
            "text": "its words",
            "n_private_posts": "rows of private_posts with it, a part of what there is; null: none is shown",
            "n_private_authors": "at least so many private accounts: those of its largest cell",
            "abstained": "true: bastau names nobody as first",
            "coverage": "share of the hours before it in which its platforms were looked at, in [0, 1]",
            "candidates": "publishers among the earliest observed, likeliest first",
            "candidate_confidences": "calibrated confidence of each",
            "amplifiers": "publishers whose posts in it were repeated, most first",
            "amplifier_scores": "FIB index of each; repeats by private accounts count in it",
            "wire": "news agency whose text it is; null: none is known",
            "claims": "ids of fact-checks about its texts",
        },
    ),
    "coordination": (
        "groups of publishers that moved together; says nothing of intent",
        {
            **_docs(COORDINATION, "group_id", "sources"),
            "n_other_accounts": "private accounts that moved with them; null: none, or not surely ten",
            **_docs(COORDINATION, "p_value", "traces"),
            "windows_from": "first moment of each stretch of days in which they moved together",
            "windows_to": "last moment of each",
            **_docs(COORDINATION, "n_objects"),
            "example_post_ids": "posts of publishers that show it",
            **_docs(COORDINATION, "test", "median_delay_s", "n_wire_copies", "is_one_house"),
        },
    ),
    "families": (
        "websites run by the same hands, with the signals",
        {
            **_docs(FAMILIES, "family_id", "sources"),
            "signals": "kinds of what its websites have in common, surest first",
            "signal_values": "what was seen of each kind",
            "seen_from": "from when",
            "seen_to": "to when",
            **_docs(FAMILIES, "p_value"),
        },
    ),
    "counts": (
        "posts and authors by day, language, platform and kind, as the two tables of posts show them",
        {
            "is_publisher": "publishers or private accounts",
            "month": "month of publication, as 2024-03; null: withheld",
            "day": "day of publication in UTC; null: withheld",
            "language": "detected language, BCP 47; null: withheld",
            "platform": "platform; null: withheld",
            "source_kind": "outlet, website, channel, page, account or unknown; null: withheld",
            "n_posts": "posts",
            "n_authors": "publishers; of private accounts at least so many: those of its largest cell",
        },
    ),
}
"""What each table holds, and the meaning of its columns, in order."""
