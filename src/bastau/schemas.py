"""Every table handed between stages. Columns are explained here and nowhere else.

Times are ``timestamp[us, UTC]``. Keys (``*_key``) are 64-bit hashes (:mod:`bastau.hashing`) that join
tables inside bastau; ids (``*_id``) are the strings people see. A column's meaning is its ``doc``
metadata, from which the reference page is made (:func:`describe`).
"""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
N_BANDS = 16
"""Bands in a near-duplicate signature; each is a 32-bit hash of 4 MinHash rows."""


def _field(name: str, type_: pa.DataType, doc: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=not required, metadata={"doc": doc})


ACTS = ("incite", "threaten", "recruit", "glorify", "instruct")
"""EU 2021/784 art. 2(7): incite or glorify (a), solicit acts (b), solicit taking part (c), instruct (d), threaten (e)."""
PUBLISHER_KINDS = ("outlet", "website", "channel", "page")
"""Kinds of source that are publishers whatever their audience (SCOPE, rule 2)."""

MEDIA = pa.struct([("url", pa.string()), ("sha256", pa.string()), ("pdq", pa.string())])

POSTS = pa.schema(
    [
        _field("post_key", pa.int64(), "hash of post_id", required=True),
        _field(
            "content_key", pa.int64(), "hash of title and text as stored; tells a repeat from a conflict", required=True
        ),
        _field("post_id", pa.string(), "unique, `platform:native-id`", required=True),
        _field(
            "platform",
            pa.string(),
            "web, telegram, mastodon, bluesky, vk, youtube, x, facebook, instagram, tiktok or other",
            required=True,
        ),
        _field(
            "source", pa.string(), "domain, channel or account; a pseudonym `p~...` unless a publisher", required=True
        ),
        _field("source_kind", pa.string(), "outlet, website, channel, page or account"),
        _field("source_name", pa.string(), "shown name; publishers only"),
        _field("is_publisher", pa.bool_(), "false: a private author, pseudonymised before storage", required=True),
        _field("audience", pa.int64(), "followers or subscribers when collected"),
        _field("published_at", TIME, "when the source says it was published", required=True),
        _field("collected_at", TIME, "when bastau or the exporting tool saw it", required=True),
        _field("url", pa.string(), "public address of the post"),
        _field("title", pa.string(), "headline"),
        _field("text", pa.string(), "body as published, private handles replaced"),
        _field("language", pa.string(), "BCP 47, as the source says it"),
        _field("links", pa.list_(pa.string()), "addresses the post points to, as given"),
        _field("repost_of", pa.string(), "post_id of the original"),
        _field("reply_to", pa.string(), "post_id answered to"),
        _field("forwarded_from", pa.string(), "source the platform says it was forwarded from"),
        _field("media", pa.list_(MEDIA), "attached media: address, SHA-256 and PDQ as hex"),
        _field("likes", pa.int64(), "count when collected"),
        _field("shares", pa.int64(), "count when collected"),
        _field("replies", pa.int64(), "count when collected"),
        _field("views", pa.int64(), "count when collected"),
    ]
)

POST_FORMAT = [name for name in POSTS.names if name not in ("post_key", "content_key", "is_publisher")]
"""Columns of the Post format that files bring in and exports give out (DESIGN, Formats)."""

REJECTS = pa.schema(
    [
        _field("file", pa.string(), "name of the imported file, without its folder", required=True),
        _field("line", pa.int64(), "1-based line, row or record number in the unpacked file"),
        _field("field", pa.string(), "field at fault, if one is"),
        _field(
            "reason", pa.string(), "short code, e.g. bad_json, missing_field, bad_time, duplicate_id", required=True
        ),
        _field("detail", pa.string(), "what to do about it, in words; never the words of a post", required=True),
        _field(
            "row", pa.string(), "the row as JSON with every name, handle and address scrubbed; null when unparseable"
        ),
        _field("rejected_at", TIME, "when", required=True),
    ]
)

EDITS = pa.schema(
    [
        _field("post_id", pa.string(), "post that was seen otherwise than it is stored", required=True),
        _field("post_key", pa.int64(), "hash of post_id", required=True),
        _field("kind", pa.string(), "edited, deleted or back (there again after it was gone)", required=True),
        _field("content_key", pa.int64(), "hash of the changed title and text; null when deleted"),
        _field("title", pa.string(), "title as it is now; null when deleted or none"),
        _field("text", pa.string(), "text as it is now; null when deleted or none"),
        _field("seen_at", TIME, "when bastau saw it so first", required=True),
    ]
)
LOOKS = pa.schema(
    [
        _field("post_id", pa.string(), "post that a watched place brought", required=True),
        _field("post_key", pa.int64(), "hash of post_id", required=True),
        _field("place", pa.string(), "watched address that brought it", required=True),
        _field("looked_after", TIME, "last look at the place that did not have the post; null on a first visit"),
        _field("looked_at", TIME, "first look that had it", required=True),
    ]
)
GAPS = pa.schema(
    [
        _field("place", pa.string(), "watched address", required=True),
        _field("since_at", TIME, "start of a time in which posts may have been missed", required=True),
        _field("until_at", TIME, "its end", required=True),
        _field(
            "reason",
            pa.string(),
            "not_watched (bastau did not run), a kind of trouble (timeout, server_error, ...), or what the collector "
            "says, such as feed_overran",
            required=True,
        ),
    ]
)
IMPORTS = pa.schema(
    [
        _field("batch", pa.string(), "batch id; posts, readings and rejects of it share the name", required=True),
        _field("file", pa.string(), "name of the imported file, without its folder", required=True),
        _field("format", pa.string(), "recognised format", required=True),
        _field("n_posts", pa.int64(), "posts stored", required=True),
        _field("n_repeats", pa.int64(), "posts already stored with the same text, skipped", required=True),
        _field("n_rejects", pa.int64(), "rows rejected", required=True),
        _field("min_audience", pa.int64(), "publisher threshold in force", required=True),
        _field("imported_at", TIME, "when", required=True),
    ]
)

PUBLISHERS = pa.schema(
    [
        _field("platform", pa.string(), "platform", required=True),
        _field("source", pa.string(), "a publisher's handle or domain", required=True),
        _field("source_kind", pa.string(), "outlet, website, channel, page or account"),
        _field("source_name", pa.string(), "shown name"),
        _field("audience", pa.int64(), "largest audience seen in the batch"),
        _field("seen_at", TIME, "last collected_at in the batch", required=True),
    ]
)

PAGES = pa.schema(
    [
        _field("domain", pa.string(), "registered host of the page", required=True),
        _field("url", pa.string(), "address as fetched", required=True),
        _field("fetched_at", TIME, "when", required=True),
        _field("html", pa.string(), "body as fetched"),
        _field("ads_txt", pa.string(), "the site's ads.txt"),
        _field("headers", pa.string(), "response headers as a JSON object"),
        _field("ip", pa.string(), "address that answered"),
        _field("nameservers", pa.list_(pa.string()), "NS records"),
        _field("favicon_sha256", pa.string(), "hash of the site icon"),
        _field("cert_sans", pa.list_(pa.string()), "names in the TLS certificate"),
        _field("whois_created", TIME, "registration date"),
    ]
)

SIGHTINGS = pa.schema(
    [
        _field("post_id", pa.string(), "post that the address is of, stored or not", required=True),
        _field("url", pa.string(), "address that something was said of", required=True),
        _field("source", pa.string(), "website that said it", required=True),
        _field(
            "kind",
            pa.string(),
            "sitemap_lastmod, news_date (publication date of a news sitemap), feed_date, feed_updated, page_date, page_modified, "
            "canonical (says `value` is its address) or redirect (led to `value`)",
            required=True,
        ),
        _field("said_at", TIME, "the time that was said; null for canonical and redirect"),
        _field("value", pa.string(), "address that was said; null for times"),
        _field("seen_at", TIME, "when bastau read it", required=True),
    ]
)
"""What places say of the beginning of web posts, beside the date that the post itself carries."""

CLAIMS = pa.schema(
    [
        _field("claim_id", pa.string(), "address or id of the fact-check", required=True),
        _field("text", pa.string(), "claim reviewed", required=True),
        _field("title", pa.string(), "headline of the fact-check"),
        _field("publisher", pa.string(), "who checked"),
        _field("verdict", pa.string(), "rating in the publisher's words"),
        _field("url", pa.string(), "address of the fact-check"),
        _field("language", pa.string(), "BCP 47"),
        _field("published_at", TIME, "date of the fact-check"),
    ]
)

# ---- read: columns added to each post ------------------------------------------------------------------

FOLDED = pa.schema(
    [
        _field(
            "folded",
            pa.string(),
            "title and text, folded for matching: lower case, no links, handles, marks",
            required=True,
        ),
        _field("n_words", pa.int32(), "words in folded", required=True),
        _field("text_key", pa.int64(), "hash of folded; null when too short to compare"),
    ]
)
LINKS = pa.schema(
    [
        _field(
            "urls", pa.list_(pa.string()), "distinct canonical addresses the post points to, in order", required=True
        ),
        _field("url_keys", pa.list_(pa.int64()), "hash of each of urls", required=True),
        _field("own_url_key", pa.int64(), "hash of the canonical form of the post's own url"),
        _field("mentions", pa.list_(pa.string()), "distinct handles mentioned, folded, without @", required=True),
        _field("hashtags", pa.list_(pa.string()), "hashtags in order, folded, without #", required=True),
        _field("hashtags_key", pa.int64(), "hash of the hashtag sequence; null below three hashtags"),
    ]
)
LANGUAGE_SPAN = pa.struct([("language", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
LANGUAGE = pa.schema(
    [
        _field(
            "detected_language", pa.string(), "BCP 47; `und` when unsure, `kk|ky` when two are too close", required=True
        ),
        _field("language_score", pa.float32(), "confidence in [0, 1]", required=True),
        _field("script", pa.string(), "ISO 15924 of most letters: Cyrl, Latn, Arab, Hans, ... or Zyyy", required=True),
        _field(
            "language_spans",
            pa.list_(LANGUAGE_SPAN),
            "stretches of folded in one language each, as characters [start, end); null unless two languages are mixed",
        ),
    ]
)
SIGNATURE = pa.schema(
    [
        _field(
            "bands",
            pa.binary(N_BANDS * 4),
            f"{N_BANDS} little-endian uint32, each a hash of 4 MinHash rows over character 5-grams of folded; "
            "null where text_key is",
        ),
    ]
)
READINGS = pa.schema([POSTS.field("post_key"), *FOLDED, *LINKS, *LANGUAGE, *SIGNATURE])

# ---- read: what was matched in a post; only posts with a match have a row -----------------------------------

SPAN = pa.struct([("field", pa.string()), ("start", pa.int32()), ("end", pa.int32()), ("slot", pa.string())])
"""Characters [start, end) of a post's ``title`` or ``text`` as stored, and the part of the rule that they fill."""
SUGGESTION = pa.struct(
    [
        ("act", pa.string()),
        ("rule", pa.string()),
        ("version", pa.int32()),
        ("spans", pa.list_(SPAN)),
        ("gate", pa.string()),
        ("score", pa.float32()),
    ]
)
"""What one rule says of one text: ``gate`` names the stance gates that held it back, null when none did; ``score``
in [0, 1] only orders a queue. It is a suggestion to a reviewer and decides nothing."""
KNOWN_HIT = pa.struct(
    [
        ("list", pa.string()),
        ("entry", pa.string()),
        ("signal", pa.string()),
        ("distance", pa.float32()),
        ("similarity", pa.float32()),
        ("gate", pa.string()),
    ]
)
"""Same content as an entry of a list, never the same purpose: ``gate`` is null, ``negative_bank`` or a stance gate."""
SUGGESTIONS = pa.schema(
    [_field("suggestions", pa.list_(SUGGESTION), "acts that rules found, held back or not; null: none")]
)
TECHNIQUES = pa.schema(
    [_field("techniques", pa.list_(pa.string()), "DISARM ids of manipulation techniques, weaker than acts; null: none")]
)
KNOWN = pa.schema(
    [_field("known", pa.list_(KNOWN_HIT), "entries of lists that the text, links or media equal; null: none")]
)
MODEL_SCORE = pa.schema(
    [
        _field(
            "model_score",
            pa.float32(),
            "how likely the text carries the label of the operator's own model, calibrated, in [0, 1]; orders suggestions and decides "
            "nothing; null: no model, or a language that it was not trained on",
        )
    ]
)
MATCHES = pa.schema([POSTS.field("post_key"), *SUGGESTIONS, *TECHNIQUES, *KNOWN, *MODEL_SCORE])

# ---- narratives ----------------------------------------------------------------------------------------

TEXT_PAIRS = pa.schema(
    [
        _field("text_a", pa.int64(), "text_key, smaller of the two", required=True),
        _field("text_b", pa.int64(), "text_key, larger of the two", required=True),
        _field("similarity", pa.float32(), "Jaccard of the character 5-gram sets, in [threshold, 1]", required=True),
    ]
)
MEMBERS = pa.schema(
    [
        _field("post_key", pa.int64(), "every post, once", required=True),
        _field("narrative_key", pa.int64(), "null: unclustered"),
        _field("text_key", pa.int64(), "text of the post; null when too short"),
        _field("joined_by", pa.string(), "text (same text), near_copy or repost; null when unclustered"),
        _field("similarity", pa.float32(), "to the narrative's first text, in [0, 1]; null for reposts without text"),
    ]
)
NARRATIVES = pa.schema(
    [
        _field("narrative_key", pa.int64(), "narrative_id as a number", required=True),
        _field("narrative_id", pa.string(), "`n` + 13 base-32 digits; follows the earliest post", required=True),
        _field("first_post_key", pa.int64(), "earliest observed post", required=True),
        _field("first_seen_at", TIME, "earliest observed published_at", required=True),
        _field("last_seen_at", TIME, "latest published_at", required=True),
        _field("n_posts", pa.int64(), "posts", required=True),
        _field("n_texts", pa.int64(), "distinct folded texts (versions)", required=True),
        _field("n_sources", pa.int64(), "distinct sources, pseudonymous ones included", required=True),
        _field("n_publishers", pa.int64(), "distinct sources that are publishers", required=True),
        _field("languages", pa.list_(pa.string()), "detected languages, most posts first", required=True),
        _field("platforms", pa.list_(pa.string()), "platforms, most posts first", required=True),
        _field("text", pa.string(), "text of the earliest post", required=True),
    ]
)
VERSIONS = pa.schema(
    [
        _field("narrative_key", pa.int64(), "narrative with at least two texts", required=True),
        _field("text_key", pa.int64(), "one of its texts", required=True),
        _field("version", pa.int64(), "0 for the first, then in order of first appearance", required=True),
        _field("from_version", pa.int64(), "earlier version most like it; null for the first"),
        _field("similarity", pa.float32(), "to that version, in [threshold, 1]; null when they were not compared"),
        _field("first_post_key", pa.int64(), "earliest post with this text", required=True),
        _field("first_seen_at", TIME, "when that post was published", required=True),
        _field("source", pa.string(), "who published that post, publishers only; null: a private account"),
        _field("n_posts", pa.int64(), "posts with this text", required=True),
        _field("n_sources", pa.int64(), "distinct sources with this text", required=True),
    ]
)
TELLINGS = pa.schema(
    [
        _field("telling_key", pa.int64(), "a narrative_key, or the post_key of a post that is in none", required=True),
        _field("first_seen_at", TIME, "earliest observed published_at", required=True),
        _field("text_post_key", pa.int64(), "earliest post with a text, whose words stand for it", required=True),
        _field(
            "story_key", pa.int64(), "telling_key of the first telling of its story; its own when alone", required=True
        ),
        _field(
            "wording_key", pa.int64(), "telling_key of the first one that it rewords; its own when none", required=True
        ),
        _field("score", pa.float32(), "how well it fits the story, in [0.5, 1]; 1 for the first", required=True),
    ]
)
CURATED = pa.schema(
    [
        _field("curated_id", pa.string(), "id of a narrative in the operator's `narratives.yaml`", required=True),
        _field("title", pa.string(), "its title there", required=True),
        _field("telling_key", pa.int64(), "narrative, or lone post, that says the same", required=True),
        _field("proposition", pa.string(), "proposition that it fits best", required=True),
        _field("expected", pa.float64(), "unrelated tellings expected to fit as well by chance", required=True),
        _field("score", pa.float64(), "1 / (1 + expected), in [0.5, 1]", required=True),
    ]
)
_EXTENT = (
    _field("n_posts", pa.int64(), "posts", required=True),
    _field("n_sources", pa.int64(), "distinct sources, pseudonymous ones included", required=True),
    _field("n_publishers", pa.int64(), "distinct sources that are publishers", required=True),
    _field("languages", pa.list_(pa.string()), "detected languages, most posts first", required=True),
    _field("platforms", pa.list_(pa.string()), "platforms, most posts first", required=True),
    _field(
        "text_post_key",
        pa.int64(),
        "post whose text stands for it: the first of its largest telling",
        required=True,
    ),
    _field("text", pa.string(), "text of that post", required=True),
)
"""How far a story or theme goes, and the text that stands for it."""
STORIES = pa.schema(
    [
        _field("story_key", pa.int64(), "story_id as a number", required=True),
        _field("story_id", pa.string(), "`s` + 13 base-32 digits; follows the earliest post", required=True),
        _field("first_post_key", pa.int64(), "earliest observed post", required=True),
        _field("first_seen_at", TIME, "earliest observed published_at", required=True),
        _field("last_seen_at", TIME, "latest published_at", required=True),
        _field("n_tellings", pa.int64(), "narratives and lone posts that tell it, at least two", required=True),
        _field("n_wordings", pa.int64(), "groups of tellings that reword each other", required=True),
        *_EXTENT,
    ]
)
THEME_MEMBERS = pa.schema(
    [
        _field(
            "story_key", pa.int64(), "telling_key of the first telling of a story that is in a theme", required=True
        ),
        _field("theme_key", pa.int64(), "story_key of the first story of its theme", required=True),
        _field(
            "score", pa.float32(), "cosine to the middle of the theme when it joined; 1 for the first", required=True
        ),
    ]
)
THEMES = pa.schema(
    [
        _field("theme_key", pa.int64(), "theme_id as a number", required=True),
        _field("theme_id", pa.string(), "`t` + 13 base-32 digits; follows the earliest post", required=True),
        _field("first_seen_at", TIME, "earliest observed published_at", required=True),
        _field("last_seen_at", TIME, "latest published_at", required=True),
        _field("n_stories", pa.int64(), "stories, those of one telling too, at least two", required=True),
        _field("n_tellings", pa.int64(), "narratives and lone posts that tell them", required=True),
        *_EXTENT,
    ]
)
CLAIM_MATCHES = pa.schema(
    [
        _field("narrative_key", pa.int64(), "narrative", required=True),
        _field("claim_id", pa.string(), "fact-check that is about one of its texts, as in claims", required=True),
        _field("claim", pa.string(), "claim reviewed; tells apart several claims of one fact-check", required=True),
        _field(
            "score",
            pa.float64(),
            "calibrated likelihood in [0, 1] that this is the fact-check of that text; only what reaches the ranker's threshold is kept",
            required=True,
        ),
        _field("post_key", pa.int64(), "post whose text fits the claim best", required=True),
    ]
)
NARRATIVE_CHANGES = pa.schema(
    [
        _field("old_id", pa.string(), "id that was given out before", required=True),
        _field("new_id", pa.string(), "id that it resolves to; null when the narrative was erased"),
        _field("change", pa.string(), "renamed (an earlier post came in), merged, split or erased", required=True),
        _field("generation", pa.int64(), "run in which it happened", required=True),
    ]
)

# ---- sources -------------------------------------------------------------------------------------------

CANDIDATE = pa.struct(
    [
        ("source", pa.string()),
        ("post_id", pa.string()),
        ("published_at", TIME),
        ("confidence", pa.float64()),
    ]
)
TO_COLLECT = pa.struct(
    [
        ("what", pa.string()),
        ("platform", pa.string()),
        ("value", pa.string()),
        ("from", TIME),
        ("to", TIME),
    ]
)
"""What would show a beginning that was not observed: a ``post`` or ``source`` that posts name as their origin (``value``), or the
``hours`` of a platform (``from``, ``to``)."""
ORIGINS = pa.schema(
    [
        _field("narrative_key", pa.int64(), "narrative", required=True),
        _field("abstained", pa.bool_(), "true: the beginning was probably not observed", required=True),
        _field("reason", pa.string(), "why it abstained or what lowers the confidence: a code the report explains"),
        _field(
            "seen_after", TIME, "last moment looked at without it (lower end of the first-seen interval); null: unknown"
        ),
        _field("seen_by", TIME, "earliest observed post (upper end of the first-seen interval)", required=True),
        _field(
            "coverage",
            pa.float64(),
            "share in [0, 1] of the hours of the lead-in that have posts of the same platforms",
            required=True,
        ),
        _field(
            "n_earlier_private",
            pa.int64(),
            "posts by private accounts before the first candidate; never named",
            required=True,
        ),
        _field(
            "candidates",
            pa.list_(CANDIDATE),
            "publishers only, most likely first; confidences sum to at most 1",
            required=True,
        ),
        _field(
            "to_collect",
            pa.list_(TO_COLLECT),
            "where it abstained: what to collect to find out, most often named first; never a private account",
            required=True,
        ),
    ]
)
COPIES = pa.schema(
    [
        _field("narrative_key", pa.int64(), "narrative of the copy; null when it has none"),
        _field("from_post", pa.int64(), "post_key copied from", required=True),
        _field("to_post", pa.int64(), "post_key of the copy", required=True),
        _field("from_source", pa.string(), "source copied from", required=True),
        _field("to_source", pa.string(), "source that copied", required=True),
        _field("kind", pa.string(), "repost, forward, link or near_copy", required=True),
        _field(
            "delay_s",
            pa.float64(),
            "seconds from original to copy; negative when the copy is dated earlier",
            required=True,
        ),
        _field(
            "credit",
            pa.float64(),
            "share in (0, 1] of this copy; split when originals lie within the clock error",
            required=True,
        ),
        _field("both_publishers", pa.bool_(), "only such edges are shown or exported with names", required=True),
    ]
)
AMPLIFIERS = pa.schema(
    [
        _field("narrative_key", pa.int64(), "null: over all narratives"),
        _field("source", pa.string(), "a publisher", required=True),
        _field(
            "score", pa.int64(), "FIB index: h such that h of its posts were repeated at least h times", required=True
        ),
        _field("n_posts", pa.int64(), "its posts that were repeated", required=True),
        _field("n_repeats", pa.float64(), "credit-weighted repeats of its posts by other sources", required=True),
        _field(
            "influence",
            pa.float64(),
            "later posts that its posts set off, as expected by the point process of `influence`; null: not part of a spread",
        ),
    ]
)
WIRES = pa.schema(
    [
        _field("source", pa.string(), "a publisher whose texts others print", required=True),
        _field(
            "agency", pa.string(), "name of the agency; the source itself when only structure shows it", required=True
        ),
        _field("shown_name", pa.string(), "its name in lower case, as others print it", required=True),
        _field(
            "is_listed", pa.bool_(), "its address is in the list of agencies; false: structure shows it", required=True
        ),
        _field("n_texts", pa.int64(), "texts it was first with and other publishers printed", required=True),
        _field("n_copies", pa.int64(), "prints by other publishers", required=True),
        _field("n_copiers", pa.int64(), "publishers that printed it", required=True),
        _field("n_named", pa.int64(), "prints that name it", required=True),
        _field("median_delay_s", pa.float64(), "median delay of the prints, seconds", required=True),
    ]
)
WIRE_COPIES = pa.schema(
    [
        _field("narrative_key", pa.int64(), "a narrative that is a copied agency text", required=True),
        _field("agency", pa.string(), "which agency", required=True),
        _field("n_publishers", pa.int64(), "publishers that published it in their own posts", required=True),
        _field("n_named", pa.int64(), "of them those that name an agency as their source", required=True),
        _field("is_by_wire", pa.bool_(), "a wire service was observed to be first", required=True),
    ]
)
COPY_NETWORK = pa.schema(
    [
        _field("from_source", pa.string(), "publisher copied from", required=True),
        _field("to_source", pa.string(), "publisher that copied", required=True),
        _field("n_copies", pa.int64(), "copies", required=True),
        _field("n_narratives", pa.int64(), "distinct narratives among them", required=True),
        _field("n_wire", pa.int64(), "of them copies of agency texts", required=True),
        _field("n_repost", pa.int64(), "of them reposts", required=True),
        _field("n_forward", pa.int64(), "of them forwards", required=True),
        _field("n_link", pa.int64(), "of them links", required=True),
        _field("n_near_copy", pa.int64(), "of them near-copies of the text", required=True),
        _field("credit", pa.float64(), "sum of the copies' credits", required=True),
        _field(
            "share", pa.float64(), "of all credit of what the copier copied, from anybody; in (0, 1]", required=True
        ),
        _field("median_delay_s", pa.float64(), "median delay, seconds", required=True),
    ]
)
RENAMED = pa.schema(
    [
        _field("platform", pa.string(), "platform", required=True),
        _field("number", pa.string(), "the platform's own number, from the post ids", required=True),
        _field(
            "source",
            pa.string(),
            "a publisher whose posts carry that number, as others do under another name",
            required=True,
        ),
    ]
)
INFLUENCE = pa.schema(
    [
        _field("narrative_key", pa.int64(), "null: over all spreads"),
        _field("trace", pa.string(), "what spreads: link (one address) or near_copy (one narrative)", required=True),
        _field("platform_from", pa.string(), "platform of the posts that set others off", required=True),
        _field("platform_to", pa.string(), "platform of the posts set off", required=True),
        _field("n_from", pa.int64(), "posts on the first", required=True),
        _field("n_to", pa.int64(), "posts on the second", required=True),
        _field(
            "weight",
            pa.float64(),
            "posts on the second that one post on the first sets off, on average; null for one narrative",
        ),
        _field("low", pa.float64(), "2.5th percentile of weight over bootstrap samples of spreads"),
        _field("high", pa.float64(), "97.5th percentile"),
        _field(
            "caused",
            pa.float64(),
            "posts on the second that the process expects the first to have set off",
            required=True,
        ),
        _field("n_spreads", pa.int64(), "addresses or narratives that the estimate rests on", required=True),
    ]
)
SHARES = pa.schema(
    [
        _field("source", pa.string(), "who shared", required=True),
        _field("trace", pa.string(), "link, hashtags, repost or near_copy", required=True),
        _field("object_key", pa.int64(), "what was shared, unique within its trace", required=True),
        _field("shared_at", TIME, "when", required=True),
        _field("post_key", pa.int64(), "the sharing post", required=True),
    ]
)
CO_SHARES = pa.schema(
    [
        _field("source_a", pa.string(), "smaller of the two", required=True),
        _field("source_b", pa.string(), "larger of the two", required=True),
        _field(
            "n_objects",
            pa.int64(),
            "distinct objects both shared within sixty windows (texts: within one)",
            required=True,
        ),
        _field("n_traces", pa.int64(), "distinct traces among them", required=True),
        _field(
            "weight",
            pa.float64(),
            "sum of the objects' rarity (ln of all sources over the object's sources)",
            required=True,
        ),
        _field("expected", pa.float64(), "of them expected by chance under the null", required=True),
        _field("p_value", pa.float64(), "chance of so many objects so close in time under the null", required=True),
    ]
)
EXAMPLE_POST = pa.struct(
    [
        ("post_id", pa.string()),
        ("source", pa.string()),
        ("published_at", TIME),
        ("delay_s", pa.int64()),
        ("url", pa.string()),
        ("text", pa.string()),
    ]
)
"""A publisher's post in an example: ``delay_s`` after the first of its moment, ``text`` cut to 300 characters, handles of
private accounts struck out."""
EXAMPLE = pa.struct(
    [
        ("trace", pa.string()),
        ("object", pa.string()),
        ("post_ids", pa.list_(pa.string())),
        ("posts", pa.list_(EXAMPLE_POST)),
    ]
)
WINDOW = pa.struct([("from", TIME), ("to", TIME)])
SIGNPOST = pa.struct([("address", pa.string()), ("sources", pa.list_(pa.string()))])
"""A channel or account that at least two publishers of a group openly point to, post after post, or that is one of them."""
COORDINATION = pa.schema(
    [
        _field("group_id", pa.string(), "`g` + 13 base-32 digits, a hash of its sources", required=True),
        _field("sources", pa.list_(pa.string()), "publishers in the group, sorted; at least two", required=True),
        _field(
            "n_other_accounts", pa.int64(), "private accounts that moved with them; a count, never names", required=True
        ),
        _field(
            "p_value",
            pa.float64(),
            "largest Benjamini-Hochberg adjusted p among the pairs that hold the group together",
            required=True,
        ),
        _field("traces", pa.list_(pa.string()), "kinds of objects co-shared", required=True),
        _field("windows", pa.list_(WINDOW), "days in which they moved together, merged to intervals", required=True),
        _field("n_objects", pa.int64(), "distinct objects co-shared within the window", required=True),
        _field(
            "examples",
            pa.list_(EXAMPLE),
            "up to ten objects with the publishers' posts, texts, times and delays",
            required=True,
        ),
        _field(
            "test", pa.string(), "what found it: pairs (timing of pairs) or crowd (many in step at once)", required=True
        ),
        _field("median_delay_s", pa.float64(), "median time between neighbours in a moment, seconds", required=True),
        _field(
            "n_wire_copies",
            pa.int64(),
            "agency texts that its members also published within the window; they are no evidence and not in n_objects",
            required=True,
        ),
        _field(
            "signposts",
            pa.list_(SIGNPOST),
            "up to ten channels or accounts that its members openly point to, post after post, and which members do",
        ),
        _field(
            "is_one_house",
            pa.bool_(),
            "true: these hold all members together, an openly declared network of one publisher; says nothing of the timing",
        ),
    ]
)

# ---- website families ----------------------------------------------------------------------------------

PAGE_SIGNALS = pa.schema(
    [
        _field("source", pa.string(), "website: the registrable domain, in ASCII", required=True),
        _field("signal", pa.string(), "kind of signal, a key of sources/families/kinds.toml", required=True),
        _field("value", pa.string(), "what was seen, folded so that equal means equal", required=True),
        _field("seen_from", TIME, "earliest fetch of a page with it", required=True),
        _field("seen_to", TIME, "latest fetch of a page with it", required=True),
        _field("n_pages", pa.int64(), "pages with it", required=True),
        _field("url", pa.string(), "address of one of them", required=True),
    ]
)
SITE_SIGNALS = pa.schema(
    [
        *PAGE_SIGNALS,
        _field("n_sources", pa.int64(), "websites of the store with the same value", required=True),
        _field(
            "ignored", pa.string(), "why it counts for nothing: a code the page of evidence explains; null: it counts"
        ),
    ]
)
FAMILY_EVIDENCE = pa.struct([("signal", pa.string()), ("value", pa.string()), ("seen_from", TIME), ("seen_to", TIME)])
LINK_EVIDENCE = pa.struct([*FAMILY_EVIDENCE, pa.field("log_ratio", pa.float64())])
SITE_LINKS = pa.schema(
    [
        _field("source_a", pa.string(), "a publisher: website, the smaller of the two", required=True),
        _field("source_b", pa.string(), "a publisher: website, the larger of the two", required=True),
        _field("family_id", pa.string(), "family that the pair helps to hold together; null: not linked"),
        _field("reason", pa.string(), "why the two are not linked: a code the page of evidence explains; null: linked"),
        _field(
            "log_ratio",
            pa.float64(),
            "how much likelier, as ln, under the same hands than by chance; capped",
            required=True,
        ),
        _field("p_value", pa.float64(), "chance of as much in common among unrelated websites", required=True),
        _field(
            "areas",
            pa.list_(pa.string()),
            "independent areas that agree: hosting, analytics, money, registration, template, content",
            required=True,
        ),
        _field("evidence", pa.list_(LINK_EVIDENCE), "what the two have in common while both had it", required=True),
    ]
)
FAMILIES = pa.schema(
    [
        _field("family_id", pa.string(), "`f` + 13 base-32 digits, a hash of its sources", required=True),
        _field(
            "sources",
            pa.list_(pa.string()),
            "publishers: websites run by the same hands, sorted; at least two",
            required=True,
        ),
        _field(
            "evidence",
            pa.list_(FAMILY_EVIDENCE),
            "what its websites have in common, surest first, and from when to when",
            required=True,
        ),
        _field("p_value", pa.float64(), "largest p among the pairs that hold the family together", required=True),
    ]
)

# ---- review: what may leave ------------------------------------------------------------------------------

ENTRIES = pa.schema(
    [
        _field(
            "entry_id", pa.string(), "`e` + 13 base-32 digits; the same for all versions of an entry", required=True
        ),
        _field(
            "kind",
            pa.string(),
            "url, host, domain, sha256, md5, pdq or text_sha256 (of the text as UTF-8); never a person",
            required=True,
        ),
        _field(
            "value",
            pa.string(),
            "canonical address, host or registrable domain in ASCII, or a hash in lower-case hex",
            required=True,
        ),
        _field("act", pa.string(), "incite, threaten, recruit, glorify or instruct", required=True),
        _field("ground_kind", pa.string(), "law or policy", required=True),
        _field("ground", pa.string(), "the law or policy, as cited", required=True),
        _field("reason", pa.string(), "why, in words for the public", required=True),
        _field(
            "exemption_checked",
            pa.string(),
            "why none of the exemptions of EU 2021/784 art. 1(3) applies, in words for the public",
            required=True,
        ),
        _field("evidence_sha256", pa.string(), "hash of the evidence that the decision rests on", required=True),
        _field("released_at", TIME, "when a second person released this version", required=True),
        _field("expires_at", TIME, "when it lapses unless renewed; 90 days after release at most", required=True),
        _field("retracted_at", TIME, "when it ceased to stand; null while it stands"),
        _field(
            "retraction_reason",
            pa.string(),
            "null, overturned (on appeal), expired, withdrawn (by a reviewer, or an appeal was not answered in time) or "
            "corrected (a later version or verdict stands instead)",
        ),
        _field("n_reviewers", pa.int32(), "different people who judged or released it; at least two", required=True),
        _field("rule_version", pa.string(), "rule that suggested it, `name@version`; empty: none did", required=True),
        _field("model_version", pa.string(), "model that suggested it; empty: none did", required=True),
        _field("data_version", pa.string(), "data that the suggestion was made from", required=True),
        _field("languages", pa.list_(pa.string()), "languages of the content, BCP 47, sorted", required=True),
    ]
)
"""What two people released, one row an entry version; made from the log of review whenever asked."""

TABLES: dict[str, pa.Schema] = {
    "posts": POSTS,
    "rejects": REJECTS,
    "imports": IMPORTS,
    "publishers": PUBLISHERS,
    "pages": PAGES,
    "sightings": SIGHTINGS,
    "edits": EDITS,
    "looks": LOOKS,
    "gaps": GAPS,
    "claims": CLAIMS,
    "readings": READINGS,
    "matches": MATCHES,
    "page_signals": PAGE_SIGNALS,
    "text_pairs": TEXT_PAIRS,
    "members": MEMBERS,
    "narratives": NARRATIVES,
    "narrative_changes": NARRATIVE_CHANGES,
    "claim_matches": CLAIM_MATCHES,
    "versions": VERSIONS,
    "tellings": TELLINGS,
    "stories": STORIES,
    "theme_members": THEME_MEMBERS,
    "themes": THEMES,
    "curated": CURATED,
    "origins": ORIGINS,
    "copies": COPIES,
    "amplifiers": AMPLIFIERS,
    "wires": WIRES,
    "wire_copies": WIRE_COPIES,
    "copy_network": COPY_NETWORK,
    "renamed": RENAMED,
    "influence": INFLUENCE,
    "co_shares": CO_SHARES,
    "coordination": COORDINATION,
    "site_signals": SITE_SIGNALS,
    "site_links": SITE_LINKS,
    "families": FAMILIES,
    "entries": ENTRIES,
}
"""Tables that are stored: those of bastau.lake.LAKE_TABLES in the lake, entries in the log of review, the rest remade by each run (a
generation)."""


def describe(schema: pa.Schema) -> list[tuple[str, str, str]]:
    """Return (column, type, meaning) of each column, in order."""
    return [(f.name, str(f.type), (f.metadata or {}).get(b"doc", b"").decode()) for f in schema]
