"""``bastau train``: a linear model of the user's own from a labelled file, with its card."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from bastau import __version__
from bastau.errors import ConfigError
from bastau.models.card import make_card, write_card
from bastau.models.labelled import Columns, Labelled, read_labelled
from bastau.models.linear import LinearModel
from bastau.models.model_file import load_model, save_model
from bastau.models.training import train
from bastau.read.fold import fold_strings
from bastau.read.language import DetectLanguage

PROTECTED_COLUMNS = Columns(group="category")


def fold(texts: pa.Array) -> pa.Array:
    """Fold texts as posts without a title are folded."""
    return fold_strings(texts)[0]


def detect(folded: pa.Array) -> pa.Array:
    """Return the detected language of each folded text, as the pipeline detects it."""
    return DetectLanguage().run(pa.table({"folded": folded})).column("detected_language").combine_chunks()


def load_linear(path: Path) -> LinearModel:
    """Read a model for the stage ``ScoreModel``; see ``models.model_file.load_model`` for what it refuses."""
    return load_model(path, fold)


def train_model(
    path: Path,
    model_path: Path,
    *,
    licence: str,
    now: datetime,
    columns: Columns | None = None,
    positive: str | None = None,
    protected: Sequence[Path] = (),
    threshold: float | None = None,
    seed: int = 0,
) -> tuple[dict[str, Any], list[str]]:
    """Train on ``path``, write model and card, and return the card with what to say about it.

    Args:
        path: labelled texts, CSV or NDJSON.
        model_path: where the model goes; the card goes beside it as ``.json`` and ``.md``.
        licence: under which the labelled texts may be used, in the user's words; goes on the card.
        now: date of the card.
        columns: names of the columns.
        positive: the label that a high score means.
        protected: files of the protected-speech suite (text, language, category, label); without them the model may
            only rank.
        threshold: from which a text counts as labelled; None: best out-of-fold F1.
        seed: of the split.

    Raises:
        ConfigError: see ``models.training.train`` and ``models.labelled.read_labelled``.
    """
    if not licence.strip():
        raise ConfigError("say with --licence under which licence the texts are used; 'not stated' is an answer too")
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigError(f"the threshold must lie between 0 and 1, got {threshold}")
    if not model_path.parent.is_dir():
        raise ConfigError(f"{model_path.parent}: no such folder")
    labelled = read_labelled(path, columns or Columns())
    suite = _suite(protected) if protected else None
    trained = train(labelled, fold, detect, positive=positive, protected=suite, threshold=threshold, seed=seed)
    model_id = save_model(trained.model, model_path)
    data: dict[str, Any] = {"file": path.name, "sha256": _sha256(path)}
    data["protected"] = {file.name: _sha256(file) for file in protected}
    card = make_card(
        trained.report,
        model_id=model_id,
        fingerprint=trained.model.fingerprint,
        data=data,
        licence=licence,
        now=now,
        version=__version__,
    )
    pages = write_card(card, model_path)
    return card | {"model": str(model_path), "pages": [str(page) for page in pages]}, _lines(card, model_path, pages[1])


def _suite(paths: Sequence[Path]) -> Labelled:
    """Return the texts of all files of the protected-speech suite together."""
    whole = Labelled()
    for part in (read_labelled(path, PROTECTED_COLUMNS) for path in paths):
        for name in ("texts", "labels", "languages", "groups", "ids"):
            getattr(whole, name).extend(getattr(part, name))
    return whole


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(card: dict[str, Any], model_path: Path, page: Path) -> list[str]:
    texts, quality, protected = card["texts"], card["out_of_fold"], card["protected"]
    lines = [
        f"{model_path}: model {card['model_id']} of {card['label']!r}, from {texts['n']} different texts "
        f"({texts['n_positive']} labelled)",
        f"unseen texts: precision {quality['precision']['value']}, recall {quality['recall']['value']}, "
        f"F1 {quality['f1']['value']}, AUC {quality['auc']['value']}, calibration error {card['calibration']['ece']}",
        *(f"left out {n} rows {reason}" for reason, n in texts["skipped_rows"].items()),
    ]
    if protected["failures"]:
        lines.append("this model may only rank what rules and known content suggest; it may not suggest by itself:")
        lines += [f"  {reason}" for reason in protected["failures"]]
    else:
        lines.append("it leaves protected speech alone and may suggest texts for review; a person decides")
    return [*lines, f"read its card before use: {page}"]
