"""The folder of lists that a home hands out follows what stands, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "review"))

from review_cases import NOON, OTHER_SHA, code, judged, opened, released, subject, who

from bastau.desk import Desk
from bastau.errors import HomeBusy
from bastau.home import Home
from bastau.publishing import EVERY, handed_out, public_folder, publish_due, trouble
from bastau.review.acts import Act, Appealed, Withdrawn
from bastau.review.log import Book
from bastau.shield.commands import default_key
from bastau.shield.publish import verify_folder
from bastau.shield.signing import make_key

SETTINGS = '[shield]\npublisher = "Watch"\nappeal = "https://w.example/appeal"\npolicy = "https://w.example/"\nlicence = "CC0-1.0"\n'
MINUTE = timedelta(minutes=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bastau.toml").write_text(SETTINGS)
    home = Home.open(folder)
    make_key(default_key(home))
    desk = Desk(home)
    act(desk, lambda book: opened(subject()))
    act(desk, lambda book: judged(one_case(book), who("aigul")))
    act(desk, lambda book: released(one_case(book), who("bolat", "publisher"), NOON))
    return home


def act(desk: Desk, make: Callable[[Book], Act], minutes: float = 0) -> None:
    desk.act(make, NOON + minutes * MINUTE)


def one_case(book):  # type: ignore[no-untyped-def]
    return next(iter(book.cases.values()))


def withdraw(home: Home, minutes: float) -> None:
    reason = "The page holds something else than was thought."
    act(
        Desk(home), lambda book: Withdrawn(one_case(book).case, who("bolat", "publisher"), "withdrawn", reason), minutes
    )


def version(home: Home, minutes: float, **how: bool) -> int | None:
    told = publish_due(home, NOON + minutes * MINUTE, **how)
    return None if told is None else int(told["version"])


def test_it_is_published_when_something_changed_an_hour_went_by_or_somebody_asked(home: Home) -> None:
    assert version(home, 1) == 1
    assert version(home, 2) is None
    assert version(home, 3, asked=True) == 2
    assert version(home, 4 + EVERY / MINUTE) == 3
    withdraw(home, 70)
    assert version(home, 70) == 4
    assert version(home, 71) is None
    document = handed_out(home)
    assert document is not None
    assert document["entries"] == []
    assert [r["reason"] for r in document["retractions"]] == ["withdrawn"]
    assert not [p for p in public_folder(home).rglob("*") if p.is_file() and b"site.kz" in p.read_bytes()]


@pytest.mark.parametrize(("is_appealed", "days", "reason"), [(False, 30, "expired"), (True, 14, "withdrawn")])
def test_what_time_ends_is_in_no_file_after_the_next_look(
    home: Home, is_appealed: bool, days: int, reason: str
) -> None:
    if is_appealed:
        act(Desk(home), lambda book: Appealed(one_case(book).case, code(), OTHER_SHA))
    end = days * 24 * 60
    assert version(home, end - 1) == 1
    assert version(home, end) == 2
    document = handed_out(home)
    assert document is not None
    assert [r["reason"] for r in document["retractions"]] == [reason]
    assert not [p for p in public_folder(home).rglob("*") if p.is_file() and b"site.kz" in p.read_bytes()]


def test_without_a_key_nothing_is_published_and_nothing_is_wrong(home: Home) -> None:
    default_key(home).unlink()
    assert version(home, 1) is None
    assert trouble(home) is None
    assert not public_folder(home).exists()


def test_a_failure_is_told_and_tried_again_after_ever_longer_pauses(home: Home) -> None:
    default_key(home).chmod(0o644)
    assert version(home, 1) is None
    first = trouble(home)
    assert first is not None
    assert "chmod 600" in first.problem
    assert version(home, 1.2) is None
    assert trouble(home) == first  # not tried before its time
    assert version(home, 2) is None
    second = trouble(home)
    assert second is not None
    assert second.n_failures == 2
    assert second.again_at - second.failed_at == 2 * (first.again_at - first.failed_at)
    default_key(home).chmod(0o600)
    assert version(home, 2.1, asked=True) == 1
    assert trouble(home) is None


def test_an_edited_log_publishes_nothing_and_says_so(home: Home) -> None:
    path = home.folder / "review" / "log.ndjson"
    path.write_bytes(path.read_bytes().replace(b"site.kz", b"sita.kz"))
    assert version(home, 1) is None
    found = trouble(home)
    assert found is not None
    assert "not as it was written" in found.problem


def test_a_clock_that_goes_back_is_told_and_hides_nothing(home: Home) -> None:
    assert version(home, 60) == 1
    withdraw(home, 30)
    assert version(home, 30) is None
    found = trouble(home)
    assert found is not None
    assert "later than this clock" in found.problem
    assert version(home, 61) == 2
    assert handed_out(home)["entries"] == []  # type: ignore[index]


def test_a_damaged_folder_and_another_key_are_mended(home: Home) -> None:
    assert version(home, 1) == 1
    (public_folder(home) / "hosts.txt").write_text("0.0.0.0 forged.kz\n")
    assert version(home, 2) == 2
    (public_folder(home) / "SHA256SUMS").unlink()
    assert version(home, 3) == 3
    for path in home.folder.glob("shield/shield.key*"):
        path.unlink()
    key = make_key(default_key(home))
    assert version(home, 4) == 4
    assert verify_folder(public_folder(home), key.public) == []


def test_of_two_processes_one_publishes(home: Home) -> None:
    for lock in ("shield-public.lock", "shield.lock"):
        with home.locked(lock), pytest.raises(HomeBusy):
            version(home, 1)
    assert trouble(home) is None
    assert version(home, 1) == 1


def test_a_kill_at_any_moment_leaves_a_folder_that_the_next_look_makes_whole(home: Home) -> None:
    script = (
        "import sys; from datetime import datetime, timedelta; from pathlib import Path; from bastau.home import Home\n"
        "from bastau.publishing import publish_due\n"
        "home, now = Home.open(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2])\n"
        "for n in range(10_000):\n"
        "    publish_due(home, now + timedelta(seconds=n), asked=True)\n"
        "    print(n, flush=True)\n"
    )
    for minutes, wait_s in ((1, 0.0), (20, 0.012), (40, 0.03)):
        arguments = [sys.executable, "-c", script, str(home.folder), str(NOON + minutes * MINUTE)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait_s)
            os.kill(process.pid, signal.SIGKILL)
    last = json.loads((home.folder / "shield" / "list.json").read_bytes())
    withdraw(home, 60)
    told = publish_due(home, NOON + 61 * MINUTE)
    assert told is not None
    assert told["version"] == last["version"] + 1
    public = (home.folder / "shield" / "shield.key.pub").read_text()
    assert verify_folder(public_folder(home), public) == []
    assert not list(public_folder(home).rglob(".tmp-*"))
    assert not [p for p in public_folder(home).rglob("*") if p.is_file() and b"site.kz" in p.read_bytes()]


def test_each_version_of_an_entry_has_its_own_words_hash() -> None:
    from bastau.review.appeals import words_hash

    assert words_hash(code(1), "It is a lesson.") != words_hash(code(2), "It is a lesson.")
    assert words_hash(code(1), "It is a lesson.") == words_hash(code(1), "It is a lesson.")
