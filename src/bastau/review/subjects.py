"""What can be judged: content, or a publisher's place. Never a person (SCOPE, rules 1 and 2)."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from urllib.parse import unquote, urlsplit

from bastau.errors import Refused
from bastau.hashing import format_id
from bastau.listed_urls import is_members_only, shared_hosts
from bastau.registrable import is_under_platform, public_suffix, registrable_domain
from bastau.schemas import PUBLISHER_KINDS
from bastau.settings import Publishers
from bastau.urls import canonical_host, canonical_url

HASH_DIGITS = {"sha256": 64, "md5": 32, "pdq": 64, "text_sha256": 64}
PLACES = ("host", "domain")
KINDS = ("url", *PLACES, *HASH_DIGITS)
CONTENT_TYPES = ("text", "image", "video", "audio", "synthetic_media", "other")

_IP = re.compile(r"[\d.]+|.*:.*")
_PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
# Pages about somebody on any website, in path or query: /@name as the fediverse writes it, /~name, /users/name, a journalist's page,
# profile.php and the like of forums, the user pages of a wiki.
_PERSON_PAGE = re.compile(
    r"/(?:@|~)[^/]|/(?:users?|u|profiles?|people|persons?|members?|authors?|avtor)(?:\.(?:php|aspx?))?(?:[/?]|$)"
    r"|[?&;](?:author|author_name|action=profile|mode=viewprofile)(?:[=;&]|$)"
    r"|[/=](?:user|user_talk|участник|участница|қатысушы):",
    re.I,
)


@dataclass(frozen=True)
class Owner:
    """Whose place an address is, and what makes it a publisher by the home's rule.

    Attributes:
        audience: followers; None: not known, which counts as below.
        is_named: the operator's settings name it as a publisher.
        min_audience: threshold in force.
    """

    platform: str
    source: str
    source_kind: str
    audience: int | None
    is_named: bool
    min_audience: int


@dataclass(frozen=True)
class Subject:
    """What a case is about.

    Attributes:
        kind: one of KINDS.
        value: canonical address, host, registrable domain, or lower-case hex.
        is_public: whoever opened the case reached it without an account, an invitation or a password.
        owner: needed where the address names its author.
        languages: of the content, BCP 47, sorted.
        content_types: of CONTENT_TYPES.
        published_on: day on which the content was published; None: not known.
    """

    kind: str
    value: str
    is_public: bool
    owner: Owner | None
    languages: tuple[str, ...]
    content_types: tuple[str, ...]
    published_on: date | None


def case_id(subject: Subject) -> str:
    """Return the id of the one case about a subject: `c` + 13 base-32 digits."""
    key = hashlib.blake2b(f"{subject.kind}:{subject.value}".encode(), digest_size=8).digest()
    return format_id("c", int.from_bytes(key, "big"))


def check_form(subject: Subject) -> None:
    """Check what no list of hosts is needed for, so that it holds for old logs too.

    Raises:
        Refused: with the code ``kind``, ``value``, ``not_public``, ``person``, ``private_account`` or ``wording``.
    """
    if subject.kind not in KINDS:
        raise Refused("kind", f"{subject.kind!r} cannot be judged; only: {', '.join(KINDS)}")
    if not subject.value or (
        subject.kind in HASH_DIGITS and canonical_value(subject.kind, subject.value) != subject.value
    ):
        raise Refused("value", f"not a canonical {subject.kind}")
    if not subject.is_public:
        raise Refused("not_public", "what only members can reach is never judged")
    if _PSEUDONYM.search(unquote(subject.value)):
        raise Refused("person", "the address names a private person; judge the text or the file by its hash")
    if subject.owner is not None and not is_publisher(subject.owner):
        raise Refused(
            "private_account", "the address is of an account that is no publisher; judge the text or file by its hash"
        )
    if sorted(set(subject.languages)) != list(subject.languages) or not all(
        map(_LANGUAGE.fullmatch, subject.languages)
    ):
        raise Refused("wording", "languages must be tags of BCP 47, sorted, each once")
    if not subject.content_types or not set(subject.content_types) <= set(CONTENT_TYPES):
        raise Refused("wording", f"content types are some of: {', '.join(CONTENT_TYPES)}")


def check_subject(subject: Subject) -> None:
    """Check that a subject may be judged and, if found to be so, listed: its form, and what is known of its host.

    Raises:
        Refused: as :func:`check_form`, and ``shared_host``.
    """
    check_form(subject)
    if subject.value != canonical_value(subject.kind, subject.value):
        raise Refused("value", f"not a canonical {subject.kind}")
    if subject.kind not in HASH_DIGITS:
        _check_address(subject)


def canonical_value(kind: str, value: str) -> str | None:
    """Return how a value of a kind is written, None if it is none."""
    match kind:
        case "url":
            return canonical_url(value)
        case "host":
            return canonical_host(value)
        case "domain":
            host = canonical_host(value)
            return registrable_domain(host) if host else None
        case _:
            folded = value.lower()
            return folded if re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS[kind]}}}", folded) else None


def is_publisher(owner: Owner) -> bool:
    """Say whether an owner is a publisher by the home's rule.

    A threshold of 0 makes everybody a publisher and is meant for simulated data; here the default holds instead.
    """
    least = owner.min_audience or Publishers().min_audience
    return owner.source_kind in PUBLISHER_KINDS or owner.is_named or (owner.audience or 0) >= least


def _check_address(subject: Subject) -> None:
    address = subject.value if subject.kind == "url" else f"https://{subject.value}"
    parts = urlsplit(address)
    host, path = parts.hostname or "", unquote(parts.path)
    rest = unquote(address.partition(parts.netloc)[2])
    if subject.kind == "url" and path in ("", "/") and not parts.query:
        raise Refused("value", "a bare host is judged as host or domain, with an argument for the whole of it")
    if subject.kind in PLACES and (is_shared(host) or _IP.fullmatch(host)):
        raise Refused("shared_host", f"{host}: many unrelated people publish there; judge a page or an account")
    if is_members_only(address):
        raise Refused("not_public", "addresses of this kind open for members only")
    if _names_an_author(host, rest) and subject.owner is None:
        raise Refused(
            "private_account", "the address names an account; say whose, or judge the text or file by its hash"
        )


def is_shared(host: str) -> bool:
    """Say whether unrelated people publish on a host: a bundled list, and suffixes of the Public Suffix List (private part too)."""
    return host in shared_hosts() or public_suffix(host) == host


def _names_an_author(host: str, rest: str) -> bool:
    """Say whether an address names who wrote it; one written in another (an archive's, a translator's) too."""
    written = filter(None, map(canonical_host, re.split(r"[/?&=#]", rest)))
    return bool(_PERSON_PAGE.search(rest)) or any(map(_has_accounts, (host, *written)))


def _has_accounts(host: str) -> bool:
    labels = host.split(".")
    within = {".".join(labels[n:]) for n in range(len(labels))}
    on_shared = within & shared_hosts() or is_under_platform(host)
    return bool(on_shared and not within & _lines("nameless_hosts.txt"))


@cache
def _lines(name: str) -> frozenset[str]:
    text = files("bastau.review").joinpath(name).read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
