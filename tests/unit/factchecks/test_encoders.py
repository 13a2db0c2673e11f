"""A sentence encoder that a user brings: found by its name, kept with the ranker, refused where it does not belong."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bastau.cli import main
from bastau.errors import ConfigError
from bastau.evaluate.claims import evaluate_claims
from bastau.factchecks import encoders, kernels
from bastau.factchecks.encoders import UNIVERSAL, find_encoder, to_bytes, unit_vectors
from bastau.factchecks.features import DENSE, FEATURES
from bastau.factchecks.index import ClaimIndex
from bastau.factchecks.matcher import open_claims
from bastau.factchecks.ranker import load_ranker, save_ranker, shipped_ranker
from bastau.factchecks.store import open_matcher
from bastau.factchecks.words import read_words
from bastau.home import Home

pytest.importorskip("lightgbm", reason="needs the extra `models`")

PACKAGE = """
import numpy as np
MEANINGS = {"feline": "cat", "kitty": "cat", "canine": "dog", "hound": "dog", "automobile": "car", "lorry": "car",
            "physician": "doctor", "medic": "doctor", "ship": "boat", "vessel": "boat", "banknote": "money", "cash": "money"}
class Encoder:
    encoder_id = "meanings 1"
    def encode(self, texts):
        rows = np.zeros((len(texts), 64))
        for i, text in enumerate(texts):
            for word in text.lower().replace(".", " ").split():
                word = MEANINGS.get(word, word)
                rows[i] += np.random.default_rng(int.from_bytes(word.encode(), "big")).normal(size=64)
        return rows
MEANING = Encoder()
"""
"""Words with one meaning get one vector, a text the sum of them."""
THINGS = {"cat": ("feline", "kitty"), "dog": ("canine", "hound"), "car": ("automobile", "lorry"),
          "doctor": ("physician", "medic"), "boat": ("ship", "vessel"), "money": ("banknote", "cash")}  # fmt: skip
DEEDS = (
    "burns",
    "flies",
    "sleeps",
    "sings",
    "melts",
    "walks",
    "dances",
    "drowns",
    "talks",
    "glows",
    "shrinks",
    "votes",
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as pip would install it, with an entry point."""
    site = tmp_path / "site"
    about = site / "meanings-1.dist-info"
    about.mkdir(parents=True)
    (site / "meanings_of_words.py").write_text(PACKAGE, "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: meanings\nVersion: 1\n", "utf-8")
    (about / "entry_points.txt").write_text("[bastau.encoders]\nmeanings = meanings_of_words:MEANING\n", "utf-8")
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("meanings_of_words", None)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """72 claims, and for each a post that says the same of a thing by another name."""
    claims, posts, pairs = ["claim_id,text"], ["post_id,text"], ["post_id,claim_id"]
    for thing, names in THINGS.items():
        for n, deed in enumerate(DEEDS):
            ident = f"{thing}-{deed}"
            claims.append(f"{ident},A {thing} {deed} in the town of Astana.")
            posts.append(f"{ident},look the {names[n % 2]} {deed} again")
            pairs.append(f"{ident},{ident}")
    made = []
    for name, lines in (("claims", claims), ("posts", posts), ("relevant", pairs)):
        made.append(tmp_path / f"{name}.csv")
        made[-1].write_text("\n".join(lines) + "\n", "utf-8")
    return made


def arguments(files: list[Path]) -> list[str]:
    return [part for path in files for part in (f"--{path.stem}", str(path))]


@pytest.mark.usefixtures("package")
class TestCommands:
    def test_train_and_evaluate_with_an_encoder(
        self, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "mine.npz"
        trained = ["train", "claims", *arguments(files), "--licence", "ours", "-o", str(target)]
        assert main([*trained, "--encoder", "meanings"]) == 0
        assert 'encoder = "meanings"' in capsys.readouterr().out
        assert load_ranker(target).encoder_id == "meanings 1"
        assert json.loads((tmp_path / "mine.json").read_text("utf-8"))["encoder"] == "meanings 1"

        measured = ["evaluate", "claims", *arguments(files), "--json", "--ranker", str(target)]
        assert main([*measured, "--encoder", "meanings"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["text only"]["p_1"] > 0.9
        assert answer["text only"]["p_1"] > answer["bm25"]["p_1"] + 0.3

        assert main(measured) != 0
        assert "meanings 1" in capsys.readouterr().err

    def test_an_unknown_encoder_is_named_with_the_known_ones(
        self, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        trained = ["train", "claims", *arguments(files), "--licence", "ours", "-o", str(tmp_path / "mine.npz")]
        assert main([*trained, "--encoder", "nobody"]) != 0
        said = capsys.readouterr().err
        assert "nobody" in said
        assert "meanings" in said

    def test_trained_within_an_evaluation(self, files: list[Path]) -> None:
        claims, posts, relevant = files
        plain, _ = evaluate_claims(*files, train_posts=posts, train_relevant=relevant)
        dense, _ = evaluate_claims(
            claims, posts, relevant, train_posts=posts, train_relevant=relevant, encoder=find_encoder("meanings")
        )
        assert dense["text only"]["map_5"] > plain["text only"]["map_5"]

    def test_a_home_uses_the_encoder_of_its_ranker(self, files: list[Path], tmp_path: Path) -> None:
        home = tmp_path / "home"
        assert main(["import", "--home", str(home), "--claims", str(files[0])]) == 0
        trained = ["train", "claims", *arguments(files), "--licence", "ours", "-o", str(home / "mine.npz")]
        assert main([*trained, "--encoder", "meanings"]) == 0
        settings = home / "bastau.toml"
        settings.write_text('[models]\nclaims = "mine.npz"\nencoder = "meanings"\n', "utf-8")
        for _ in range(2):  # built, then read from the home folder
            matcher = open_matcher(Home.open(home))
            assert matcher is not None
            ranking = matcher.rank(read_words("look the hound sings again"))
            assert matcher.ids[int(ranking.rows[0])] == "dog-sings"
        settings.write_text('[models]\nclaims = "mine.npz"\n', "utf-8")
        with pytest.raises(ConfigError, match="meanings 1"):
            open_matcher(Home.open(home))


@dataclass
class Given:
    """An encoder that gives what it is told to."""

    rows: np.ndarray
    encoder_id: str = "given"
    asked: int = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += len(texts)
        return self.rows[: len(texts)]


def test_each_distinct_text_is_encoded_once_and_one_without_words_is_like_nothing() -> None:
    encoder = Given(np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]))
    vectors = unit_vectors(encoder, ["a", "", "a", "b"])
    assert encoder.asked == 3
    assert vectors.tolist() == pytest.approx(np.array([[0.6, 0.8], [0, 0], [0.6, 0.8], [0, 1]]))


@pytest.mark.parametrize("rows", [np.zeros(2), np.zeros((1, 4)), np.full((2, 4), np.nan)])
def test_an_encoder_that_gives_no_vectors_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="given"):
        unit_vectors(Given(rows), ["a", "b"])


def test_products_of_small_numbers_are_near_those_of_large_ones() -> None:
    dice = np.random.default_rng(5)
    vectors = unit_vectors(Given(dice.normal(size=(200, 384))), [str(i) for i in range(200)])
    small, factors = to_bytes(vectors)
    (query,), (factor,) = to_bytes(vectors[:1])
    found = np.zeros(200, np.float32)
    kernels.add_products(small, factors * factor, query.astype(np.int16), found)
    assert found == pytest.approx(vectors @ vectors[0], abs=0.01)


def test_without_an_encoder_nothing_is_added() -> None:
    matcher = open_claims([("c1", "A cat burns in Astana.", None, None)])
    assert matcher.index.vectors.shape == (1, 0)
    assert matcher.candidates(read_words("a cat burns")).x.shape[1] == len(FEATURES)


def test_a_claim_without_a_common_word_becomes_a_candidate(tmp_path: Path) -> None:
    claims = [("c1", "A cat burns in Astana.", None, None), ("c2", "Votes were bought.", None, None)]
    encoder = Given(np.array([[1.0, 0.0], [0.0, 1.0]]))
    matcher = open_claims(claims, encoder=encoder)
    encoder.rows = np.array([[0.6, 0.8]])
    found = matcher.candidates(read_words("somebody paid for ballots"))
    assert found.rows.tolist() == [1, 0]
    assert found.x[:, len(FEATURES) + DENSE.index("dense")] == pytest.approx([0.8, 0.6], abs=0.01)
    matcher.index.save(tmp_path / "kept", "x")
    kept = ClaimIndex.load(tmp_path / "kept", "x")
    assert kept is not None
    assert kept.vectors.tolist() == matcher.index.vectors.tolist()


def test_a_ranker_without_an_encoder_refuses_one() -> None:
    with pytest.raises(ConfigError, match="no encoder"):
        open_claims([("c1", "A cat burns.", None, None)], shipped_ranker(), Given(np.ones((1, 2))))


def test_quotation_marks_make_no_other_text() -> None:
    one, other = (read_words(text).plain for text in ("He said “don’t” to 'them'.", 'He said "don\'t" to them.'))
    assert one.replace(" .", ".") == other.replace(" .", ".") == "He said don't to them."


def test_the_universal_encoder_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise encoders.PackageNotFoundError

    monkeypatch.setattr(encoders, "version", missing)
    with pytest.raises(ConfigError, match=r"bastau\[encoder\]"):
        _ = UNIVERSAL.encoder_id


def test_a_file_without_an_encoder_is_as_before(tmp_path: Path) -> None:
    save_ranker(shipped_ranker(), tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as held:
        about = json.loads(held["about"].tobytes())
    assert "encoder" not in about
    assert about["features"] == list(FEATURES)
