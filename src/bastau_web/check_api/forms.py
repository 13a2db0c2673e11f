"""What the API takes and gives; the OpenAPI document is made from this."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

MOST_ITEMS = 100
MOST_CHARS = 50_000
"""Of one text; longer ones are refused, not cut: a cut could hide what follows."""
MOST_URL = 8192

_HEX_64 = r"^[0-9a-fA-F]{64}$"
Url = Annotated[str, Field(min_length=1, max_length=MOST_URL)]


class _Given(Schema):
    model_config = ConfigDict(extra="forbid")


class Media(_Given):
    """A picture or video of a text."""

    url: Url | None = None
    sha256: str | None = Field(None, pattern=_HEX_64)
    pdq: str | None = Field(None, pattern=_HEX_64, description="of a picture; pictures within 31 of 256 bits match")


class Item(_Given):
    """A text to check, as `bastau check --file` takes it; a title, a url or media will do as well."""

    id: str = Field(min_length=1, max_length=200, description="yours; stands in the answer")
    text: str | None = Field(None, max_length=MOST_CHARS)
    title: str | None = Field(None, max_length=1000)
    url: Url | None = Field(None, description="where the text stands")
    media: list[Media] | None = Field(None, max_length=20)

    @model_validator(mode="after")
    def _has_content(self) -> "Item":
        if not (self.text or self.title or self.url or self.media):
            raise ValueError("give a text, title, url or media")
        return self


class AskedUrl(_Given):
    """An address to look up; nothing is fetched from it."""

    url: Url


class AskedHash(_Given):
    """A hash to look up."""

    signal: Literal["sha256", "md5", "pdq"]
    value: str = Field(pattern=r"^([0-9a-fA-F]{32}|[0-9a-fA-F]{64})$", description="32 digits for md5, else 64")

    @model_validator(mode="after")
    def _fits(self) -> "AskedHash":
        if len(self.value) != (32 if self.signal == "md5" else 64):
            raise ValueError("md5 has 32 hexadecimal digits, sha256 and pdq have 64")
        return self


def _which(given: Any) -> str:
    return "many" if isinstance(given, list) else "one"


def _many(one: Any) -> Any:
    """Return the type of one or up to MOST_ITEMS."""
    several = Annotated[list[one], Field(min_length=1, max_length=MOST_ITEMS)]
    return Annotated[Annotated[one, Tag("one")] | Annotated[several, Tag("many")], Discriminator(_which)]


Items, AskedUrls, AskedHashes = _many(Item), _many(AskedUrl), _many(AskedHash)


class Span(Schema):
    """Where in the title or text, in characters [start, end)."""

    field: str
    start: int
    end: int
    slot: str


class Suggestion(Schema):
    """What a rule suggests; `gate` names what held it back, null: nothing. `score` only orders a queue."""

    act: str
    rule: str
    version: int
    spans: list[Span]
    gate: str | None
    score: float


class Known(Schema):
    """An entry of a list of known content; the same content, not the same purpose."""

    list: str
    entry: str
    signal: str
    distance: float | None = Field(description="bits in which two pictures differ")
    similarity: float | None
    gate: str | None


class Claim(Schema):
    """The fact-check that the text repeats, in the publisher's words."""

    claim_id: str
    score: float
    claim: str
    title: str | None
    publisher: str | None
    verdict: str | None
    url: str | None
    language: str | None
    published_at: datetime | None


class Answer(Schema):
    """What was found; `flagged`: a person should look. It is no decision, and says nothing of who wrote the text."""

    id: str
    flagged: bool
    suggestions: list[Suggestion]
    known: list[Known]
    claims: list[Claim]
    techniques: list[str] = Field(default_factory=list, description="DISARM ids; only where there are any")
    model_score: float | None = Field(None, description="of the operator's own model; orders, never flags")


class Listed(Schema):
    """An entry of the published shield list, which two people decided."""

    entry_id: str
    kind: str
    act: str
    ground_kind: str
    ground: str
    reason: str
    expires_at: datetime
    distance: int | None = Field(description="of a picture, in bits")
    why: str | None = Field(description="page that says why, for whoever is concerned")
    appeal: str = Field(description="where the listed publisher can appeal")


class ShieldSays(Schema):
    """What the published shield list says; `is_valid` false: nothing, a newer version is needed."""

    list: str
    version: int
    made_at: datetime
    valid_until: datetime
    is_valid: bool
    entries: Sequence[Listed]


class UrlAnswer(Schema):
    """What lists say of an address."""

    url: str
    flagged: bool
    known: list[Known]
    shield: ShieldSays | None = Field(description="null: no list was published here")


class HashAnswer(Schema):
    """What lists say of a hash."""

    signal: str
    value: str
    flagged: bool
    known: list[Known]
    shield: ShieldSays | None


class ImageAnswer(Schema):
    """The hashes of a picture, and what lists say of it."""

    size_bytes: int
    sha256: str
    md5: str
    pdq: str | None
    quality: int | None = Field(description="of the PDQ; below 50 it is not looked up")
    reason: str | None = Field(description="why there is no PDQ, as not_an_image, broken_image, too_many_pixels")
    flagged: bool
    known: list[Known]
    shield: ShieldSays | None


class Problem(Schema):
    """Why there is no answer."""

    error: str
    message: str
    details: list[dict[str, Any]] = Field(default_factory=list)


class BankMatch(Schema):
    """A listed entry, as HMA names it; `entry` is ours."""

    bank_content_id: int
    distance: str
    entry: str
