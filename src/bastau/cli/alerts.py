"""alerts: what the rules of alerts.yaml find, and to whom it goes."""

import argparse
from datetime import timedelta

from bastau.cli.options import Command, add_locale, chosen_locale, now, open_home, read_seconds
from bastau.cli.output import give_answer
from bastau.errors import ConfigError


def _alerts_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "act",
        choices=("list", "send", "test", "past", "mute", "unmute", "drop"),
        metavar="ACT",
        help="list; send (at once, also over a channel that failed lately); test; past: what the rules would have told; "
        "mute, unmute: a rule, narrative, group or source; drop: what waits for a channel",
    )
    command.add_argument("what", nargs="?", metavar="WHAT", help="rule or subject (mute, unmute), channel (drop)")
    command.add_argument("--for", dest="duration", default="1d", metavar="TIME", help="mute: for so long (default 1d)")
    command.add_argument("--days", type=int, default=30, metavar="N", help="past: days to look back (default 30)")
    add_locale(command, "list, past: language of the answer")


def _alerts(options: argparse.Namespace) -> int:
    from bastau.alerts import commands

    home = open_home(options)
    if options.act in ("mute", "unmute", "drop") and not options.what:
        raise ConfigError(
            f"say what to {options.act}: bastau alerts {options.act} WHAT; `bastau alerts list` shows what there is"
        )
    match options.act:
        case "list":
            return give_answer(options, *commands.show(home, now(), chosen_locale(options)))
        case "test":
            return give_answer(options, *commands.test(home, now()))
        case "past":
            if not 1 <= options.days <= 3660:
                raise ConfigError("--days: a whole number from 1 to 3660")
            return give_answer(options, *commands.review(home, options.days, now(), chosen_locale(options)))
        case "mute":
            duration = timedelta(seconds=read_seconds(options.duration, "--for"))
            return give_answer(options, *commands.silence(home, options.what, duration, now()))
        case "unmute":
            return give_answer(options, *commands.end_silence(home, options.what, now()))
        case "drop":
            return give_answer(options, *commands.drop(home, options.what, now()))
    done = commands.after_run(home, now(), at_once=True)
    if done is None:
        raise ConfigError(f"{home.folder}: has no alerts.yaml; docs/how-to/alerts.md shows one")
    give_answer(options, *done)
    return 3 if done[0]["problems"] else 0


COMMANDS = (
    Command(
        "alerts",
        "rules of alerts.yaml: list what they find, send what waits, test every channel",
        _alerts,
        _alerts_arguments,
    ),
)
