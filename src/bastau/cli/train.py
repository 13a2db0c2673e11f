"""train: models of one's own."""

import argparse
from pathlib import Path

from bastau.cli.options import Command, now
from bastau.cli.output import give_answer, thousands
from bastau.errors import ConfigError

CLAIM_FILES = {
    "claims": "fact-checks: claim_id, text[, title, published_at]",
    "posts": "posts: post_id, text[, author, published_at]",
    "relevant": "which claims posts are about: post_id, claim_id",
}


def _train_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what", choices=("language", "model", "claims"), metavar="WHAT", help="language, model, claims"
    )
    command.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="language: rows of language, script, text; model: CSV or NDJSON of labelled texts",
    )
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="file to write; its card lies beside it"
    )
    for name, columns in CLAIM_FILES.items():
        command.add_argument(f"--{name}", type=Path, metavar="F", help=f"claims: {columns}; CSV or NDJSON")
    command.add_argument("--encoder", metavar="NAME", help="claims: a sentence encoder that a package offers")
    command.add_argument("--text", default="text", help="model: column of the text (default text)")
    command.add_argument("--label", default="label", help="model: column of the label (default label)")
    command.add_argument("--language", default="language", help="model: column of the language, if there is one")
    command.add_argument("--group", help="model: column by which one part after another is left out")
    command.add_argument("--positive", help="model: the label that a high score means")
    command.add_argument(
        "--licence",
        default="",
        help="model, claims: under which licence the texts may be used; goes on the card",
    )
    command.add_argument("--threshold", type=float, help="model: score from which a text counts (default: best F1)")
    command.add_argument("--seed", type=int, default=1, help="seed (default 1)")


def _train(options: argparse.Namespace) -> int:
    if options.what == "claims":
        return _train_claims(options)
    if not options.files:
        raise ConfigError(f"train {options.what}: name the files of labelled texts")
    if options.what == "language":
        from bastau.read.language_training import train_language

        return give_answer(options, *train_language(options.files, options.output, seed=options.seed, now=now()))
    if len(options.files) != 1:
        raise ConfigError("train model: give one FILE of labelled texts")
    from bastau.models.labelled import Columns
    from bastau.read.rules.suite import suite_folder
    from bastau.training import train_model

    suite = suite_folder()
    card, lines = train_model(
        options.files[0],
        options.output,
        licence=options.licence,
        now=now(),
        columns=Columns(text=options.text, label=options.label, language=options.language, group=options.group),
        positive=options.positive,
        protected=sorted(suite.glob("*.csv")) if suite else (),
        threshold=options.threshold,
        seed=options.seed,
    )
    return give_answer(options, card, lines)


def _train_claims(options: argparse.Namespace) -> int:
    from bastau.evaluate.claims import train_claims
    from bastau.factchecks.encoders import find_encoder
    from bastau.factchecks.ranker import save_ranker

    files = claim_files(options, "train")
    if not options.licence.strip():
        raise ConfigError("say with --licence under which licence the texts are used; 'not stated' is an answer too")
    if options.output.suffix != ".npz":
        raise ConfigError(f"{options.output}: the file of a ranker ends in .npz")
    encoder = find_encoder(options.encoder) if options.encoder else None
    ranker, data = train_claims(*files, licence=options.licence, seed=options.seed, encoder=encoder)
    save_ranker(ranker, options.output)
    figures = ranker.card["text"]
    lines = [
        f"{options.output}: ranker {ranker.ranker_id}, from {thousands(ranker.card['n_with_claim'])} posts with a claim; card: "
        f"{options.output.with_suffix('.json')}",
        f"on posts left out, with a fact-check for half of them: precision {figures['precision']:.4f} of what is shown, for "
        f"{figures['coverage']:.1%} of posts",
        f'use it: [models] claims = "{options.output.name}"'
        + (f', encoder = "{options.encoder}"' if encoder else "")
        + " in bastau.toml, the file in the home folder",
        *data.problems.shown,
    ]
    return give_answer(
        options, ranker.card | {"ranker": ranker.ranker_id, "not_used": dict(data.problems.counts)}, lines
    )


def claim_files(options: argparse.Namespace, command: str) -> tuple[Path, Path, Path]:
    """Return the three files that fact-check rankers are trained and judged on."""
    missing = [f"--{name}" for name in CLAIM_FILES if getattr(options, name) is None]
    if missing:
        raise ConfigError(f"{command} claims: name the files with {', '.join(missing)}")
    return options.claims, options.posts, options.relevant


COMMANDS = (
    Command(
        "train",
        "train the language model, your own ranking model, or a ranker of fact-checks",
        _train,
        _train_arguments,
    ),
)
