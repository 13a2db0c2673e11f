"""The words of appeals: beside the log, which holds their hash only, so that they can be erased."""

from datetime import datetime, timedelta

from bastau.review.acts import Appealed
from bastau.review.appeals import code_hash, find_entry, words_hash
from bastau.review.cases import Appeal
from bastau.review.log import propose
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.models import AppealWords

FEWEST, MOST = 20, 5000
"""Characters of an appeal."""
_UNKNOWN_FOR = timedelta(days=1)
"""Words that the log does not know: their writer was told that it failed, and may send them again."""


def file_appeal(code: str, words: str, now: datetime) -> None:
    """Take an appeal: words first, then the log, so that a crash in between loses nothing; sent again, both find themselves.

    Raises:
        Refused: the code is none, or its entry was appealed already or too long ago; nothing is kept.
        BastauError: the log cannot be written now; the same words may be sent again.
    """
    book, digest = the_desk().book(), code_hash(code)
    case, _ = find_entry(book, code)
    act = Appealed(case.case, digest, words_hash(digest, words))
    propose(book, act, now)
    AppealWords.objects.get_or_create(
        text_sha256=act.text_sha256, defaults={"case": case.case, "text": words, "filed_at": now}
    )
    the_desk().act(lambda _: act, now)


def words_of(appeal: Appeal) -> str | None:
    """Return what an appeal says, None once it is erased."""
    row = AppealWords.objects.filter(text_sha256=appeal.text_sha256).first()
    return None if row is None else row.text


def erase_old(now: datetime, keep_days: int) -> int:
    """Erase words whose appeal ended ``keep_days`` ago, and those that no appeal is known for; return how many."""
    every = [entry.appeal for case in the_desk().book().cases.values() for entry in case.entries if entry.appeal]
    kept = {appeal.text_sha256 for appeal in every if now - (_ended_at(appeal, now) or now) < timedelta(days=keep_days)}
    old = AppealWords.objects.filter(filed_at__lte=now - _UNKNOWN_FOR).values_list("pk", "text_sha256")
    gone = [pk for pk, digest in old if digest not in kept]
    for pk in gone:
        AppealWords.objects.filter(pk=pk).delete()
    return len(gone)


def _ended_at(appeal: Appeal, now: datetime) -> datetime | None:
    return appeal.answered_at or (appeal.due_at if appeal.due_at <= now else None)
