"""evaluate, simulate and bench: quality on labelled data, invented data with known truth, and speed."""

import argparse
from pathlib import Path

from bastau.cli.caches import keep_rules
from bastau.cli.options import Command, home_if_any, open_home, processed_home
from bastau.cli.output import give_answer, progress_bars
from bastau.cli.train import CLAIM_FILES, claim_files
from bastau.errors import ConfigError

HOME_TASKS = ("near-duplicates", "narratives", "origin", "coordination", "families")
FILE_TASKS = ("language", "kazakh", "rules", "known")
TASKS = (*HOME_TASKS, *FILE_TASKS, "claims", "extract")


def _evaluate_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    command.add_argument(
        "--file",
        type=Path,
        metavar="F",
        help="language: text, language[, script]; rules: id, text, language, category, label (flag or protected); "
        "known: id, expected and what to look up; narratives: id, text, label[, published_at, language], several labels "
        "separated by ;. CSV or NDJSON",
    )
    for name, columns in CLAIM_FILES.items():
        command.add_argument(f"--{name}", type=Path, metavar="F", help=f"claims: {columns}; CSV or NDJSON")
    for name in ("posts", "relevant"):
        command.add_argument(
            f"--train-{name}",
            type=Path,
            metavar="F",
            help=f"claims: {name} to train a ranker on first, over the same claims",
        )
    command.add_argument("--ranker", type=Path, metavar="F", help="claims: a ranker made by `bastau train claims`")
    command.add_argument("--encoder", metavar="NAME", help="claims: a sentence encoder, as for `bastau train claims`")
    command.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="folder with truth.json (see the how-to on simulated posts); extract: JSON file, page name -> {articleBody, title, date}",
    )
    command.add_argument("--pages", type=Path, metavar="DIR", help="extract: folder of saved pages")
    command.add_argument(
        "--half", choices=("dev", "test"), help="extract: only this half of the pages, by hash of name"
    )
    command.add_argument(
        "--predicted",
        type=Path,
        metavar="F",
        help="narratives, origin, coordination, families: judge this NDJSON, in the form of the exports, instead of the home folder",
    )
    command.add_argument(
        "--sample", type=int, default=30_000, help="near-duplicates: distinct texts to compare (default 30000)"
    )
    command.add_argument("--seed", type=int, default=1, help="near-duplicates: seed of the sample (default 1)")


def _evaluate(options: argparse.Namespace) -> int:
    if options.task == "claims":
        return _evaluate_claims(options)
    if options.task == "extract":
        from bastau.evaluate.extract import evaluate_extract

        if options.pages is None or options.truth is None:
            raise ConfigError("evaluate extract: name the pages with --pages DIR and what they say with --truth F")
        return give_answer(options, *evaluate_extract(options.pages, options.truth, options.half))
    if options.task in FILE_TASKS:
        return _evaluate_file(options)
    if options.task == "narratives" and options.file is not None:
        from bastau.evaluate.grouping import evaluate_grouping

        return give_answer(options, *evaluate_grouping(options.file))
    home = None if options.predicted is not None else processed_home(options)
    if options.task == "near-duplicates":
        if home is None:
            raise ConfigError(
                "evaluate near-duplicates: --predicted is for narratives, origin, coordination and families"
            )
        from bastau.evaluation import near_duplicates

        answer, lines = near_duplicates(home, n_texts=options.sample, seed=options.seed)
    else:
        if options.truth is None:
            raise ConfigError(f"evaluate {options.task}: name the folder of truth.json with --truth DIR")
        if options.task == "families":
            from bastau.evaluate.families import evaluate_families
            from bastau.evaluation import predicted_rows

            rows = predicted_rows(home, "families", options.predicted)
            return give_answer(options, *evaluate_families(rows, options.truth))
        from bastau.evaluation import against_truth

        answer, lines = against_truth(home, options.task, options.truth, options.predicted)
    return give_answer(options, answer, lines)


def _evaluate_claims(options: argparse.Namespace) -> int:
    from bastau.evaluate.claims import evaluate_claims
    from bastau.factchecks.encoders import find_encoder
    from bastau.factchecks.ranker import load_ranker
    from bastau.factchecks.store import home_encoder, home_ranker

    files = claim_files(options, "evaluate")
    if (options.train_posts is None) != (options.train_relevant is None):
        raise ConfigError("evaluate claims: --train-posts and --train-relevant go together")
    home = home_if_any(options)
    ranker = None
    encoder = find_encoder(options.encoder) if options.encoder else None
    if options.ranker is not None:
        ranker = load_ranker(options.ranker)
    elif home is not None and home.settings.models.claims:
        ranker = home_ranker(home)
        encoder = encoder or home_encoder(home)
    return give_answer(
        options,
        *evaluate_claims(
            *files,
            train_posts=options.train_posts,
            train_relevant=options.train_relevant,
            ranker=ranker,
            encoder=encoder,
        ),
    )


def _evaluate_file(options: argparse.Namespace) -> int:
    if options.file is None:
        raise ConfigError(f"evaluate {options.task}: name the labelled file with --file F")
    home = home_if_any(options)
    if options.task == "language":
        from bastau.evaluate.language import evaluate_language

        return give_answer(options, *evaluate_language(options.file))
    if options.task == "known":
        from bastau.evaluate.known import evaluate_known
        from bastau.known_lists.commands import store_of

        return give_answer(options, *evaluate_known(options.file, store_of(open_home(options)).index()))
    if options.task == "kazakh":
        from bastau.evaluate.kazakh import evaluate_kazakh

        return give_answer(options, *evaluate_kazakh(options.file))
    keep_rules()
    from bastau.evaluate.rules import evaluate_rules
    from bastau.matching import own_rules
    from bastau.read.rules.finding import finder

    return give_answer(options, *evaluate_rules(options.file, finder(own_rules(home))))


def _simulate_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    command.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    command.add_argument("--seed", type=int, default=2026, help="seed (default 2026)")
    command.add_argument(
        "--level", choices=("easy", "medium", "hard"), help="the benchmark at this level instead of the demo's sample"
    )
    for name, meaning in (
        ("narratives", "narratives (default 300)"),
        ("jitter", "seconds over which the members of a coordinated event spread"),
        ("paraphrase", "pasted copies of 100 that tell it in other words"),
        ("missing", "posts of 100 lost at random"),
    ):
        command.add_argument(f"--{name}", type=int, metavar="N", help=f"with --level: {meaning}")


def _simulate(options: argparse.Namespace) -> int:
    from bastau.simulate.world import generate, write

    knobs = {
        "n_narratives": options.narratives,
        "jitter_s": options.jitter,
        "paraphrase": options.paraphrase,
        "missing": options.missing,
    }
    if options.level:
        from bastau.simulate.benchmark import generate_benchmark
        from bastau.simulate.levels import level_named

        simulation = generate_benchmark(level_named(options.level, **knobs), options.seed)
    elif any(value is not None for value in knobs.values()):
        raise ConfigError("--narratives, --jitter, --paraphrase and --missing belong to a benchmark: add --level")
    else:
        simulation = generate(options.posts, seed=options.seed)
    write(simulation, options.output)
    from bastau.simulate.sites import generate_sites, web_sources, write_sites

    sites = generate_sites(options.level or "medium", options.seed, known=web_sources(simulation.posts))
    write_sites(sites, options.output)
    names = [str(options.output / name) for name in ("posts.ndjson", "pages.ndjson", "truth.json")]
    return give_answer(options, {"files": names}, names)


def _bench_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--posts", type=int, default=100_000, help="posts to generate (default 100000)")


def _bench(options: argparse.Namespace) -> int:
    from bastau.benchmark import bench

    with progress_bars(options) as bars:
        bar = bars.add_task("bench", total=None, note="")
        answer, lines = bench(options.posts, progress=lambda note: bars.update(bar, note=note))
    return give_answer(options, answer, lines)


COMMANDS = (
    Command("evaluate", "quality on labelled data", _evaluate, _evaluate_arguments),
    Command(
        "simulate",
        "write invented posts and pages with known truth: posts.ndjson, pages.ndjson and truth.json",
        _simulate,
        _simulate_arguments,
    ),
    Command(
        "bench",
        "speed on this machine: import, run and export of generated posts in a temporary home",
        _bench,
        _bench_arguments,
    ),
)
