"""The rules: what each is for, the texts that show it, what it found lately, and candidates tried without taking effect."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import duckdb
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from bastau import rule_trial
from bastau.errors import BastauError
from bastau.matching import rule_folders
from bastau.read.rules.catalogue import RuleTexts, catalogue
from bastau.read.rules.documents import Problem, RuleFile
from bastau.read.rules.loading import rule_files, rules_folder
from bastau.report.post_search import PostHit, shown
from bastau.report.queries import rows
from bastau.report.rule_counts import DAYS, RuleCount, rule_counts
from bastau.rule_trial import Difference
from bastau_web.workbench import trials
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.roles import READERS, Role, open_to
from bastau_web.workbench.words import locale_of

_TRIERS = (Role.ANALYST, Role.ADMIN)
_NONE = RuleCount(0, 0)


@open_to(*READERS)
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Show all rules by act, what they found lately, and the candidates."""
    found, problems = _catalogue()
    counts = ask("rule_counts", rule_counts)
    by_act: dict[str, list[tuple[RuleTexts, RuleCount]]] = {}
    for rule in found:
        by_act.setdefault(rule.act or "technique", []).append((rule, counts.get(rule.id, _NONE)))
    values = {
        "by_act": by_act.items(),
        "n": len(found),
        "problems": [str(problem) for problem in problems],
        "days": DAYS,
        "candidates": [(name, _last(name)) for name in rule_trial.candidates(the_home())],
        "folder": the_home().folder / rule_trial.FOLDER,
    }
    return render(request, "rules.html", values)


def _catalogue() -> tuple[list[RuleTexts], list[Problem]]:
    files = rule_files([rules_folder(), *rule_folders(the_home())])
    return _read(tuple(file for file in files if b"rules:" in file.raw))


@lru_cache(maxsize=2)
def _read(files: tuple[RuleFile, ...]) -> tuple[list[RuleTexts], list[Problem]]:
    """Return the rules of these files, read once for as long as no file changes: YAML takes a second."""
    return catalogue(files)


def _last(name: str) -> rule_trial.Trial | None:
    return rule_trial.last_trial(the_home(), name)


@open_to(*READERS)
@require_safe
def rule(request: HttpRequest, name: str) -> HttpResponse:
    """Show one rule with the texts that it must and must not hit."""
    one = next((rule for rule in _catalogue()[0] if rule.id == name), None)
    if one is None:
        raise Http404
    values = {
        "rule": one,
        "count": ask("rule_counts", rule_counts).get(name, _NONE),
        "days": DAYS,
        "texts": [
            ("must_hit", _by_language(one.must_hit), len(one.must_hit)),
            ("must_not_hit", _by_language(one.must_not_hit), len(one.must_not_hit)),
        ],
    }
    return render(request, "rule.html", values)


def _by_language(texts: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for tag, text in texts:
        found.setdefault(tag, []).append(text)
    return sorted(found.items())


@dataclass(frozen=True)
class _Shown:
    """A difference with posts to look at."""

    difference: Difference
    gained: Sequence[PostHit]
    lost: Sequence[PostHit]

    @property
    def n_more(self) -> int:
        return self.difference.n_then - self.difference.n_both

    @property
    def n_fewer(self) -> int:
        return self.difference.n_now - self.difference.n_both


@open_to(*READERS)
@require_safe
def trial(request: HttpRequest, name: str) -> HttpResponse:
    """Show what a candidate would change; nothing of it is suggested to anybody."""
    return _show_trial(request, name)


def _show_trial(request: HttpRequest, name: str, problem: str = "", status: int = 200) -> HttpResponse:
    home = the_home()
    if name not in rule_trial.candidates(home):
        raise Http404
    made = rule_trial.last_trial(home, name)
    runs, failed = trials.state_of(name)
    differences = [_Shown(one, _posts(one.gained), _posts(one.lost)) for one in made.rules] if made else []
    values = {
        "name": name,
        "trial": made,
        "differences": differences,
        "runs": runs,
        "problem": problem or failed,
        "is_changed": made is not None and made.sha256 != rule_trial.sha256_of(home, name),
        "may_try": bool(getattr(request.user, "roles", frozenset()) & {*_TRIERS}),
        "sample": rule_trial.SAMPLE,
    }
    return render(request, "rule_trial.html", values, status=status)


def _posts(keys: Sequence[int]) -> list[PostHit]:
    """Return posts to look at, each behind a warning: that is what the candidate is about."""
    sql = "select post_key, epoch_us(published_at) as at_us from posts where post_key in (select unnest(?::bigint[]))"
    if not keys:
        return []

    def make(con: duckdb.DuckDBPyConnection) -> list[PostHit]:
        times = {row["post_key"]: row["at_us"] for row in rows(con, sql, [list(keys)])}
        return shown(con, [(key, times[key]) for key in keys if key in times])

    return [replace(hit, is_sensitive=True) for hit in ask(("posts", tuple(keys)), make)]


@open_to(*_TRIERS)
@require_POST
def try_rules(request: HttpRequest, name: str) -> HttpResponse:
    """Try a candidate on the latest stored posts."""
    if name not in rule_trial.candidates(the_home()):
        raise Http404
    try:
        if not trials.begin(name):
            return _show_trial(request, name, locale_of(request).text("web.rules.busy"), status=409)
    except (BastauError, OSError) as error:
        return _show_trial(request, name, str(error), status=503)
    return redirect("rule-trial", name)


ROUTES = [
    path("rules", rules, name="rules"),
    path("rule/<str:name>", rule, name="rule"),
    path("rules/trial/<path:name>", trial, name="rule-trial"),
    path("rules/try/<path:name>", try_rules, name="try-rule"),
]
