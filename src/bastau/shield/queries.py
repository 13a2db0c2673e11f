# ruff: noqa: S608 - every part of these queries is a constant of this module or a column name of schemas
"""What each export holds, as SQL over one view per table of :data:`bastau.schemas.TABLES`.

Every query takes ``time``: how a timestamp column is written. Text formats hold RFC 3339 (:func:`rfc3339`), Parquet
holds the timestamp itself (:func:`as_stored`).
"""

from collections.abc import Callable

from bastau.schemas import COPY_NETWORK, POST_FORMAT, POSTS, REJECTS, TIME

Time = Callable[[str], str]

# A source is a publisher when at least one of its stored posts says so; a private author is stored under a pseudonym,
# so the two can never share a name.
_PUBLISHERS = "SELECT DISTINCT source FROM posts WHERE is_publisher"


def as_stored(column: str) -> str:
    """Write a time as the timestamp that it is."""
    return column


def rfc3339(column: str) -> str:
    """Write a time as RFC 3339 in UTC, with microseconds only where there are any.

    Goes through epoch microseconds: DuckDB prints a timestamp in the time zone of the session.
    """
    return f"replace(strftime(make_timestamp(epoch_us({column})), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')"


def posts(time: Time) -> str:
    """Select the Post format (DESIGN, Formats), in the order of the lake."""
    columns = [_column(name, time) if POSTS.field(name).type == TIME else name for name in POST_FORMAT]
    return f"SELECT {', '.join(columns)} FROM posts"


def rejects(time: Time) -> str:
    """Select the rows that an import refused, with the reason."""
    columns = [_column(name, time) if REJECTS.field(name).type == TIME else name for name in REJECTS.names]
    return f"SELECT {', '.join(columns)} FROM rejects"


def narratives(time: Time) -> str:
    """Select narratives, largest first: their posts, the first sighting, and the publishers that were repeated."""
    return f"""
        WITH members_of AS (
            SELECT narrative_key, list(post_id ORDER BY published_at, post_id) AS post_ids
            FROM members JOIN posts USING (post_key) WHERE narrative_key IS NOT NULL GROUP BY narrative_key
        ), amplifiers_of AS (
            SELECT narrative_key, list({{'source': source, 'score': score, 'influence': influence}}
                ORDER BY score DESC, n_repeats DESC, source) AS amplifiers
            FROM amplifiers WHERE narrative_key IS NOT NULL GROUP BY narrative_key
        ), suggested AS (
            SELECT narrative_key, post_key, unnest(suggestions) AS s FROM matches JOIN members USING (post_key)
            WHERE narrative_key IS NOT NULL AND suggestions IS NOT NULL
        ), suggestions_of AS (
            SELECT narrative_key, list({{'act': act, 'rule': rule, 'version': version, 'gate': gate, 'score': score,
                'n_posts': n_posts}} ORDER BY gate IS NOT NULL, score DESC, n_posts DESC, rule, gate) AS suggestions
            FROM (
                SELECT narrative_key, s.act AS act, s.rule AS rule, s.version AS version, s.gate AS gate,
                    max(s.score) AS score, count(DISTINCT post_key) AS n_posts
                FROM suggested GROUP BY ALL
            ) GROUP BY narrative_key
        ), hit AS (
            SELECT narrative_key, post_key, unnest(known) AS k FROM matches JOIN members USING (post_key)
            WHERE narrative_key IS NOT NULL AND known IS NOT NULL
        ), known_of AS (
            SELECT narrative_key, list({{'list': list, 'entry': entry, 'signal': signal, 'gate': gate,
                'n_posts': n_posts}} ORDER BY gate IS NOT NULL, n_posts DESC, list, entry, signal, gate) AS known
            FROM (
                SELECT narrative_key, k.list AS list, k.entry AS entry, k.signal AS signal, k.gate AS gate,
                    count(DISTINCT post_key) AS n_posts
                FROM hit GROUP BY ALL
            ) GROUP BY narrative_key
        )
        , story_of AS (
            SELECT telling_key AS narrative_key, story_id, theme_id FROM tellings LEFT JOIN stories USING (story_key)
            LEFT JOIN theme_members USING (story_key) LEFT JOIN themes USING (theme_key)
        ), curated_of AS (
            SELECT telling_key AS narrative_key,
                list({{'curated_id': curated_id, 'title': title, 'proposition': proposition, 'score': score}}
                    ORDER BY score DESC, curated_id) AS curated
            FROM curated GROUP BY telling_key
        ), claims_of AS (
            SELECT narrative_key, list({{'claim_id': claim_id, 'score': score}} ORDER BY score DESC, claim_id) AS claims
            FROM (SELECT narrative_key, claim_id, max(score) AS score FROM claim_matches GROUP BY ALL)
            GROUP BY narrative_key
        )
        SELECT narrative_id, coalesce(post_ids, []) AS post_ids, {_column("first_seen_at", time)},
            {_column("last_seen_at", time)}, n_posts, n_texts, n_sources, narratives.n_publishers, languages, platforms, text,
            {{
                'abstained': coalesce(abstained, true), 'reason': reason, 'coverage': coverage,
                'seen_after': {time("seen_after")}, 'seen_by': {time("seen_by")},
                'n_earlier_private': n_earlier_private,
                'candidates': coalesce(list_transform(candidates, lambda c: {{
                    'source': c.source, 'post_id': c.post_id, 'published_at': {time("c.published_at")},
                    'confidence': c.confidence
                }}), []),
                'to_collect': coalesce(list_transform(to_collect, lambda w: {{
                    'what': w.what, 'platform': w.platform, 'value': w.value,
                    'from': {time('w."from"')}, 'to': {time('w."to"')}
                }}), [])
            }} AS origin,
            coalesce(amplifiers, []) AS amplifiers, wire_copies.agency AS wire,
            coalesce(claims, []) AS claims, story_id, theme_id, coalesce(curated, []) AS curated,
            coalesce(suggestions, []) AS suggestions, coalesce(known, []) AS known
        FROM narratives
        LEFT JOIN members_of USING (narrative_key)
        LEFT JOIN origins USING (narrative_key)
        LEFT JOIN amplifiers_of USING (narrative_key)
        LEFT JOIN wire_copies USING (narrative_key)
        LEFT JOIN claims_of USING (narrative_key)
        LEFT JOIN story_of USING (narrative_key)
        LEFT JOIN curated_of USING (narrative_key)
        LEFT JOIN suggestions_of USING (narrative_key)
        LEFT JOIN known_of USING (narrative_key)
        ORDER BY n_posts DESC, narrative_id"""


def stories(time: Time) -> str:
    """Select stories, those with most posts first: their narratives, and the posts that tell them alone."""
    return f"""
        WITH parts AS (
            SELECT story_key, list(narrative_id ORDER BY t.first_seen_at, narrative_id)
                    FILTER (narrative_id IS NOT NULL) AS narrative_ids,
                list(post_id ORDER BY t.first_seen_at, post_id) FILTER (narrative_id IS NULL) AS lone_post_ids
            FROM tellings t SEMI JOIN stories USING (story_key)
            LEFT JOIN narratives n ON n.narrative_key = t.telling_key JOIN posts p ON p.post_key = t.text_post_key
            GROUP BY story_key
        ), curated_of AS (
            SELECT story_key, list({{'curated_id': curated_id, 'title': title, 'score': score}}
                ORDER BY score DESC, curated_id) AS curated
            FROM (
                SELECT story_key, curated_id, any_value(title) AS title, max(c.score) AS score
                FROM curated c JOIN tellings USING (telling_key) GROUP BY ALL
            ) GROUP BY story_key
        )
        SELECT story_id, coalesce(narrative_ids, []) AS narrative_ids, coalesce(lone_post_ids, []) AS lone_post_ids,
            {_column("first_seen_at", time)}, {_column("last_seen_at", time)}, n_tellings, n_wordings, n_posts,
            n_sources, n_publishers, languages, platforms, coalesce(curated, []) AS curated, theme_id, text
        FROM stories LEFT JOIN parts USING (story_key)
        LEFT JOIN (SELECT story_key, theme_id FROM theme_members JOIN themes USING (theme_key)) USING (story_key) LEFT JOIN curated_of USING (story_key)
        ORDER BY n_posts DESC, story_id"""


def themes(time: Time) -> str:
    """Select themes, those with most posts first: their stories, and the narratives and posts that are in no wider story."""
    return f"""
        WITH parts AS (
            SELECT theme_key, list(DISTINCT story_id ORDER BY story_id) FILTER (story_id IS NOT NULL) AS story_ids,
                list(narrative_id ORDER BY narrative_id) FILTER (story_id IS NULL AND narrative_id IS NOT NULL)
                    AS narrative_ids,
                list(post_id ORDER BY t.first_seen_at, post_id) FILTER (story_id IS NULL AND narrative_id IS NULL)
                    AS lone_post_ids
            FROM theme_members JOIN tellings t USING (story_key) LEFT JOIN stories s USING (story_key)
            LEFT JOIN narratives n ON n.narrative_key = t.telling_key JOIN posts p ON p.post_key = t.text_post_key
            GROUP BY theme_key
        )
        SELECT theme_id, coalesce(story_ids, []) AS story_ids, coalesce(narrative_ids, []) AS narrative_ids,
            coalesce(lone_post_ids, []) AS lone_post_ids, {_column("first_seen_at", time)}, {_column("last_seen_at", time)},
            n_stories, n_tellings, n_posts, n_sources, n_publishers, languages, platforms, text
        FROM themes LEFT JOIN parts USING (theme_key)
        ORDER BY n_posts DESC, theme_id"""


def versions(time: Time) -> str:
    """Select the versions of each narrative's text, in order: what each was made from, and which publisher brought it."""
    return f"""
        SELECT narrative_id, version, from_version, similarity, {time("v.first_seen_at")} AS first_seen_at, v.source,
            p.post_id, v.n_posts, v.n_sources, coalesce(p.text, p.title, '') AS text
        FROM versions v JOIN narratives USING (narrative_key) JOIN posts p ON p.post_key = v.first_post_key
        ORDER BY narrative_id, version"""


def coordination(time: Time) -> str:
    """Select groups of publishers that moved together, surest first. Says nothing of intent."""
    return f"""
        SELECT group_id, sources, n_other_accounts, p_value, traces,
            list_transform(windows, lambda w: {{'from': {time("w['from']")}, 'to': {time("w['to']")}}}) AS windows,
            n_objects, list_transform(examples, lambda e: {{
                'trace': e.trace, 'object': e.object, 'post_ids': e.post_ids, 'posts': list_transform(e.posts, lambda p: {{
                    'post_id': p.post_id, 'source': p.source, 'published_at': {time("p.published_at")},
                    'delay_s': p.delay_s, 'url': p.url, 'text': p.text
                }})
            }}) AS examples,
            test, median_delay_s, n_wire_copies, signposts, is_one_house
        FROM coordination ORDER BY p_value, group_id"""


def copies(_time: Time) -> str:
    """Select the copy network: who copies whom, publishers only, the busiest pairs first; agency texts are counted apart."""
    return """
        SELECT from_source, to_source, n_copies, n_narratives, n_wire, n_repost, n_forward, n_link, n_near_copy, credit,
            share, median_delay_s
        FROM copy_network ORDER BY n_copies DESC, from_source, to_source"""


def wires(_time: Time) -> str:
    """Select the publishers whose texts others print: listed agencies and those that structure shows."""
    return """
        SELECT source, agency, shown_name, is_listed, n_texts, n_copies, n_copiers, n_named, median_delay_s
        FROM wires ORDER BY n_copies DESC, source"""


def influence(_time: Time) -> str:
    """Select how far posts on one platform set off posts on another, over all spreads and by narrative."""
    return """
        SELECT narrative_id, trace, platform_from, platform_to, n_from, n_to, weight, low, high, caused, n_spreads
        FROM influence LEFT JOIN narratives USING (narrative_key)
        ORDER BY narrative_id NULLS FIRST, trace, platform_from, platform_to"""


def families(time: Time) -> str:
    """Select websites run by the same hands, surest first, with what they have in common and when."""
    return f"""
        SELECT family_id, sources, list_transform(evidence, lambda e: {{
                'signal': e.signal, 'value': e.value,
                'seen_from': {time("e.seen_from")}, 'seen_to': {time("e.seen_to")}
            }}) AS evidence, p_value
        FROM families ORDER BY p_value, family_id"""


def near_duplicates(_time: Time) -> str:
    """Select near-duplicates as pairs of post ids, the earlier post first.

    A pair of texts is given once, by the earliest post of each (``near_copy``). Every other post with one of these
    texts is given beside that earliest post (``same_text``). So the list grows with the posts, not with their square,
    and the groups can be put together from it.
    """
    return """
        WITH firsts AS (
            SELECT text_key, min({'at': published_at, 'id': post_id}) AS first
            FROM members JOIN posts USING (post_key) WHERE text_key IS NOT NULL GROUP BY text_key
        )
        SELECT CASE WHEN a.first <= b.first THEN a.first.id ELSE b.first.id END AS post_a,
            CASE WHEN a.first <= b.first THEN b.first.id ELSE a.first.id END AS post_b,
            similarity, 'near_copy' AS kind
        FROM text_pairs JOIN firsts a ON a.text_key = text_a JOIN firsts b ON b.text_key = text_b
        UNION ALL
        SELECT first.id, post_id, 1::FLOAT, 'same_text'
        FROM members JOIN posts USING (post_key) JOIN firsts ON firsts.text_key = members.text_key
        WHERE post_id <> first.id"""


def edges() -> str:
    """Select the edges of the graph, in a fixed order: source, target, kind, weight, n, median_delay_s, p_value, share, n_wire.

    A copy points from the source copied to the source that copied; ``weight`` is the sum of credits, ``share`` of all credit
    of what the copier copied, ``n_wire`` how many are copies of agency texts. A co-share has no
    direction, so it is given both ways (``weight`` is the rarity of what was shared), and only inside a coordinated
    group: a pair that no group holds is not a finding.
    """
    return """
        WITH grouped AS (SELECT group_id, unnest(sources) AS source FROM coordination), together AS (
            SELECT source_a, source_b, weight, n_objects, p_value FROM co_shares
            JOIN grouped a ON source_a = a.source JOIN grouped b ON source_b = b.source AND a.group_id = b.group_id
        )
        , total AS (SELECT to_source, sum(credit) AS credit FROM copies GROUP BY to_source)
        SELECT from_source AS source, to_source AS target, kind, sum(c.credit) AS weight, count(*) AS n,
            median(delay_s) AS median_delay_s, NULL::DOUBLE AS p_value,
            least(sum(c.credit) / any_value(total.credit), 1.0) AS share, count(w.narrative_key) AS n_wire
        FROM copies c JOIN total USING (to_source) LEFT JOIN wire_copies w USING (narrative_key)
        WHERE both_publishers GROUP BY from_source, to_source, kind
        UNION ALL
        SELECT source_a, source_b, 'co_share', weight, n_objects, NULL, p_value, NULL, NULL FROM together
        UNION ALL
        SELECT source_b, source_a, 'co_share', weight, n_objects, NULL, p_value, NULL, NULL FROM together
        ORDER BY source, target, kind"""


def nodes() -> str:
    """Select the publishers that have an edge: (source, name, platforms, kinds, audience, n_posts, agency)."""
    return f"""
        WITH edges AS ({edges()})
        SELECT source, min(source_name) AS name, string_agg(DISTINCT platform, ' ' ORDER BY platform) AS platforms,
            string_agg(DISTINCT source_kind, ' ' ORDER BY source_kind) AS kinds, max(audience) AS audience,
            count(*) AS n_posts, min(agency) AS agency
        FROM posts LEFT JOIN (SELECT source, agency FROM wires) USING (source)
        WHERE is_publisher AND source IN (SELECT source FROM edges UNION SELECT target FROM edges)
        GROUP BY source ORDER BY source"""


NAMED_PRIVATE: dict[str, str] = {
    "versions": f"SELECT count(*) FROM versions WHERE source IS NOT NULL AND source NOT IN ({_PUBLISHERS})",
    "posts": "SELECT count(*) FROM posts "
    "WHERE NOT is_publisher AND (NOT starts_with(source, 'p~') OR source_name IS NOT NULL)",
    "narratives": f"""SELECT count(*) FROM (
        SELECT unnest(candidates).source AS source FROM origins UNION ALL SELECT source FROM amplifiers
    ) WHERE source NOT IN ({_PUBLISHERS})""",
    "coordination": f"""SELECT count(*) FROM (SELECT unnest(sources) AS source FROM coordination)
        WHERE source NOT IN ({_PUBLISHERS})""",
    "copies": f"""SELECT count(*) FROM (SELECT from_source AS source FROM copy_network UNION SELECT to_source FROM copy_network)
        WHERE source NOT IN ({_PUBLISHERS})""",
    "wires": f"SELECT count(*) FROM wires WHERE source NOT IN ({_PUBLISHERS})",
    "graph": f"""WITH edges AS ({edges()})
        SELECT count(*) FROM (SELECT source FROM edges UNION SELECT target FROM edges)
        WHERE source NOT IN ({_PUBLISHERS})""",
}
"""Per export: how many names of private authors it would show where only publishers may stand (SCOPE, rule 2)."""


ADDED: dict[str, dict[str, str]] = {
    "copies": {f.name: (f.metadata or {}).get(b"doc", b"").decode() for f in COPY_NETWORK},
    "influence": {"narrative_id": "narrative; null: over all spreads"},
    "narratives": {
        "post_ids": "its posts, earliest first",
        "origin": "first-seen interval, coverage and ranked candidates, publishers only; `abstained` says that the "
        "beginning was probably not observed, `reason` why; `n_earlier_private` counts earlier posts by private accounts",
        "amplifiers": "publishers whose posts in it were repeated; `score` is the FIB index, `influence` the later posts that "
        "theirs are expected to have set off",
        "wire": "news agency whose text it is; null: none is known",
        "claims": "fact-checks about its texts, surest first; `score` is the calibrated likelihood, and only what reaches the threshold is "
        "there. What was found stands in the fact-check, in its publisher's words",
        "story_id": "the story that it tells with others; null when none does",
        "theme_id": "the theme of its story; null when it has none",
        "curated": "the operator's own narratives that it fits, with the proposition; `score` is 1 / (1 + matches expected by chance)",
        "suggestions": "what rules suggest to a reviewer: act, rule, version, `gate` that held it back (null: none did), highest "
        "`score`, `n_posts` with it",
        "known": "entries of lists of known content that its posts equal; `gate` as above",
    },
    "stories": {
        "narrative_ids": "its narratives, earliest first",
        "lone_post_ids": "posts that tell it and are in no narrative, earliest first",
        "curated": "the operator's own narratives that one of its tellings fits; `score` is 1 / (1 + matches expected by chance)",
        "theme_id": "the theme that it is in with others; null when it is in none",
    },
    "themes": {
        "story_ids": "its stories of two tellings or more",
        "narrative_ids": "its narratives that are in no such story",
        "lone_post_ids": "its posts that are in no narrative and in no such story, earliest first",
    },
    "versions": {
        "narrative_id": "the narrative",
        "post_id": "earliest post with this text",
        "text": "text of that post",
    },
    "near-duplicates": {
        "post_a": "the earlier post of the two",
        "post_b": "the later one",
        "similarity": "Jaccard of the character 5-gram sets, in [threshold, 1]; 1 for the same text",
        "kind": "near_copy (two texts) or same_text (the same text again)",
    },
}
"""Meaning of the columns that an export has and no table of the same name explains."""


def neutral_cells(query: str, types: dict[str, str]) -> str:
    """Return ``query`` made safe for CSV: lists as JSON, and no cell that a spreadsheet would run as a formula.

    A text that starts with = + - @ or a tab, return, line feed or full-width form of them gets an apostrophe in front.
    NDJSON and Parquet keep it as it is.

    Reference: OWASP, CSV Injection.
    """
    cells = []
    for name, type_ in types.items():
        if type_ == "VARCHAR":
            cells.append(
                f"CASE WHEN contains('=+-@＝＋－＠' || chr(9) || chr(10) || chr(13), {name}[1]) AND {name} <> '' "
                f"THEN '''' || {name} ELSE {name} END AS {name}"
            )
        elif type_.endswith(("[]", ")")):
            cells.append(f"to_json({name})::VARCHAR AS {name}")
        else:
            cells.append(name)
    return f"SELECT {', '.join(cells)} FROM ({query})"


def _column(name: str, time: Time) -> str:
    return f"{time(name)} AS {name}"
