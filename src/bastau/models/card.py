"""The model card: what a model was made from, how good it is, and what it must not be used for."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.errors import ConfigError

INTENDED_USE = (
    "Orders texts that rules or known content already suggested for review. A person decides every one of them.",
    "Scores texts. It never saw who wrote them, and its scores must not be added up over the posts of a person.",
)
LIMITS = (
    "A linear model of n-grams sees words, not stance: it cannot tell a call from its quotation, its denial or a report of it.",
    "The figures hold for texts like those it was trained on. Languages, topics and years that are not in the table are unknown.",
    "The threshold was chosen on the same out-of-fold scores that the figures are from, which flatters F1 a little.",
    "It cannot be better than its labels; repeated texts count once, texts with both labels were left out.",
)


def make_card(
    report: dict[str, Any],
    *,
    model_id: str,
    fingerprint: str,
    data: dict[str, Any],
    licence: str,
    now: datetime,
    version: str,
) -> dict[str, Any]:
    """Return the card as JSON; ``data`` names the labelled file with its SHA-256."""
    return {
        "model_id": model_id,
        "made_at": now.isoformat(timespec="seconds"),
        "made_with": f"bastau {version}",
        "reading_fingerprint": fingerprint,
        "method": "hashed n-grams (characters 2-5 within words, words 1-2) of the folded text, logistic regression "
        "(C 4, classes balanced), Platt calibration on out-of-fold scores",
        "data": data | {"licence": licence},
        "intended_use": list(INTENDED_USE),
        "limits": list(LIMITS),
    } | report


def write_card(card: dict[str, Any], model_path: Path) -> list[Path]:
    """Write the card beside the model, as ``MODEL.json`` and ``MODEL.md``; return both paths."""
    paths = [model_path.with_name(model_path.name + ending) for ending in (".json", ".md")]
    try:
        paths[0].write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", "utf-8")
        paths[1].write_text(card_markdown(card), "utf-8")
    except OSError as error:
        raise ConfigError(f"{error.filename}: the model card cannot be written: {error.strerror}") from None
    return paths


def card_markdown(card: dict[str, Any]) -> str:
    """Return the card as a page."""
    texts, calibration, protected = card["texts"], card["calibration"], card["protected"]
    lines = [
        f"# Model card: {_plain(card['label'])}",
        "",
        f"Model `{card['model_id']}`, made {card['made_at']} with {card['made_with']}. **It {protected['role']}.**",
        "",
        *(f"- {reason}" for reason in map(_plain, protected["failures"])),
        "",
        "## Intended use",
        "",
        *(f"- {line}" for line in card["intended_use"]),
        "",
        "## Data",
        "",
        f"File `{_plain(card['data']['file'])}`, SHA-256 `{card['data']['sha256']}`, licence: {_plain(card['data']['licence'])}.",
        f"{texts['n']:,} different texts, {texts['n_positive']:,} of them labelled; {texts['n_repeated']:,} repeats, "
        f"{texts['n_with_both_labels']:,} with both labels, {texts['n_in_protected_suite']:,} that the protected suite holds and "
        f"{texts['n_without_words']:,} without words left out.",
        f"It scores texts in: {_plain(', '.join(card['known_languages']))}. Texts in other languages get no score.",
        "",
        "## Quality",
        "",
        f"Each text scored by a model that did not see it (5 parts); flagged from {card['threshold']}. 95 % intervals.",
        "",
        *_table("language", {"all": card["out_of_fold"]} | card["languages"]),
        "",
        f"Calibration error {calibration['ece']} (before: {calibration['ece_uncalibrated']}), Brier score {calibration['brier']} "
        f"(before: {calibration['brier_uncalibrated']}).",
        "",
    ]
    if card["left_out_groups"]:
        lines += ["## New kinds of text", "", "Each group scored by a model that saw none of it.", ""]
        lines += [*_table("group", card["left_out_groups"]), ""]
    if protected["cells"]:
        lines += ["## Protected speech", "", "Share left alone, worst first.", ""]
        lines += ["| category | language | left alone | interval | texts |", "|---|---|---|---|---|"]
        lines += [
            f"| {_plain(c['category'])} | {_plain(c['language'])} | {c['value']:.3f} | {c['low']:.3f}-{c['high']:.3f} | {c['n']} |"
            for c in protected["cells"]
        ]
        if protected["flagged_calls"] is not None:
            lines += [
                "",
                f"Of the calls to violence in the suite it flags {protected['flagged_calls']:.3f}; "
                f"{protected['n_unscored']:,} texts of the suite are in languages that it does not score.",
            ]
        lines.append("")
    lines += ["## Limits", "", *(f"- {line}" for line in card["limits"]), ""]
    return "\n".join(lines)


def _table(first: str, rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = [f"| {first} | texts | labelled | precision | recall | F1 | AUC |", "|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        cells = [_interval(row[key]) for key in ("precision", "recall", "f1", "auc")]
        lines.append(f"| {_plain(name)} | {row['n']:,} | {row['n_positive']:,} | {' | '.join(cells)} |")
    return lines


def _interval(value: dict[str, Any] | None) -> str:
    if value is None or value["value"] is None:
        return "-"
    return f"{value['value']:.3f} ({value['low']:.3f}-{value['high']:.3f})"


def _plain(text: str) -> str:
    """Return a name from the user's file so that it can shape neither the table nor the page."""
    return "".join(c if c.isalnum() or c in " .,:;%()+-_/'" else "?" for c in str(text))[:200]
