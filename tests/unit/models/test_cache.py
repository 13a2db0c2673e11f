from pathlib import Path

from bastau.models.cache import Cache, cache_key


def test_what_is_put_is_found_again_after_opening_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "c")
    cache.put(b"a", b"1")
    cache.put(b"a", b"2")
    cache.close()
    cache = Cache(tmp_path / "deep" / "c")
    assert (cache.get(b"a"), cache.get(b"b")) == (b"2", None)
    cache.close()


def test_parts_of_a_key_do_not_run_together() -> None:
    assert cache_key("ab", "c") != cache_key("a", "bc")
    assert len(cache_key("")) == 32


def test_a_full_cache_drops_what_was_used_least_recently(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 1000)
    for i in range(10):
        cache.put(bytes([i]), b"x" * 100)
    assert cache.get(b"\0") is not None  # used again, so it stays
    for i in range(10, 14):
        cache.put(bytes([i]), b"x" * 100)
    kept = [i for i in range(14) if cache.get(bytes([i]))]
    assert 0 in kept
    assert 13 in kept
    assert 1 not in kept
    assert len(kept) <= 10
    cache.close()


def test_a_value_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 10)
    cache.put(b"a", b"x" * 11)
    assert cache.get(b"a") is None
    cache.close()


def test_a_damaged_or_impossible_file_holds_nothing_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"no database" * 1000)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "junk", tmp_path, tmp_path / "link", Path("/proc/nowhere/c")):
        cache = Cache(path)
        cache.put(b"a", b"1")
        assert cache.get(b"a") is None
        assert cache.is_broken
        cache.close()


def test_no_path_keeps_nothing() -> None:
    cache = Cache(None)
    cache.put(b"a", b"1")
    assert cache.get(b"a") is None
    assert not cache.is_broken
