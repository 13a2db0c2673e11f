"""shield: signed lists, for who publishes them and who takes them."""

import argparse
from pathlib import Path

from bastau.cli.options import Command, add_locale, chosen_locale, now, open_home
from bastau.cli.output import give_answer
from bastau.errors import ConfigError


def _shield_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "act",
        choices=("keygen", "verify", "diff", "lookup", "why"),
        metavar="ACT",
        help="keygen: a key to sign with; verify: a published folder; diff: from one version to a later one; lookup: addresses and "
        "hashes; why: an entry, in words for the public",
    )
    command.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="verify: folder; diff: two lists; lookup: addresses or hashes; why: id of an entry",
    )
    command.add_argument(
        "--list",
        type=Path,
        metavar="F",
        help="lookup, why: list.json or its folder (default: what this home published)",
    )
    command.add_argument("--public-key", metavar="KEY", help="verify: the minisign public key, or its file")
    command.add_argument("-o", "--output", type=Path, metavar="F", help="keygen: file (default: in the home folder)")
    add_locale(command, "why: language")


def _shield(options: argparse.Namespace) -> int:
    from bastau.shield import commands

    act, what = options.act, options.what
    wanted = {"keygen": (0, 0), "verify": (1, 1), "diff": (2, 2), "lookup": (1, None), "why": (1, 1)}[act]
    if len(what) < wanted[0] or (wanted[1] is not None and len(what) > wanted[1]):
        raise ConfigError(f"shield {act}: see `bastau shield --help` for what it takes")
    if act == "keygen":
        from bastau.shield.signing import make_key

        path = options.output or commands.default_key(open_home(options, create=True))
        key = make_key(path)
        return give_answer(
            options,
            {"key": str(path), "id": key.name, "public_key": key.public},
            [f"{path}: keep it safe and backed up; publish its public half: {key.public}"],
        )
    if act == "verify":
        return _verify_list(options, Path(what[0]))
    if act == "diff":
        from bastau.shield.source import difference

        found = difference(*(commands.read_list(Path(path)) for path in what))
        names = ("added", "changed", "retracted", "expired")
        lines = [f"from version {found['since']} to {found['version']}"]
        lines += [
            f"{name} {e['entry_id']}" + (f" {e['value']}" if "value" in e else "")
            for name in names
            for e in found[name]
        ]
        return give_answer(options, found, lines)
    document = commands.read_list(options.list) if options.list else commands.published(open_home(options))
    if document is None:
        raise ConfigError("this home has published no list yet; name one with --list")
    if act == "why":
        text = commands.why(document, what[0], chosen_locale(options))
        return give_answer(options, {"entry_id": what[0], "text": text}, [text])
    answers = commands.look_up(document, what, now())
    lines = [
        f"{a['what']}: "
        + ("; ".join(f"{e['act']} ({e['kind']}, {e['entry_id']})" for e in a["entries"]) or "not listed")
        for a in answers
    ]
    return give_answer(options, {"version": document["version"], "found": answers}, lines)


def _verify_list(options: argparse.Namespace, folder: Path) -> int:
    from bastau.shield.publish import verify_folder

    if not options.public_key:
        raise ConfigError("shield verify: give --public-key, got by another way than the list")
    named = Path(options.public_key)
    key = named.read_text("utf-8", "replace") if named.is_file() else options.public_key
    wrong = verify_folder(folder, key)
    give_answer(options, {"folder": str(folder), "wrong": wrong}, wrong or [f"{folder}: whole, and signed by this key"])
    return 3 if wrong else 0


COMMANDS = (
    Command(
        "shield",
        "shield lists: make a key, verify, compare, look up, why something is listed",
        _shield,
        _shield_arguments,
    ),
)
