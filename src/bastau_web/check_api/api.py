"""The routes of the API: check the key, parse, ask the engine, answer. Nothing that is asked is stored or logged."""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from ninja import Body, NinjaAPI, Query
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser
from ninja.security import HttpBearer

from bastau import __version__
from bastau.errors import BastauError
from bastau.known_lists.commands import find_file, find_hash
from bastau.read.images import ExtraMissing, MediaLimits, hash_bytes
from bastau.read.known import MatchKnown
from bastau_web.check_api import forms
from bastau_web.check_api.engine import Loaded, check, the_engine
from bastau_web.check_api.hma import SIGNALS, by_bank
from bastau_web.check_api.keys import Holder, holder_of, keyed_hash
from bastau_web.check_api.models import Attempt
from bastau_web.check_api.quotas import METER, Left, TooLarge, TooMany

MOST_IMAGE_BYTES = 4 << 20
_IMAGE_LIMITS = MediaLimits(file_bytes=MOST_IMAGE_BYTES, pixels=25_000_000)
IMAGE_COST = 10
"""Look-ups that a picture counts as: decoding it takes as long as some texts."""
_CHARS_A_LOOK_UP = 4000
REPEATS_KEPT = timedelta(hours=24)
_decoding = threading.BoundedSemaphore(2)
"""Pixels of more pictures than that are never in memory at once."""


class _Orjson(Parser):
    """Parses bodies; nested or numbered too deeply they are no JSON that we take."""

    def parse_body(self, request: HttpRequest) -> Any:
        return orjson.loads(request.body)


class _KeyAuth(HttpBearer):
    """Lets in whoever holds a key and has a look-up left."""

    def authenticate(self, request: HttpRequest, token: str) -> Holder | None:
        holder = holder_of(token)
        if holder is not None:
            _spend(request, holder, 1)
        return holder


api = NinjaAPI(
    title="bastau check API",
    version="1",
    description="What rules, lists of known content, fact-checks and the published shield list say of a text, an address, a hash or a "
    "picture. Suggestions, never decisions; nothing that is asked is stored.",
    urls_namespace="check-api",
    openapi_url=None,
    docs_url=None,
    auth=_KeyAuth(),
    parser=_Orjson(),
)


# ---- answers and problems --------------------------------------------------------------------------------


def _spend(request: HttpRequest, holder: Holder, n: int, already: int = 0) -> None:
    request.left = METER.spend(holder, n, already)  # type: ignore[attr-defined]


def _spend_rest(request: HttpRequest, cost: int) -> Holder:
    """Take what a request costs beyond the one that was taken at the door."""
    holder: Holder = request.auth  # type: ignore[attr-defined]
    if cost > 1:
        _spend(request, holder, cost - 1, already=1)
    return holder


def _answer(request: HttpRequest, data: Any, status: int = 200) -> HttpResponse:
    response = HttpResponse(orjson.dumps(data), status=status, content_type="application/json")
    left: Left | None = getattr(request, "left", None)
    for name, value in left.headers().items() if left else ():
        response[name] = value
    return response


def _problem(request: HttpRequest, status: int, error: str, message: str, details: Any = ()) -> HttpResponse:
    return _answer(request, {"error": error, "message": message, "details": list(details)}, status)


@api.exception_handler(AuthenticationError)
def _no_key(request: HttpRequest, _: Any) -> HttpResponse:
    response = _problem(request, 401, "no_key", "send a key that is in force: Authorization: Bearer bastau_...")
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(TooMany)
def _too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    request.left = error.left  # type: ignore[attr-defined]
    response = _problem(request, 429, "too_many", str(error))
    response["Retry-After"] = str(error.retry_after_s)
    return response


@api.exception_handler(TooLarge)
def _too_large(request: HttpRequest, _: TooLarge) -> HttpResponse:
    return _problem(
        request, 422, "more_than_the_limit", "the request counts more look-ups than the key has in a minute"
    )


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    # Where and why, and never the words that were sent.
    details = [{"where": list(one["loc"])[2:], "why": one["msg"]} for one in error.errors[:20]]
    return _problem(request, 422, "invalid", "the request does not fit /api/v1/openapi.json", details)


@api.exception_handler(HttpError)
def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _problem(request, error.status_code, "bad_request", str(error))


@api.exception_handler(RequestDataTooBig)
def _too_big(request: HttpRequest, _: RequestDataTooBig) -> HttpResponse:
    return _problem(request, 413, "too_large", "the body is larger than 1 MiB; send fewer texts at once")


@api.exception_handler(UnreadablePostError)
def _unreadable(request: HttpRequest, _: UnreadablePostError) -> HttpResponse:
    return _problem(request, 400, "bad_request", "the body did not arrive whole")


@api.exception_handler(ExtraMissing)
def _extra_missing(request: HttpRequest, error: ExtraMissing) -> HttpResponse:
    return _problem(request, 501, "extra_missing", str(error))


@api.exception_handler(BastauError)
def _unavailable(request: HttpRequest, _: BastauError) -> HttpResponse:
    return _problem(request, 503, "unavailable", "rules or lists cannot be opened; the operator's log says why")


@api.exception_handler(DatabaseError)
def _no_database(request: HttpRequest, _: DatabaseError) -> HttpResponse:
    return _problem(request, 503, "unavailable", "the database of keys cannot be used now; try again")


_PROBLEMS = dict.fromkeys((400, 401, 413, 422, 429, 503), forms.Problem)


# ---- checking --------------------------------------------------------------------------------------------


@api.post(
    "api/v1/check",
    url_name="api-check",
    operation_id="check",
    response={200: forms.Answer | list[forms.Answer], **_PROBLEMS},
    openapi_extra={
        "parameters": [
            {
                "in": "header",
                "name": "Idempotency-Key",
                "schema": {"type": "string", "maxLength": 255},
                "required": False,
            }
        ]
    },
)
def check_texts(request: HttpRequest, given: Annotated[forms.Items, Body()]) -> HttpResponse:
    """Check one text or up to 100: rules, known content, fact-checks, as `bastau check` does."""
    return _of_each(request, given, _check, _cost)


def _check(items: list[forms.Item]) -> list[dict[str, Any]]:
    return check([item.model_dump() for item in items])


def _cost(item: forms.Item) -> int:
    return max(1, -(-len(item.text or "") // _CHARS_A_LOOK_UP))


@api.post(
    "api/v1/lookup/url",
    url_name="api-lookup-url",
    operation_id="lookup_url",
    response={200: forms.UrlAnswer | list[forms.UrlAnswer], **_PROBLEMS},
)
def look_up_urls(request: HttpRequest, given: Annotated[forms.AskedUrls, Body()]) -> HttpResponse:
    """Look up one address or up to 100 in the lists of known content and the published shield list; nothing is fetched."""
    return _of_each(request, given, _look_up_urls)


def _look_up_urls(asked: list[forms.AskedUrl]) -> list[dict[str, Any]]:
    now, loaded = datetime.now(UTC), the_engine().loaded()
    known = MatchKnown(loaded.checker.matchers.known).find_urls([one.url for one in asked])
    return [{"url": one.url, **_found(found, loaded, [one.url], now)} for one, found in zip(asked, known, strict=True)]


@api.post(
    "api/v1/lookup/hash",
    url_name="api-lookup-hash",
    operation_id="lookup_hash",
    response={200: forms.HashAnswer | list[forms.HashAnswer], **_PROBLEMS},
)
def look_up_hashes(request: HttpRequest, given: Annotated[forms.AskedHashes, Body()]) -> HttpResponse:
    """Look up SHA-256, MD5 or PDQ; pictures within 31 bits are found, with their distance."""
    return _of_each(request, given, _look_up_hashes)


def _look_up_hashes(asked: list[forms.AskedHash]) -> list[dict[str, Any]]:
    now, loaded = datetime.now(UTC), the_engine().loaded()
    return [look_up_hash(loaded, one.signal, one.value.lower(), now) for one in asked]


def look_up_hash(loaded: Loaded, signal: str, value: str, now: datetime) -> dict[str, Any]:
    """Return a HashAnswer."""
    known = find_hash(loaded.checker.matchers.known, signal, value)
    exact, pdq = ([], value) if signal == "pdq" else ([value], None)
    return {"signal": signal, "value": value, **_found(known, loaded, exact, now, pdq)}


def _found(
    known: list[dict[str, Any]], loaded: Loaded, whats: list[str], now: datetime, pdq: str | None = None
) -> dict[str, Any]:
    says = loaded.shield.about(whats, now, pdq) if loaded.shield else None
    return {"flagged": any(one["gate"] is None for one in known), "known": known, "shield": says}


def _of_each(
    request: HttpRequest,
    given: Any,
    answer: Callable[[list[Any]], list[dict[str, Any]]],
    cost: Callable[[Any], int] = lambda _: 1,
) -> HttpResponse:
    """Answer one thing or a list of them alike, once it is known that the key may ask so much."""
    asked = given if isinstance(given, list) else [given]
    _refuse_other_body(request, _spend_rest(request, sum(map(cost, asked))))
    answers = answer(asked)
    return _answer(request, answers if isinstance(given, list) else answers[0])


def _refuse_other_body(request: HttpRequest, holder: Holder) -> None:
    """Refuse an Idempotency-Key that came with another body within a day.

    A repeated request is computed again: asking changes nothing, so there is no answer to keep, and no text either.
    """
    name = request.headers.get("Idempotency-Key")
    if name is None:
        return
    if not 1 <= len(name) <= 255:
        raise HttpError(400, "an Idempotency-Key has 1 to 255 characters")
    hashes = {
        "name_hash": keyed_hash("repeat", name),
        "body_hash": keyed_hash("body", hashlib.sha256(request.path.encode() + b"\n" + request.body).digest()),
    }
    now = timezone.now()
    mine = Attempt.objects.filter(key_id=holder.key_id, name_hash=hashes["name_hash"])
    mine.filter(at__lte=now - REPEATS_KEPT).delete()
    try:
        with transaction.atomic():
            Attempt.objects.create(key_id=holder.key_id, at=now, **hashes)
    except IntegrityError:
        if mine.exclude(body_hash=hashes["body_hash"]).exists():
            raise HttpError(422, "this Idempotency-Key came with another body within 24 hours") from None


# ---- pictures --------------------------------------------------------------------------------------------


@api.post(
    "api/v1/check/image",
    url_name="api-check-image",
    operation_id="check_image",
    response={200: forms.ImageAnswer, **_PROBLEMS, 501: forms.Problem},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def check_image(request: HttpRequest) -> HttpResponse:
    """Hash a picture (the body is its bytes, at most 4 MiB and 25 million pixels) and look it up; it is never stored."""
    _spend_rest(request, IMAGE_COST)
    if (request.content_type or "").startswith("multipart/"):
        raise HttpError(400, "send the picture itself as the body: curl --data-binary @picture.jpg")
    raw = request.read(MOST_IMAGE_BYTES + 1)
    if len(raw) > MOST_IMAGE_BYTES:
        return _problem(request, 413, "too_large", "the picture is larger than 4 MiB; a side of 512 pixels is enough")
    if not raw:
        raise HttpError(400, "send a picture as the body")
    with _decoding:
        hashes = hash_bytes(raw, _IMAGE_LIMITS)
    now, loaded, picture = datetime.now(UTC), the_engine().loaded(), hashes.image
    known = find_file(loaded.checker.matchers.known, hashes)
    usable = picture.pdq if picture and picture.is_usable else None
    about = {
        "size_bytes": hashes.size_bytes,
        "sha256": hashes.sha256,
        "md5": hashes.md5,
        "pdq": picture.pdq if picture else None,
        "quality": picture.quality if picture else None,
        "reason": hashes.reason,
    }
    return _answer(request, about | _found(known, loaded, [hashes.sha256, hashes.md5], now, usable))


# ---- as Hasher-Matcher-Actioner answers ------------------------------------------------------------------


@api.get(
    "m/lookup",
    url_name="hma-lookup",
    operation_id="hma_lookup",
    tags=["hma"],
    response={200: dict[str, list[forms.BankMatch]] | dict[str, dict[str, list[forms.BankMatch]]], **_PROBLEMS},
)
def hma_lookup(
    request: HttpRequest,
    signal: Annotated[str, Query(max_length=forms.MOST_URL)] = "",
    signal_type: Annotated[str, Query(max_length=40)] = "",
    url: Annotated[str, Query(max_length=forms.MOST_URL)] = "",
    banks: Annotated[str, Query(max_length=4000, description="names of lists, by commas; empty: all")] = "",
) -> HttpResponse:
    """Look up a hash or an address as Hasher-Matcher-Actioner does; banks are our lists. `url` is looked up, never fetched."""
    wanted = set(banks.split(",")) if banks else None
    if url:
        return _answer(request, {"url": by_bank(_look_up_urls([forms.AskedUrl(url=url)])[0], wanted)})
    if not signal or not signal_type:
        raise HttpError(400, "Either url or both signal and signal_type are required")
    if signal_type not in SIGNALS:
        raise HttpError(400, f"no such signal type; known: {', '.join(sorted(SIGNALS))}")
    ours = SIGNALS[signal_type]
    if ours == "url":
        return _answer(request, by_bank(_look_up_urls([forms.AskedUrl(url=signal)])[0], wanted))
    try:
        asked = forms.AskedHash(signal=ours, value=signal.strip())  # type: ignore[arg-type]
    except ValueError:
        raise HttpError(400, f"invalid signal: no {signal_type}") from None
    return _answer(request, by_bank(_look_up_hashes([asked])[0], wanted))


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document."""
    document: dict[str, Any] = api.get_openapi_schema(path_prefix="/")
    document["info"]["x-bastau-version"] = __version__
    return document
