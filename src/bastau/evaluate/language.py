"""How well languages and scripts are told, on a labelled file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from bastau.errors import InputError
from bastau.evaluate.labelled import MAX_SHOWN, labelled_rows, read_labelled
from bastau.read.fold import Fold
from bastau.read.language import DetectLanguage
from bastau.read.language_figures import compare
from bastau.read.language_model import LanguageModel, language_model
from bastau.read.language_scripts import ONE_LANGUAGE, SCRIPTS

_ALIASES = {"Hang": "Kore"}
_KNOWN_SCRIPTS = {*SCRIPTS, "Hans", "Hant", "Kore"}


def evaluate_language(path: Path, model: LanguageModel | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return figures of the detected languages against those that a file states, and how to say them.

    Args:
        path: CSV or NDJSON with ``text``, ``language`` (`kk`, or with its script `kk-Latn`) and optionally ``script``.
        model: None for the one that is shipped.

    Raises:
        InputError: the file has no such columns, or a row is wrong; names line and field.
    """
    rows = read_labelled(path, ("text", "language"), ("script",))
    problems = {
        line: problem for line, row in labelled_rows(path) if isinstance(row, dict) and (problem := _problem(row))
    }
    if problems:
        shown = [f"{path}: line {line}: {problem}" for line, problem in list(problems.items())[:MAX_SHOWN]]
        more = len(problems) - len(shown)
        raise InputError("\n".join(shown + ([f"{path}: and {more} more"] if more else [])))
    known = [_known(row) for row in rows]
    found = detect_texts([row["text"] for row in rows], model)
    tags = found.column("detected_language").to_pylist()
    figures = asdict(compare([language for language, _ in known], tags, found.column("language_score").to_pylist()))
    answer: dict[str, Any] = {"task": "language", "file": str(path), **figures}
    named = {tag for of in (model or language_model()).languages for tag in of} | set(ONE_LANGUAGE.values())
    answer["unknown_languages"] = sorted({language for language, _ in known} - named)
    scripts = [(want, got) for (_, want), got in zip(known, found.column("script").to_pylist(), strict=True) if want]
    answer["script_accuracy"] = (
        sum(want == got or (want, got) in _SAME for want, got in scripts) / len(scripts) if scripts else None
    )
    return answer, _lines(answer)


_SAME = {("Hani", "Hans"), ("Hani", "Hant"), ("Hans", "Hani"), ("Hant", "Hani")}
"""Chinese whose form the file does not state, or whose characters do not show it."""


def detect_texts(texts: list[str], model: LanguageModel | None = None) -> pa.Table:
    """Return texts with the columns of LANGUAGE, read as posts without a title are."""
    posts = pa.table({"title": pa.nulls(len(texts), pa.string()), "text": pa.array(texts, pa.string())})
    return DetectLanguage(model=model).run(Fold().run(posts))


def _known(row: dict[str, str]) -> tuple[str, str]:
    """Return (language, script or empty) that a row states."""
    language, _, script = row["language"].replace("_", "-").partition("-")
    script = (row.get("script", "") or script).capitalize()
    return language.lower(), _ALIASES.get(script, script)


def _problem(row: dict[str, str]) -> str | None:
    """Return what is wrong with the language or script of a row."""
    language, script = _known(row)
    if not language.isalpha() or not 2 <= len(language) <= 3:
        return f"language: {row['language']!r} is no language; write `kk`, or `kk-Latn` with its script"
    if script and script not in _KNOWN_SCRIPTS:
        return f"script: {script!r} is none of {', '.join(sorted(_KNOWN_SCRIPTS))}"
    return None


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = [
        f"{answer['n_texts']:,} texts: macro-F1 {answer['macro_f1']:.3f}, right {answer['accuracy']:.1%}, "
        f"und {answer['und_share']:.1%}, pairs {answer['pair_share']:.1%}",
        f"pairs hold the right language {answer['pairs_right']} times, miss it {answer['pairs_wrong']} times; "
        f"counted half: macro-F1 {answer['macro_f1_pairs_half']:.3f}",
    ]
    if answer["script_accuracy"] is not None:
        lines.append(f"script right {answer['script_accuracy']:.1%}")
    if answer["unknown_languages"]:
        lines.append(f"never named by this model: {', '.join(answer['unknown_languages'])}")
    lines.append("language   texts  precision  recall     F1")
    for language, row in sorted(answer["languages"].items(), key=lambda item: item[1]["f1"]):
        lines.append(
            f"{language:8} {row['n_texts']:>7,}  {row['precision']:>9.3f}  {row['recall']:>6.3f}  {row['f1']:>5.3f}"
        )
    if answer["confusions"]:
        worst = ", ".join(f"{a} as {b} {n}" for a, b, n in answer["confusions"][:10])
        lines.append(f"most often wrong: {worst}")
    for language, row in answer["neighbours"].items():
        lines.append(f"{language} called: " + ", ".join(f"{name} {n}" for name, n in row.items()))
    for low, high, n, share in answer["score_bands"]:
        lines.append(f"scores {low:g} to {high:g}: {n:,} texts, right {share:.1%}")
    return lines
