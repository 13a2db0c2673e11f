"""export: what may leave, as files for other programs."""

import argparse
import sys
from pathlib import Path

from bastau.cli.options import Command, now, open_home, processed_home
from bastau.cli.output import give_answer, thousands
from bastau.errors import ConfigError

EXPORTS = (
    "narratives",
    "stories",
    "themes",
    "versions",
    "coordination",
    "copies",
    "wires",
    "influence",
    "families",
    "graph",
    "posts",
    "near-duplicates",
    "rejects",
)
SHIELD_EXPORTS = ("lists", "stix", "misp")
RESEARCH_TEXTS = ("publishers", "none")
SHIELD_FORMS = ("hosts", "rpz", "adblock", "csv", "pytx", "prefixes", "stix", "misp", "ftm")


def _export_arguments(command: argparse.ArgumentParser) -> None:
    everything = (*EXPORTS, *SHIELD_EXPORTS, "research")
    command.add_argument("what", choices=everything, metavar="WHAT", help=", ".join(everything))
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="F",
        help="file; its ending chooses the form. lists, stix, misp, research: folder",
    )
    command.add_argument(
        "--form",
        action="append",
        default=[],
        choices=(*SHIELD_FORMS, "all"),
        help="lists: a form to write (default: all); may be given often",
    )
    command.add_argument(
        "--key",
        action="append",
        default=[],
        type=Path,
        metavar="F",
        help="lists, stix, misp: key that signs (default: shield/shield.key in the home folder); while it is being replaced give the "
        "new one, then the old one",
    )
    command.add_argument(
        "--about",
        type=Path,
        metavar="F",
        help="research: who gives the data out, contact, licence, purpose (default: research.toml in the home folder)",
    )
    command.add_argument(
        "--texts",
        choices=RESEARCH_TEXTS,
        help="research: whose words it holds: publishers' (default) or none; those of private accounts never",
    )


def _export(options: argparse.Namespace) -> int:
    if options.what != "research" and (options.about or options.texts):
        raise ConfigError(f"export {options.what}: --about and --texts are for research")
    if options.what in SHIELD_EXPORTS:
        return _export_lists(options)
    if options.form or options.key:
        raise ConfigError(f"export {options.what}: --form and --key are for lists, stix and misp")
    if options.what == "research":
        return _export_research(options)
    home = open_home(options) if options.what in ("posts", "rejects") else processed_home(options)
    from bastau.shield.exports import export

    done = export(
        home.connect(), options.what, options.output, min_audience=home.settings.publishers.min_audience, now=now()
    )
    answer = {"path": str(done.path), "meta": str(done.meta_path), **done.counts}
    counts = ", ".join(f"{thousands(n)} {name}" for name, n in done.counts.items())
    return give_answer(options, answer, [f"{done.path}: {counts}; what it is stands in {done.meta_path.name}"])


def _export_research(options: argparse.Namespace) -> int:
    import secrets

    from bastau.shield.research import export_research, read_release

    home = processed_home(options)
    release = read_release(options.about or home.folder / "research.toml")
    rows = export_research(
        home, options.output, release, texts=options.texts or "publishers", key=secrets.token_bytes(32), now=now()
    )
    counts = ", ".join(f"{thousands(n)} {name}" for name, n in rows.items())
    return give_answer(
        options,
        {"path": str(options.output), **rows},
        [f"{options.output}: {counts}; read README.md before giving it out"],
    )


def _export_lists(options: argparse.Namespace) -> int:
    from bastau.released import released
    from bastau.shield.commands import export_lists

    if options.form and options.what != "lists":
        raise ConfigError(f"export {options.what} is one form; --form is for lists")
    forms = (options.form or ["all"]) if options.what == "lists" else [options.what]
    forms = list(SHIELD_FORMS) if "all" in forms else list(dict.fromkeys(forms))
    home, at = open_home(options), now()
    told = export_lists(home, released(home, at), options.output, forms, options.key, at)
    for entry_id, why in told["refused"].items():
        print(f"bastau: {entry_id}: refused, so in no form: {why}", file=sys.stderr)
    carried = ", ".join(f"{name} {thousands(counts['carried'])}" for name, counts in told["forms"].items())
    return give_answer(
        options,
        told,
        [
            f"{options.output}: version {told['version']}, {thousands(told['counts']['entries'])} entries, valid until "
            f"{told['valid_until']}; in each form: {carried}"
        ],
    )


COMMANDS = (
    Command(
        "export",
        "narratives, coordination, families, graph, posts, near-duplicates, rejects; shield lists, signed; a data set for researchers",
        _export,
        _export_arguments,
    ),
)
