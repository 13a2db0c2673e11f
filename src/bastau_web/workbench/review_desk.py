"""What the pages of review share: the log, the candidates of the lake, and who has what on the desk."""

from datetime import datetime

import duckdb
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest
from django.utils import timezone

from bastau.errors import BastauError, Refused
from bastau.report.candidates import Candidate, Candidates, candidates, changed, speaks_again
from bastau.review.acts import By
from bastau.review.cases import Case, outcome
from bastau.review.queue import Lock, take
from bastau.settings import Review
from bastau_web.workbench.acting import acting, the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.models import Account, Desk
from bastau_web.workbench.roles import Role


def found_candidates() -> Candidates:
    """Return what machines found in the lake as it is now."""
    home = the_home()

    def make(con: duckdb.DuckDBPyConnection) -> Candidates:
        return candidates(con, home.settings.publishers, data_version(), timezone.now())

    return ask("candidates", make, is_made_ahead=True)  # seconds for twenty thousand posts


def data_version() -> str:
    """Return which run the findings are of."""
    generation = the_home().generation()
    return f"generation {generation.manifest['generation']}" if generation is not None else "no generation"


def review_settings() -> Review:
    """Return the settings of review of this home."""
    return the_home().settings.review


def roles_of(request: HttpRequest) -> frozenset[str]:
    """Return the roles of whoever asks."""
    return signed_in(request).roles


def whoever(request: HttpRequest) -> By:
    """Return who looks, to tell people apart; the role never counts for that."""
    return acting(request, Role.REVIEWER if Role.REVIEWER in roles_of(request) else Role.ANALYST)


def act_read(request: HttpRequest) -> int:
    """Return the number of the act that a form was made for; 0, which none has, for anything else."""
    of = request.POST.get("of", "")[:18]
    return int(of) if of.isdecimal() else 0


def cases_on_desks(now: datetime) -> dict[str, Desk]:
    """Return the cases that are on a desk."""
    return {row.case: row for row in Desk.objects.filter(until__gt=now).select_related("account")}


def by_of(account: Account) -> By:
    """Return an account as one who acts, to tell people apart."""
    return By(account.name, account.person or account.name, Role.REVIEWER)


def signed_in(request: HttpRequest) -> Account:
    """Return the account that asks; the door lets nobody else in."""
    assert isinstance(request.user, Account)
    return request.user


def hold(request: HttpRequest, ident: str, now: datetime) -> None:
    """Put a case on this person's desk, or keep it there.

    Raises:
        Refused: ``locked``: somebody else has it.
    """
    Desk.objects.filter(until__lte=now).delete()
    try:
        with transaction.atomic():
            row = Desk.objects.select_for_update().select_related("account").filter(case=ident).first()
            lock = None if row is None else Lock(ident, by_of(row.account), row.until)
            until = take(lock, ident, whoever(request), now).until
            if row is None:
                Desk.objects.create(case=ident, account=signed_in(request), until=until)
            else:
                Desk.objects.filter(case=ident).update(account=signed_in(request), until=until)
    except IntegrityError as error:
        raise Refused("locked", "somebody else took it at the same moment") from error


def put_on_desk(request: HttpRequest, ident: str, now: datetime) -> None:
    """Put a case on the desk; a candidate becomes a case, and a machine that says something else now is heard first."""
    hold(request, ident, now)
    found = found_candidates().by_case.get(ident)
    try:
        known = the_desk().book().cases.get(ident)
        if known is None and found is None:
            raise Http404
        if known is None and found is not None:
            opened = found.opened
            the_desk().act(lambda _book: opened, now)
        elif known is not None and found is not None and _is_to_hear(known, found):
            said = changed(known, found, data_version())
            if said is not None:
                the_desk().act(lambda _book: said, now)
    except Refused as error:
        if error.code not in ("exists", "unchanged"):
            Desk.objects.filter(case=ident).delete()
            raise
    except (BastauError, Http404):
        Desk.objects.filter(case=ident).delete()
        raise


def _is_to_hear(case: Case, found: Candidate) -> bool:
    """Say whether what the rules say now changes the question: before anybody spoke, or of a decided case."""
    return speaks_again(case, found) or (not case.round.given and outcome(case.round) is None)


def again(case: Case, found: Candidates) -> str | None:
    """Return ``again`` for a decided case of which the rules say something else by now."""
    one = found.by_case.get(case.case)
    return "again" if one is not None and speaks_again(case, one) else None
