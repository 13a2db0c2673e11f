import json
import os
import sys
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bastau.errors import ConfigError
from bastau.models.features import reading_fingerprint
from bastau.models.linear import LinearModel
from bastau.models.model_file import load_model, model_id, save_model
from bastau.training import train_model

sys.path.insert(0, str(Path(__file__).parent))

from labelled_texts import detect, fold, labelled_texts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_model(**changes: object) -> LinearModel:
    weights = np.random.default_rng(2).normal(size=1 << 16).astype(np.float32)
    values: dict[str, object] = {
        "weights": weights, "bias": 0.1, "slope": 1.5, "shift": -0.2, "threshold": 0.4, "label": "flag",
        "languages": ("kk", "ru"), "may_suggest": False, "fingerprint": reading_fingerprint(fold),
    }  # fmt: skip
    return LinearModel(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_model(a_model(), tmp_path / "m.bastau")
    return tmp_path / "m.bastau"


def rewrite(path: Path, change: object = None, tail: bytes | None = None) -> None:
    """Write the file again with another header, as one who tampers with it would."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    if callable(change):
        change(header)
    new = json.dumps(header).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + (data if tail is None else tail))


def test_a_model_comes_back_as_it_was(path: Path) -> None:
    model, expected = load_model(path, fold), a_model()
    np.testing.assert_array_equal(model.weights, expected.weights)
    assert [vars(model)[k] for k in list(vars(model))[1:]] == [vars(expected)[k] for k in list(vars(model))[1:]]
    assert len(model_id(path)) == 16


def test_a_file_of_another_version_is_named_as_such(path: Path) -> None:
    rewrite(path, lambda header: header["__metadata__"].update(version="2"))
    with pytest.raises(ConfigError, match="version '2'; this bastau reads version 1"):
        load_model(path, fold)


def test_a_model_of_another_folding_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="folded another way"):
        load_model(path, lambda texts: texts)


def test_a_flipped_bit_is_noticed(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match="digest"):
        load_model(path, fold)


def tensor(**changes: object) -> object:
    return lambda header: header["weights"].update(changes)


@pytest.mark.parametrize(
    ("change", "tail"),
    [
        (tensor(shape=[1 << 40]), None),
        (tensor(shape=[1 << 22], data_offsets=[0, 1 << 24]), None),
        (tensor(shape=[-1]), None),
        (tensor(shape=[1 << 8, 1 << 8]), None),
        (tensor(shape="x"), None),
        (tensor(shape=[65536.0], dtype="O"), None),
        (tensor(dtype="F64"), None),
        (tensor(data_offsets=[8, 8 + (4 << 16)]), None),
        (lambda header: header.update(more={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), None),
        (lambda header: header.pop("weights"), None),
        (lambda header: header["__metadata__"].update(model="[]"), None),
        (lambda header: header["__metadata__"].update(model='{"bias": 1e999}'), None),
        (lambda header: header["__metadata__"].pop("model"), None),
        (None, b""),
        (None, b"\0" * 7),
        (None, np.full(1 << 16, np.nan, np.float32).tobytes()),
        (None, np.full(1 << 16, np.inf, np.float32).tobytes()),
    ],
)
def test_a_hostile_file_is_refused_in_little_memory(path: Path, change: object, tail: bytes | None) -> None:
    rewrite(path, change, tail)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="broken or was tampered with"):
            load_model(path, fold)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",
        b"\xff" * 8 + b"{}",
        (1 << 62).to_bytes(8, "little") + b"{",
        b"\x80\x04\x95pickle",
        b"PK\x03\x04" * 50,
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ConfigError):
        load_model(tmp_path / "m", fold)


def test_deep_json_is_refused(tmp_path: Path) -> None:
    header = b'{"a":' + b"[" * 500_000
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ConfigError, match="header"):
        load_model(tmp_path / "m", fold)


def test_an_archive_bomb_is_never_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", b"\0" * (64 << 20))
    with pytest.raises(ConfigError, match="no model of bastau"):
        load_model(tmp_path / "m.npz", fold)


def test_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    for name in (".", "pipe", "nowhere", "huge"):
        with pytest.raises(ConfigError):
            load_model(tmp_path / name, fold)


@pytest.fixture(autouse=True)
def _every_text_is_kazakh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bastau.training.detect", detect)


def write_csv(path: Path) -> Path:
    labelled = labelled_texts()
    rows = zip(labelled.texts, labelled.labels, labelled.languages, labelled.groups, strict=True)
    path.write_text("\n".join(["text,label,language,group", *(",".join(row) for row in rows)]), "utf-8")
    return path


def test_training_writes_a_model_and_a_card_that_says_what_it_may(tmp_path: Path) -> None:
    answer, lines = train_model(write_csv(tmp_path / "t.csv"), tmp_path / "m.bastau", licence="CC0", now=NOW, seed=3)
    assert load_model(tmp_path / "m.bastau", fold).label == "flag"
    page = (tmp_path / "m.bastau.md").read_text("utf-8")
    card = json.loads((tmp_path / "m.bastau.json").read_text("utf-8"))
    assert "It may only rank" in page
    assert card["data"]["licence"] == "CC0"
    assert card["made_at"] == "2026-03-01T00:00:00+00:00"
    assert card["model_id"] == model_id(tmp_path / "m.bastau") == answer["model_id"]
    assert any("may only rank what rules and known content suggest" in line for line in lines)


def test_no_text_of_the_file_is_on_the_card(tmp_path: Path) -> None:
    train_model(write_csv(tmp_path / "t.csv"), tmp_path / "m", licence="CC0", now=NOW)
    pages = (tmp_path / "m.md").read_text("utf-8") + (tmp_path / "m.json").read_text("utf-8")
    assert not any(text in pages for text in labelled_texts().texts)


def test_a_licence_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--licence"):
        train_model(write_csv(tmp_path / "t.csv"), tmp_path / "m", licence=" ", now=NOW)
