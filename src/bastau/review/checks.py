"""Whether an act is whole: names, hashes, words and limits. Who may act when is told by :mod:`bastau.review.cases`."""

import re
from collections.abc import Iterator, Sequence

from bastau.errors import Refused
from bastau.review.acts import (
    EXEMPTIONS,
    GROUNDS,
    Act,
    Answered,
    Appealed,
    By,
    Evidence,
    Judged,
    Opened,
    Released,
    Reopened,
    Suggested,
    Suggestion,
    Verdict,
    Withdrawn,
)
from bastau.review.cases import Case, lead, versions
from bastau.review.subjects import PLACES, case_id, check_form
from bastau.schemas import ACTS

MIN_REASON = 20
"""Characters; less is no reason."""
MIN_ARGUMENT = 80
"""Characters of an argument for a whole host or domain."""
MIN_CITATION = 5
MAX_CITATION, MAX_REASON, MAX_FACTS = 500, 2000, 5000
"""Characters, as the DSA Transparency Database limits grounds, explanations and facts."""
TERRITORIES = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "HR",
        "CY",
        "CZ",
        "DK",
        "EE",
        "FI",
        "FR",
        "DE",
        "GR",
        "HU",
        "IS",
        "IE",
        "IT",
        "LV",
        "LI",
        "LT",
        "LU",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SK",
        "SI",
        "ES",
        "SE",
    ]
)
"""EU and EEA countries, ISO 3166."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_act(case: Case | None, act: Act) -> None:
    """Check an act by itself and against the case as it is.

    Raises:
        Refused: with the code ``name``, ``wording``, ``hash``, ``versions``, ``evidence``, ``exemption``, ``whole_place``, or one of
            :func:`bastau.review.subjects.check_form`.
    """
    by = getattr(act, "by", None)
    if isinstance(by, By):
        _check_name(by)
    match act:
        case Opened():
            check_form(act.subject)
            _wants(act.case == case_id(act.subject), "wording", "the id of a case is made of its subject")
            _check_evidence(act.evidence, "a case needs evidence")
            _wants(bool(act.data_version), "versions", "name the data it was found in")
            _wants(len({s.by for s in act.suggestions}) == len(act.suggestions), "wording", "one suggestion a machine")
            for suggestion in act.suggestions:
                _check_suggestion(suggestion)
        case Suggested():
            _check_suggestion(act.suggestion)
            _wants(bool(act.data_version), "versions", "name the data it was found in")
        case Reopened():
            _wants(act.why in ("renewal", "new_evidence", "mistake"), "wording", "why is it asked again?")
            if act.evidence:
                _check_evidence(act.evidence, "")
        case Judged() if case is not None:
            _check_judged(case, act)
        case Released() if case is not None:
            _check_released(case, act)
        case Withdrawn():
            _wants(act.why in ("withdrawn", "corrected"), "wording", "why is it taken back?")
            _check_words(act.reason, "reason", MIN_REASON, MAX_REASON)
        case Appealed():
            _check_hash(act.code_sha256, act.text_sha256)
        case Answered():
            _check_words(act.reason, "reason", MIN_REASON, MAX_REASON)


def _check_judged(case: Case, act: Judged) -> None:
    _check_verdict(case, act.verdict)
    _wants(act.versions == versions(case), "stale", "the suggestions have changed since they were read")
    known = {evidence.sha256 for evidence in case.evidence}
    _wants(act.evidence_sha256 in known, "evidence", "the evidence is not in the case")
    _wants(0 <= act.second_rate <= 1, "wording", "a rate lies in [0, 1]")


def _check_verdict(case: Case, verdict: Verdict) -> None:
    for _, problem in verdict_problems(case, verdict):
        raise problem


def verdict_problems(case: Case, verdict: Verdict) -> Iterator[tuple[str, Refused]]:
    """Yield (field of the verdict, why it is not whole) for everything that is wrong with it."""
    suggested = lead(case.suggestions)
    agrees = None if suggested is None else verdict.listed_act == suggested.act
    if verdict.is_accepted != agrees:
        yield "is_accepted", Refused("wording", "accepting the suggestion and the verdict do not fit")
    if verdict.exemption not in EXEMPTIONS:
        yield "exemption", Refused("exemption", f"one of: {', '.join(EXEMPTIONS)}")
    yield from _words_problem("reason", verdict.reason, "reason", MIN_REASON, MAX_REASON)
    if verdict.act is None:
        return
    if verdict.act not in ACTS:
        yield "act", Refused("wording", f"an act is one of: {', '.join(ACTS)}")
    yield from _words_problem("exemption_checked", verdict.exemption_checked, "exemption check", MIN_REASON, MAX_REASON)
    if verdict.ground is None or verdict.ground.kind not in GROUNDS:
        yield "ground", Refused("wording", "name the law or policy")
    else:
        yield from _words_problem("ground", verdict.ground.citation, "citation", MIN_CITATION, MAX_CITATION)


def _words_problem(field: str, words: str, what: str, least: int, most: int) -> Iterator[tuple[str, Refused]]:
    try:
        _check_words(words, what, least, most)
    except Refused as problem:
        yield field, problem


def _check_released(case: Case, act: Released) -> None:
    check_form(case.subject)
    _check_hash(act.code_sha256)
    _check_words(act.facts, "facts", MIN_REASON, MAX_FACTS)
    _wants(set(act.territory) <= TERRITORIES, "wording", "territories are EU and EEA countries")
    _wants(
        not act.ground_url or act.ground_url.startswith("https://"),
        "wording",
        "the ground's address begins with https://",
    )
    if case.subject.kind in PLACES:
        _check_words(act.whole_argument, "argument", MIN_ARGUMENT, MAX_FACTS, code="whole_place")
    else:
        _wants(not act.whole_argument, "whole_place", "only a host or domain needs an argument for the whole of it")


def _check_name(by: By) -> None:
    for name in (by.account, by.person, by.role):
        _wants(bool(_NAME.fullmatch(name)), "name", "accounts, persons and roles are a-z 0-9 . _ @ + -, up to 64")


def _check_suggestion(suggestion: Suggestion) -> None:
    _wants(suggestion.act is None or suggestion.act in ACTS, "wording", f"an act is one of: {', '.join(ACTS)}")
    _wants(bool(_NAME.fullmatch(suggestion.by)), "name", "a machine is a-z 0-9 . _ @ + -, up to 64")
    _wants(bool(suggestion.rule or suggestion.model), "versions", "name the rule or model and its version")
    _wants(0 <= suggestion.score <= 1, "wording", "a score lies in [0, 1]")


def _check_evidence(evidence: Sequence[Evidence], missing: str) -> None:
    _wants(bool(evidence), "evidence", missing)
    _check_hash(*(one.sha256 for one in evidence))
    _wants(all(one.reference for one in evidence), "evidence", "say where the evidence is kept")


def _check_hash(*digests: str) -> None:
    _wants(
        all(_SHA256.fullmatch(digest) for digest in digests), "hash", "a SHA-256 is 64 lower-case hexadecimal digits"
    )


def _check_words(words: str, what: str, least: int, most: int, code: str = "wording") -> None:
    _wants(least <= len(words.strip()) and len(words) <= most, code, f"{what}: {least} to {most} characters")


def _wants(holds: bool, code: str, detail: str) -> None:
    if not holds:
        raise Refused(code, detail)
