"""Kill, fill, tear and turn back the clock; then everything acknowledged is there once, and a rerun finishes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

N_POSTS = 6_000


def bastau(
    *arguments: str | Path, home: Path, check: int | None = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bastau", *map(str, arguments), "--home", str(home)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stderr + done.stdout
    return done


def answer(*arguments: str | Path, home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(bastau(*arguments, "--json", home=home).stdout)
    return found


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from bastau.simulate.world import generate, write

    folder = tmp_path_factory.mktemp("posts")
    write(generate(N_POSTS, seed=7), folder)
    return folder / "posts.ndjson"


@pytest.fixture(scope="module")
def calm(posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which nothing went wrong."""
    home = tmp_path_factory.mktemp("calm") / "home"
    settle(home)
    bastau("import", posts, home=home)
    bastau("run", home=home)
    return home


def copied(calm: Path, home: Path) -> Path:
    """Return the calm home once more, to be treated badly."""
    return Path(shutil.copytree(calm, home))


def settle(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    # Small batches, so that a kill falls between many commits. Every account a publisher, or ids would hold pseudonyms
    # and two homes, with a key each, could not be compared.
    (home / "bastau.toml").write_text("[lake]\nbatch_rows = 1024\n[publishers]\nmin_audience = 0\n")


def exported(home: Path, what: str = "narratives") -> list[dict[str, object]]:
    path = home.parent / f"{what}.ndjson"
    bastau("export", what, "-o", path, home=home)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def grouping(home: Path) -> set[tuple[str, int]]:
    return {(str(n["narrative_id"]), len(n["post_ids"])) for n in exported(home)}  # type: ignore[arg-type]


def seconds(*arguments: str | Path, home: Path) -> float:
    start = time.monotonic()
    bastau(*arguments, home=home)
    return time.monotonic() - start


def killed(command: list[str | Path], home: Path, after_s: float) -> bool:
    """Run a command and kill -9 it after some time; return whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bastau", *map(str, command), "--home", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


KILLS = 20 if "BASTAU_LONG_TESTS" in os.environ else 6


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(posts: Path, calm: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    settle(home)
    dice = random.Random(20)
    import_s = seconds("import", posts, home=tmp_path / "probe")
    run_s = seconds("run", home=tmp_path / "probe")
    n_stored = kills = attempts = 0
    while kills < KILLS // 2 and attempts < 2 * KILLS:
        attempts += 1
        kills += killed(["import", posts], home, dice.uniform(0.3, import_s * 0.9))
        status = answer("status", home=home) if (home / "lake").exists() else {"n_posts": 0}
        assert int(str(status["n_posts"])) >= n_stored, f"attempt {attempts} lost posts"
        n_stored = int(str(status["n_posts"]))
    bastau("import", posts, home=home)
    while kills < KILLS and attempts < 4 * KILLS:
        attempts += 1
        # A rebuild has work to do also when an earlier run came to its end before its kill.
        kills += killed(["run", "--rebuild"], home, dice.uniform(0.5, run_s * 0.9))
        bastau("doctor", home=home)
    bastau("run", home=home)
    assert kills == KILLS, "too few kills fell inside a command for this test to say anything"
    assert answer("status", home=home)["n_posts"] == answer("status", home=calm)["n_posts"]
    assert grouping(home) == grouping(calm)
    bastau("doctor", "--repair", home=home)
    assert not list(home.rglob(".tmp-*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_rerun_goes_on(posts: Path, calm: Path, small_disk: Path) -> None:
    home = small_disk / "home"
    settle(home)
    done = bastau("import", posts, home=home, check=2)
    assert "no space left" in done.stderr
    assert not list(home.rglob(".tmp-*"))
    n_before = int(str(answer("status", home=home)["n_posts"]))
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    bastau("import", posts, home=home)
    bastau("run", home=home)
    assert 0 < n_before < N_POSTS
    assert answer("status", home=home)["n_posts"] == answer("status", home=calm)["n_posts"]


def test_a_disk_that_fills_during_the_run_leaves_the_old_generation_in_force(calm: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    home = copied(calm, small_disk / "home")
    before = grouping_of_generation(home)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as sink:
        try:
            while True:
                sink.write(bytes(1 << 14))
        except OSError:
            pass
    done = bastau("run", "--rebuild", home=home, check=2)
    assert "no space left" in done.stderr
    filler.unlink()
    assert grouping_of_generation(home) == before
    bastau("run", "--rebuild", home=home)
    assert grouping_of_generation(home)[0] == before[0] + 1


def grouping_of_generation(home: Path) -> tuple[int, int]:
    generation = answer("status", home=home)["generation"]
    assert isinstance(generation, dict)
    return int(generation["generation"]), int(generation["n_narratives"])


def test_a_torn_file_is_named_set_aside_and_restored_by_importing_again(
    posts: Path, calm: Path, tmp_path: Path
) -> None:
    home = copied(calm, tmp_path / "home")
    torn = sorted((home / "lake" / "posts").rglob("*.parquet"))[1]
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    found = bastau("doctor", home=home, check=1)
    assert torn.name in found.stdout
    failed = bastau("run", "--rebuild", home=home, check=1)
    assert torn.name in failed.stderr
    assert "doctor --repair" in failed.stderr
    bastau("doctor", "--repair", home=home)
    bastau("import", posts, home=home)
    bastau("run", home=home)
    bastau("doctor", home=home)
    assert grouping(home) == grouping(calm)


def test_a_clock_set_back_neither_rotates_the_key_nor_loses_a_post(posts: Path, tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from bastau.home import Home
    from bastau.intake import import_file

    home = Home.open(tmp_path / "home", create=True)
    now = datetime(2026, 11, 1, tzinfo=UTC)
    with home.locked():
        first = import_file(home, posts, now=now)
        key = (home.keys / "pseudonym.key").read_bytes()
        again = import_file(home, posts, now=now - timedelta(days=400))
    assert first.n_posts == N_POSTS - first.n_repeats - first.n_rejects
    assert again.n_posts == 0
    assert (home.keys / "pseudonym.key").read_bytes() == key


def test_a_run_without_posts_says_how_they_come(tmp_path: Path) -> None:
    assert "next: bastau import FILE" in bastau("run", home=tmp_path).stdout
