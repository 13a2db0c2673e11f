"""The key: found again, replaced when old, never lost to a clock."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bastau.collect.pseudonyms import PSEUDONYM, Pseudonyms
from bastau.errors import ConfigError

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def name(folder: Path, now: datetime) -> str:
    return Pseudonyms.open(folder, now, 30).pseudonym("x", "somebody")


def test_the_same_handle_has_the_same_pseudonym_until_the_key_is_old(tmp_path: Path) -> None:
    first = name(tmp_path, NOW)
    assert name(tmp_path, NOW + timedelta(days=29)) == first
    assert name(tmp_path, NOW + timedelta(days=31)) != first


def test_case_does_not_matter_and_platform_does() -> None:
    pseudonyms = Pseudonyms(b"k" * 32)
    assert pseudonyms.pseudonym("x", "SomeBody") == pseudonyms.pseudonym("x", "somebody")
    assert pseudonyms.pseudonym("vk", "somebody") != pseudonyms.pseudonym("x", "somebody")
    assert PSEUDONYM.fullmatch(pseudonyms.pseudonym("x", "somebody"))


def test_a_clock_set_back_neither_rotates_nor_loses_the_key(tmp_path: Path) -> None:
    first = name(tmp_path, NOW)
    assert name(tmp_path, NOW - timedelta(days=400)) == first
    assert name(tmp_path, NOW - timedelta(days=390)) == first


def test_time_passed_counts_even_when_the_clock_was_set_back_in_between(tmp_path: Path) -> None:
    first = name(tmp_path, NOW)
    assert name(tmp_path, NOW + timedelta(days=20)) == first
    assert name(tmp_path, NOW - timedelta(days=100)) == first
    assert name(tmp_path, NOW - timedelta(days=89)) != first


def test_a_clock_far_ahead_does_not_keep_the_key_alive(tmp_path: Path) -> None:
    ahead = name(tmp_path, NOW + timedelta(days=20_000))
    assert name(tmp_path, NOW) == ahead
    assert name(tmp_path, NOW + timedelta(days=31)) != ahead


def test_the_key_is_for_its_owner_alone_and_the_old_one_is_overwritten(tmp_path: Path) -> None:
    name(tmp_path, NOW)
    key = tmp_path / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    kept = tmp_path / "link"  # a second name for the same bytes on disk
    kept.hardlink_to(key)
    old = kept.read_bytes()
    name(tmp_path, NOW + timedelta(days=31))
    assert old not in kept.read_bytes()
    assert key.read_bytes() != old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pseudonym-age.json", "pseudonym.key"]


def test_a_key_of_unknown_age_is_replaced(tmp_path: Path) -> None:
    first = name(tmp_path, NOW)
    (tmp_path / "pseudonym-age.json").unlink()
    assert name(tmp_path, NOW) != first


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    name(tmp_path, NOW)
    (tmp_path / "pseudonym.key").write_text("zz")
    with pytest.raises(ConfigError, match="damaged"):
        name(tmp_path, NOW)
