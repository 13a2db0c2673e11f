import dataclasses
from pathlib import Path

import pytest

from bastau.errors import ConfigError
from bastau.settings import _RANGES, Settings, describe, load_settings


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "bastau.toml"
    path.write_text(text, "utf-8")
    return load_settings(path)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_no_file_and_an_empty_file_give_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "bastau.toml") == load(tmp_path, "") == Settings()


def test_a_setting_changes_itself_and_nothing_else(tmp_path: Path) -> None:
    settings = load(tmp_path, "[publishers]\nmin_audience = 0\nknown = ['x:a', 'b']\n[sources]\nmax_q = 0.05\n")
    publishers = dataclasses.replace(Settings().publishers, min_audience=0, known=("x:a", "b"))
    sources = dataclasses.replace(Settings().sources, max_q=0.05)
    assert settings == dataclasses.replace(Settings(), publishers=publishers, sources=sources)


def test_a_whole_number_will_do_where_a_fraction_may_stand(tmp_path: Path) -> None:
    assert load(tmp_path, "[narratives]\nsimilarity = 1").narratives.similarity == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[publisher]\nx = 1", "publisher"),
        ("[review]\ngrounds = ['law: EU 2021/784', 'as always']", "review.grounds must be written as `law: citation`"),
        ("[publishers]\nmin_followers = 1", "unknown setting publishers.min_followers; known: min_audience, known"),
        ("publishers = 5", "publishers must be a section: write [publishers]"),
        ("[publishers]\nmin_audience = 'many'", "publishers.min_audience must be int, got str"),
        ("[publishers]\nmin_audience = true", "publishers.min_audience must be int, got bool"),
        ("[publishers]\nmin_audience = 5.5", "publishers.min_audience must be int, got float"),
        ("[publishers]\nmin_audience = -1", "publishers.min_audience must lie in [0, 4.61169e+18], got -1"),
        ("[publishers]\nkey_days = 31", "publishers.key_days must lie in [1, 30], got 31"),
        ("[publishers]\nknown = 'x:a'", "publishers.known must be a list of strings"),
        ("[publishers]\nknown = ['a', 5]", "publishers.known must be a list of strings"),
        ("[narratives]\nsimilarity = nan", "narratives.similarity must lie in [0.5, 1], got nan"),
        ("[narratives]\nsimilarity = '0.7'", "narratives.similarity must be float, got str"),
        ("[engine]\nname = 'hadoop'", "engine.name must be local or spark, got 'hadoop'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_do(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(tmp_path, text)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = "colour = 'red'\n[publishers]\nkey_days = 0\nfoo = 1\n[lake]\nbatch_rows = 'x'\n"
    lines = problems(tmp_path, text).splitlines()
    assert all(line.startswith(f"{tmp_path / 'bastau.toml'}: ") for line in lines)
    assert [any(word in line for line in lines) for word in ("colour", "key_days", "publishers.foo", "batch_rows")] == [
        True
    ] * 4
    assert len(lines) == 4


def test_what_is_no_toml_is_said_with_the_place(tmp_path: Path) -> None:
    assert "not valid TOML" in problems(tmp_path, "[publishers\n")
    assert "line 2" in problems(tmp_path, "\nmin_audience 5\n")
    (tmp_path / "bastau.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(tmp_path / "bastau.toml")


def test_a_folder_in_place_of_the_file_is_the_operators_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path)


def test_every_setting_is_described_and_every_range_is_of_one() -> None:
    names = [name for name, *_ in describe()]
    fields = [f"{s.name}.{f.name}" for s in dataclasses.fields(Settings) for f in dataclasses.fields(s.type)]  # type: ignore[arg-type]
    assert names == fields
    assert set(_RANGES) <= set(names)
    assert all(meaning for *_, meaning in describe())


def test_every_default_lies_in_its_range() -> None:
    for label, (low, high) in _RANGES.items():
        section, key = label.split(".")
        assert low <= getattr(getattr(Settings(), section), key) <= high, label


def test_settings_cannot_be_changed_on_the_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().publishers.min_audience = 0  # type: ignore[misc]
