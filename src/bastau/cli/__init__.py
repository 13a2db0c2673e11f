"""The command line: the only module that prints, reads the clock and the environment, and configures logging.

Exit codes: 0 done, 1 our fault, 2 yours, 3 a source's; 130 after Ctrl-C. Heavy imports happen inside the commands, so that
``bastau --help`` answers at once.
"""

import argparse
import contextlib
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from bastau import __version__
from bastau.errors import BastauError, ConfigError, HomeBusy

if TYPE_CHECKING:
    from bastau.home import Home

Answer = dict[str, Any]

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
HOME_TASKS = ("near-duplicates", "narratives", "origin", "coordination", "families")
FILE_TASKS = ("language", "kazakh", "rules", "known")
_LOOKED_AT_ONCE = 200
"""Addresses of a list that `add` looks at before it stores what it found."""
TASKS = (*HOME_TASKS, *FILE_TASKS, "claims", "extract")
CLAIM_FILES = {
    "claims": "fact-checks: claim_id, text[, title, published_at]",
    "posts": "posts: post_id, text[, author, published_at]",
    "relevant": "which claims posts are about: post_id, claim_id",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; the reference page of commands is made from it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", type=Path, metavar="DIR", help="home folder (default: $BASTAU_HOME or ./bastau-home)")
    common.add_argument("--json", action="store_true", help="answer as one JSON object on standard output")
    common.add_argument("--quiet", action="store_true", help="no progress bars")
    common.add_argument("--verbose", action="store_true", help="log what happens to standard error")
    parser = argparse.ArgumentParser(
        prog="bastau",
        description="Groups public posts into narratives and shows where each was first seen, who repeated it and who moved together.",
        epilog="Exit codes: 0 done, 1 our fault, 2 yours, 3 a source's. bastau judges content and publishers, never persons.",
    )
    parser.add_argument("--version", action="version", version=f"bastau {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=help_, description=help_)
        command.set_defaults(run=run)
        return command

    demo = add(
        "demo", _demo, "invented sample posts through the whole way, then the workbench over them in the browser"
    )
    demo.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765; 0: any free one)")
    demo.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    demo.add_argument("--seed", type=int, default=2026, help="seed of the generator (default 2026)")
    demo.add_argument(
        "--no-serve", action="store_true", help="process the posts, write brief and traces as files, and stop"
    )
    demo.add_argument(
        "--locale", choices=("kk", "ru", "en"), help="language of the pages (default: from $LANG, else en)"
    )

    served = add("serve", _serve, "the workbench: pages for people who look and decide, in the browser")
    served.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    served.add_argument("--port", type=int, default=8400, help="port (default 8400; 0: any free one)")

    up = add("up", _up, "watch, process what is new now and then, and serve the workbench, until Ctrl-C")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    up.add_argument("--port", type=int, default=8400, help="port (default 8400; 0: any free one)")
    up.add_argument(
        "--run-every", metavar="TIME", help="process what is new so often (default: [web] run_every_minutes)"
    )

    users = add("user", _user, "accounts of the workbench: list, add, roles, password, disable, enable")
    users.add_argument(
        "act",
        choices=("list", "add", "roles", "password", "disable", "enable"),
        metavar="ACT",
        help="list; add; roles (replace them); password (a new one; takes off the second factor); disable; enable",
    )
    users.add_argument("name", nargs="?", metavar="NAME", help="the account")
    users.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="add, roles: analyst, reviewer, publisher, auditor or admin; may be given often",
    )
    users.add_argument(
        "--person",
        default="",
        metavar="NAME",
        help="add: first account of the same human being; both count as one reviewer",
    )
    users.add_argument(
        "--password-file", type=Path, metavar="F", help="add, password: file with the password (default: asked for)"
    )

    import_ = add("import", _import, "any known format, recognised by content; packed with gzip, zstd or zip or not")
    import_.add_argument("files", nargs="+", type=Path, metavar="FILE")
    import_.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="for a foreign CSV or NDJSON: bastau field = their column, a template such as "
        "'telegram:{channel_id}/{message_id}', or '==value' for a constant; may be given often",
    )
    import_.add_argument("--format", help="name of the format, to skip recognition")
    import_.add_argument(
        "--claims",
        action="store_true",
        help="the files hold fact-checks: ClaimReview JSON-LD, a Check API v2 feed, or a table with claim_id (or url), text and "
        "optionally title, publisher, verdict, url, language, published_at",
    )

    receive = add(
        "receive", _receive, "captures of the Zeeschuimer browser extension, as a 4CAT server; pushes of feeds' hubs"
    )
    receive.add_argument("--port", type=int, default=8421, help="port on 127.0.0.1 (default 8421; 0: any free one)")
    receive.add_argument(
        "--hub-port",
        type=int,
        default=8422,
        help="port on 127.0.0.1 for hubs of feeds, with [watch] callback (default 8422; 0: any free one)",
    )
    receive.add_argument(
        "--token-file", type=Path, metavar="F", help="file with a token that whoever sends must give; chmod 600"
    )

    login = add("login", _login, "make the session with which a collector reads in your name")
    login.add_argument("place", choices=("telegram",), help="telegram: needs TELEGRAM_API_ID and TELEGRAM_API_HASH")
    login.add_argument("--session", type=Path, metavar="F", help="file to write (default: $TELEGRAM_SESSION)")

    adds = add("add", _add, "watch any public address: feed, sitemap, site, channel, account; says what it found")
    adds.add_argument(
        "places", nargs="*", metavar="ADDRESS", help="address, @channel, user@server, or a file: OPML, CSV, one a line"
    )
    adds.add_argument(
        "--starter", action="store_true", help="the starter list: Kazakhstan, Central Asia, fact-checkers"
    )
    adds.add_argument("--collector", metavar="NAME", help="take this collector instead of recognising one")
    adds.add_argument("--all", action="store_true", help="watch everything found at an address, not only the best")
    adds.add_argument("--yes", action="store_true", help="do not ask")
    adds.add_argument(
        "--unseen", action="store_true", help="do not look there first; the form of the address must tell what it is"
    )
    adds.add_argument(
        "--priority",
        type=int,
        default=0,
        choices=range(-4, 5),
        metavar="N",
        help="-4 to 4; each step visits twice as often",
    )
    adds.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the collector; may be given often",
    )

    listed = add("sources", _sources, "the watched sources: health, gaps, cost; edit, pause and remove them")
    listed.add_argument(
        "act",
        nargs="?",
        default="list",
        choices=("list", "edit", "pause", "resume", "remove", "now", "export", "import"),
        metavar="ACT",
        help="list (default), edit, pause, resume, remove, now (visit soon), export (CSV), import (what a CSV changes)",
    )
    listed.add_argument("places", nargs="*", metavar="ADDRESS", help="id or address; import: the CSV")
    listed.add_argument("--only", choices=("failing", "silent", "paused", "gaps"), help="these only")
    listed.add_argument("--trouble", metavar="KIND", help="those whose last visit failed so, for example gone")
    listed.add_argument("--match", metavar="WORDS", help="those with this in their address or name")
    listed.add_argument("--collector", metavar="NAME", help="those of this collector")
    listed.add_argument("--host", metavar="HOST", help="those of this host and of hosts below it")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="lines shown (default 50; --json has all)")
    listed.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="edit: set an option of the collector; NAME= takes it off; may be given often",
    )
    listed.add_argument("--name", metavar="NAME", help="edit: what one source is called")
    listed.add_argument("--priority", type=int, choices=range(-4, 5), metavar="N", help="edit: -4 to 4")
    paused = listed.add_mutually_exclusive_group()
    paused.add_argument("--pause", action="store_true", help="edit: visit no more")
    paused.add_argument("--resume", action="store_true", help="edit: visit again")
    listed.add_argument("--yes", action="store_true", help="change what the filters find; without it they are counted")
    listed.add_argument(
        "-o", "--output", type=Path, metavar="F", help="export: file to write (default: standard output)"
    )

    watch = add("watch", _watch, "collect continuously from the watched sources, until Ctrl-C")
    watch.add_argument("--for", dest="duration", metavar="TIME", help="stop after so long: 90s, 10m, 2h")
    watch.add_argument("--once", action="store_true", help="visit each source once and stop")
    watch.add_argument("--log", type=Path, metavar="F", help="append what happens to F, a JSON object a line")
    watch.add_argument("--run-every", metavar="TIME", help="process what is new so often: bastau run, beside")
    watch.add_argument(
        "--metrics", type=int, metavar="PORT", help="Prometheus metrics on 127.0.0.1 (default: [watch] metrics_port)"
    )

    alerts = add("alerts", _alerts, "rules of alerts.yaml: list what they find, send what waits, test every channel")
    alerts.add_argument(
        "act",
        choices=("list", "send", "test", "past", "mute", "unmute", "drop"),
        metavar="ACT",
        help="list; send (at once, also over a channel that failed lately); test; past: what the rules would have told; "
        "mute, unmute: a rule, narrative, group or source; drop: what waits for a channel",
    )
    alerts.add_argument("what", nargs="?", metavar="WHAT", help="rule or subject (mute, unmute), channel (drop)")
    alerts.add_argument("--for", dest="duration", default="1d", metavar="TIME", help="mute: for so long (default 1d)")
    alerts.add_argument("--days", type=int, default=30, metavar="N", help="past: days to look back (default 30)")
    alerts.add_argument(
        "--locale", choices=("kk", "ru", "en"), help="list, past: language of the answer (default: from $LANG, else en)"
    )

    evidence = add(
        "evidence", _evidence, "what was preserved of fetched pages: list, show, verify, export, stamp, shot, erase"
    )
    evidence.add_argument(
        "act",
        choices=("list", "show", "verify", "export", "stamp", "shot", "erase"),
        metavar="ACT",
        help="list, show, verify, export, stamp, shot or erase",
    )
    evidence.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="numbers of items (show, erase), an address (shot), words of an address (list)",
    )
    evidence.add_argument(
        "-o", "--output", type=Path, metavar="F", help="file to write: a working copy (show), a WACZ (export)"
    )
    evidence.add_argument("--by", default="", metavar="NAME", help="who acts; stays in the chain of custody")
    evidence.add_argument("--why", default="", metavar="REASON", help="why; stays in the chain of custody")
    evidence.add_argument("--older-than", type=int, metavar="DAYS", help="erase items older than this")
    evidence.add_argument("--website", metavar="DOMAIN", help="erase items of this website")

    log = add("log", _log, "the log of review: verify (exit code 1 if anything was changed), stamp, report")
    log.add_argument("task", choices=("verify", "stamp", "report"), metavar="TASK", help="verify, stamp or report")
    log.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a log, for report a published one too (default: the home's)"
    )
    log.add_argument("--head", default="", metavar="HASH", help="verify: hash of an act noted before; shows a cut end")
    log.add_argument("--from", dest="start", metavar="DATE", help="report: first day (default: 30 days before --to)")
    log.add_argument("--to", dest="end", metavar="DATE", help="report: day after the last (default: tomorrow)")

    run = add("run", _run, "process what is new: read, narratives, sources")
    run.add_argument("--engine", choices=("local", "spark"), help="where to run (default: [engine] name)")
    run.add_argument("--rebuild", action="store_true", help="make the grouping again from the stored posts")

    trace = add("trace", _trace, "where it started, who spread it, how sure: post id, URL, narrative id or text")
    trace.add_argument("query", metavar="QUERY")
    trace.add_argument("--html", type=Path, metavar="F", help="write one self-contained page")
    trace.add_argument(
        "--locale", choices=("kk", "ru", "en"), help="language of the answer (default: from $LANG, else en)"
    )

    families = add(
        "families", _families, "websites run by the same hands, with the evidence; all, or those of one DOMAIN"
    )
    families.add_argument("domain", nargs="?", metavar="DOMAIN", help="a website of which pages are stored")
    families.add_argument("--html", type=Path, metavar="F", help="write the page of evidence, self-contained")
    families.add_argument(
        "--locale", choices=("kk", "ru", "en"), help="language of the answer (default: from $LANG, else en)"
    )

    report = add("report", _report, "brief for a period: new, rising, coordinated, across languages (HTML)")
    report.add_argument("--from", dest="start", metavar="DATE", help="first day (default: seven days before --to)")
    report.add_argument(
        "--to", dest="end", metavar="DATE", help="day after the last (default: day after the latest post)"
    )
    report.add_argument("-o", "--output", type=Path, metavar="F", help="file to write (default: brief.html)")
    report.add_argument(
        "--locale", choices=("kk", "ru", "en"), help="language of the page (default: from $LANG, else en)"
    )
    report.add_argument(
        "--traces", action="store_true", help="also write a trace page for each narrative the brief names"
    )

    check = add(
        "check",
        _check,
        "rules, known content and fact-checks for one text or a file of them; says nothing of who wrote it",
    )
    check.add_argument("text", nargs="?", metavar="TEXT", help="one text; - reads it from standard input")
    check.add_argument(
        "--file", type=Path, metavar="F", help="CSV or NDJSON with id, text and optionally title, url, media"
    )
    check.add_argument(
        "-o", "--output", type=Path, metavar="F", help="--file: NDJSON to write (default: standard output)"
    )
    check.add_argument(
        "--judge",
        action="store_true",
        help="TEXT: ask the model named under [judge] for a second opinion; only this text leaves the machine",
    )

    rules = add("rules", _rules, "check, test and explain rules; count what shadow rules would flag")
    rules.add_argument(
        "action",
        choices=("check", "test", "explain", "shadow", "try"),
        metavar="ACTION",
        help="check: load rules and say what is wrong with them; test: also their texts and the protected-speech suite; "
        "explain: why a text is flagged or not; shadow: what rules with status shadow would flag in the stored posts; "
        "try: what a file of the folder rules-shadow would change in the latest stored posts, without taking effect",
    )
    rules.add_argument(
        "what",
        nargs="*",
        metavar="FILE|TEXT",
        help="check, test: files or folders (default: all rules); explain: a text; try: a file below rules-shadow",
    )

    lists = add("lists", _lists, "lists of known content: show, add, sync, export, remove")
    lists.add_argument(
        "action", nargs="?", default="show", choices=("show", "add", "sync", "export", "remove"), metavar="ACTION",
        help="show (default); add a file, an address, `tat` or `hma:ADDRESS`; sync from where they came; export; remove",
    )  # fmt: skip
    lists.add_argument("what", nargs="*", metavar="FROM|NAME", help="add: where from; others: names of lists")
    lists.add_argument("--name", help="add: name of the list")
    lists.add_argument("--format", help="add, export: lines, csv, ndjson, pytx, tcap or vpdq (default: recognised)")
    lists.add_argument("--signal", help="add: what bare values are: sha256, md5, pdq, url, text")
    lists.add_argument(
        "--negative",
        action="store_true",
        default=None,
        help="add: legitimate uses, such as news footage; holds others back",
    )
    lists.add_argument("--publisher", help="add: who publishes the list")
    lists.add_argument("--ground", help="add: legal or policy ground on which its entries count")
    lists.add_argument("--bank", help="add: bank of an HMA server")
    lists.add_argument(
        "--secret", metavar="env:NAME|file:PATH", help="add: where the token stands; never the token itself"
    )
    lists.add_argument("--pdq-distance", type=int, help="add: bits of 256 in which a picture may differ (default 31)")
    lists.add_argument("--containment", type=float, help="add: share of a listed text that a post must hold")
    lists.add_argument("-o", "--output", type=Path, metavar="F", help="export: file to write")

    hash_ = add("hash", _hash, "SHA-256, MD5 and PDQ of media files")
    hash_.add_argument("files", nargs="+", type=Path, metavar="FILE")
    hash_.add_argument("--turned", action="store_true", help="look pictures up turned and mirrored too")

    train = add("train", _train, "train the language model, your own ranking model, or a ranker of fact-checks")
    train.add_argument("what", choices=("language", "model", "claims"), metavar="WHAT", help="language, model, claims")
    train.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="language: rows of language, script, text; model: CSV or NDJSON of labelled texts",
    )
    train.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="file to write; its card lies beside it"
    )
    for name, columns in CLAIM_FILES.items():
        train.add_argument(f"--{name}", type=Path, metavar="F", help=f"claims: {columns}; CSV or NDJSON")
    train.add_argument("--text", default="text", help="model: column of the text (default text)")
    train.add_argument("--label", default="label", help="model: column of the label (default label)")
    train.add_argument("--language", default="language", help="model: column of the language, if there is one")
    train.add_argument("--group", help="model: column by which one part after another is left out")
    train.add_argument("--positive", help="model: the label that a high score means")
    train.add_argument(
        "--licence",
        default="",
        help="model, claims: under which licence the texts may be used; goes on the card",
    )
    train.add_argument("--threshold", type=float, help="model: score from which a text counts (default: best F1)")
    train.add_argument("--seed", type=int, default=1, help="seed (default 1)")

    export = add(
        "export",
        _export,
        "narratives, coordination, families, graph, posts, near-duplicates, rejects; shield lists, signed; a data set for researchers",
    )
    everything = (*EXPORTS, *SHIELD_EXPORTS, "research")
    export.add_argument("what", choices=everything, metavar="WHAT", help=", ".join(everything))
    export.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="F",
        help="file; its ending chooses the form. lists, stix, misp, research: folder",
    )
    export.add_argument(
        "--form",
        action="append",
        default=[],
        choices=(*SHIELD_FORMS, "all"),
        help="lists: a form to write (default: all); may be given often",
    )
    export.add_argument(
        "--key",
        action="append",
        default=[],
        type=Path,
        metavar="F",
        help="lists, stix, misp: key that signs (default: shield/shield.key in the home folder); while it is being replaced give the "
        "new one, then the old one",
    )
    export.add_argument(
        "--about",
        type=Path,
        metavar="F",
        help="research: who gives the data out, contact, licence, purpose (default: research.toml in the home folder)",
    )
    export.add_argument(
        "--texts",
        choices=RESEARCH_TEXTS,
        help="research: whose words it holds: publishers' (default) or none; those of private accounts never",
    )

    shield = add("shield", _shield, "shield lists: make a key, verify, compare, look up, why something is listed")
    shield.add_argument(
        "act",
        choices=("keygen", "verify", "diff", "lookup", "why"),
        metavar="ACT",
        help="keygen: a key to sign with; verify: a published folder; diff: from one version to a later one; lookup: addresses and "
        "hashes; why: an entry, in words for the public",
    )
    shield.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="verify: folder; diff: two lists; lookup: addresses or hashes; why: id of an entry",
    )
    shield.add_argument(
        "--list",
        type=Path,
        metavar="F",
        help="lookup, why: list.json or its folder (default: what this home published)",
    )
    shield.add_argument("--public-key", metavar="KEY", help="verify: the minisign public key, or its file")
    shield.add_argument("-o", "--output", type=Path, metavar="F", help="keygen: file (default: in the home folder)")
    shield.add_argument("--locale", choices=("kk", "ru", "en"), help="why: language (default: from $LANG, else en)")

    status = add("status", _status, "what the home folder holds: posts, period, publishers, last run")
    status.set_defaults()

    evaluate = add("evaluate", _evaluate, "quality on labelled data")
    evaluate.add_argument("task", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    evaluate.add_argument(
        "--file",
        type=Path,
        metavar="F",
        help="language: text, language[, script]; rules: id, text, language, category, label (flag or protected); "
        "known: id, expected and what to look up; narratives: id, text, label[, published_at, language], several labels "
        "separated by ;. CSV or NDJSON",
    )
    for name, columns in CLAIM_FILES.items():
        evaluate.add_argument(f"--{name}", type=Path, metavar="F", help=f"claims: {columns}; CSV or NDJSON")
    for name in ("posts", "relevant"):
        evaluate.add_argument(
            f"--train-{name}",
            type=Path,
            metavar="F",
            help=f"claims: {name} to train a ranker on first, over the same claims",
        )
    evaluate.add_argument("--ranker", type=Path, metavar="F", help="claims: a ranker made by `bastau train claims`")
    evaluate.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="folder with truth.json (see the how-to on simulated posts); extract: JSON file, page name -> {articleBody, title, date}",
    )
    evaluate.add_argument("--pages", type=Path, metavar="DIR", help="extract: folder of saved pages")
    evaluate.add_argument(
        "--half", choices=("dev", "test"), help="extract: only this half of the pages, by hash of name"
    )
    evaluate.add_argument(
        "--predicted",
        type=Path,
        metavar="F",
        help="narratives, origin, coordination, families: judge this NDJSON, in the form of the exports, instead of the home folder",
    )
    evaluate.add_argument(
        "--sample", type=int, default=30_000, help="near-duplicates: distinct texts to compare (default 30000)"
    )
    evaluate.add_argument("--seed", type=int, default=1, help="near-duplicates: seed of the sample (default 1)")

    simulate = add(
        "simulate",
        _simulate,
        "write invented posts and pages with known truth: posts.ndjson, pages.ndjson and truth.json",
    )
    simulate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    simulate.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    simulate.add_argument("--seed", type=int, default=2026, help="seed (default 2026)")
    simulate.add_argument(
        "--level", choices=("easy", "medium", "hard"), help="the benchmark at this level instead of the demo's sample"
    )
    for name, meaning in (
        ("narratives", "narratives (default 300)"),
        ("jitter", "seconds over which the members of a coordinated event spread"),
        ("paraphrase", "pasted copies of 100 that tell it in other words"),
        ("missing", "posts of 100 lost at random"),
    ):
        simulate.add_argument(f"--{name}", type=int, metavar="N", help=f"with --level: {meaning}")

    bench = add("bench", _bench, "speed on this machine: import, run and export of generated posts in a temporary home")
    bench.add_argument("--posts", type=int, default=100_000, help="posts to generate (default 100000)")

    doctor = add("doctor", _doctor, "verify every stored file; --repair mends what can be mended")
    doctor.add_argument("--repair", action="store_true", help="finish deletions, set torn files aside")

    compact = add("compact", _compact, "merge small stored files")
    compact.set_defaults()

    erase = add("erase", _erase, "remove all posts of a source, or older than some days, for good")
    what = erase.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", metavar="SOURCE", help="source as stored (publishers by name)")
    what.add_argument("--older-than", type=int, metavar="DAYS", help="published more than DAYS days ago")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    from bastau.logs import Plain

    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(Plain("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, handlers=[told])
    _keep_kernels()
    try:
        return int(options.run(options))
    except BastauError as error:
        print(f"bastau: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nbastau: stopped; what was stored stays, the same command goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`bastau trace X | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        logging.getLogger(__name__).info("unexpected", exc_info=True)
        if torn := _torn_files(options):
            print("\n".join(f"bastau: {line}" for line in torn), file=sys.stderr)
            return 1
        print(
            f"bastau: unexpected {type(error).__name__}: {error}\nThis is our fault; please report it with --verbose.",
            file=sys.stderr,
        )
        return 1


# ---- what commands share -------------------------------------------------------------------------------


def _torn_files(options: argparse.Namespace) -> list[str]:
    """Return what to say of damaged files; DuckDB reports them in its own words, and only when it comes to them."""
    from bastau.doctor import examine

    try:
        damaged = [p for p in examine(_open_home(options)) if p.code == "damaged"]
    except (BastauError, OSError):
        return []
    return [f"{p.path}: damaged; run `bastau doctor --repair`: {p.remedy}" for p in damaged]


def _keep_kernels() -> None:
    """Give numba a folder where it finds none: sources that may not be written, run by a user without a home folder.

    It would refuse to start. The kernels are then compiled for this process alone.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    beside = Path(__file__).parents[1] / "__pycache__"
    own = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "/") + "/.cache") / "numba"
    for folder in (beside, own):
        while not folder.exists():
            folder = folder.parent  # noqa: PLW2901 - the nearest that is there
        if os.access(folder, os.W_OK | os.X_OK):
            return
    import atexit
    import shutil
    import tempfile

    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="bastau-kernels-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def _keep_rules() -> None:
    """Let compiled rules be kept in the user's cache folder."""
    from bastau.read.rules.kept import keep_compiled

    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "/") + "/.cache"
    keep_compiled(Path(base) / "bastau")


def _open_home(options: argparse.Namespace, *, create: bool = False) -> "Home":
    from bastau.home import Home

    return Home.open(options.home or Path(os.environ.get("BASTAU_HOME") or "bastau-home"), create=create)


def _now() -> datetime:
    return datetime.now(UTC)


def _locale(options: argparse.Namespace) -> str:
    chosen = options.locale or os.environ.get("LANG", "en")[:2]
    return chosen if chosen in ("kk", "ru", "en") else "en"


def _answer(options: argparse.Namespace, answer: Answer, lines: Sequence[str]) -> int:
    if options.json:
        print(json.dumps(answer, ensure_ascii=False, default=_plain))
    else:
        print("\n".join(lines))
    return 0


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _bars(options: argparse.Namespace) -> Iterator[Any]:
    """Yield a rich progress display on standard error; silent when that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    quiet = options.quiet or options.json or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bars:
        yield bars


def _number(n: float) -> str:
    return f"{n:,.0f}".replace(",", " ")  # narrow no-break space


# ---- commands ------------------------------------------------------------------------------------------


def _import(options: argparse.Namespace) -> int:
    mapping = _mapping(options.map)
    if options.claims and (mapping or options.format):
        raise ConfigError("--claims finds the form by itself; leave out --map and --format")
    format_ = "claims" if options.claims else options.format
    for path in options.files:
        if not path.exists():
            raise ConfigError(f"{path}: no such file; check the spelling")
    from time import perf_counter

    home = _open_home(options, create=True)
    with home.locked():
        from bastau.intake import FileReport, count_rejects, import_file

        reports = []
        start = perf_counter()
        with _bars(options) as bars:
            for path in options.files:
                bar = bars.add_task(path.name, total=path.stat().st_size, note="")

                def progress(n_bytes: int, report: FileReport, bar: Any = bar, began: float = start) -> None:
                    rate = (report.n_posts + report.n_repeats) / max(perf_counter() - began, 1e-6)
                    note = f"{_number(report.n_posts)} posts, {_number(rate)}/s, {report.n_rejects} rejected"
                    bars.update(bar, completed=n_bytes, note=note)

                reports.append(import_file(home, path, now=_now(), mapping=mapping, format=format_, progress=progress))
    seconds = perf_counter() - start
    lines = []
    for report in reports:
        parts = [f"{report.file}: {report.format or 'holds no rows'}: {_number(report.n_posts)} posts stored"]
        parts += [f"{_number(n)} {what}" for n, what in ((report.n_pages, "pages"), (report.n_claims, "claims")) if n]
        if report.n_repeats or report.n_known_batches:
            parts.append(f"{_number(report.n_repeats)} already there")
        parts.append(f"{_number(report.n_rejects)} rejected")
        lines.append(", ".join(parts))
        lines += [f"  note: {note}" for note in report.notes]
        firsts = {reason: _place(line, field) + detail for reason, line, field, detail in report.first_rejects}
        lines += [f"  rejected {n}: {reason}{firsts.get(reason, '')}" for reason, n in count_rejects([report]).items()]
    n_posts = sum(report.n_posts for report in reports)
    n_private = sum(report.n_private for report in reports)
    lines.append(
        f"{_number(n_posts)} posts in {seconds:.1f} s ({_number(n_posts / max(seconds, 1e-6))}/s); next: bastau run"
    )
    if n_private:
        threshold = home.settings.publishers.min_audience
        lines.append(
            f"{_number(n_private)} posts are by accounts below {_number(threshold)} followers or of unknown audience: pseudonymised, and never named in "
            "findings.\nFor simulated or already anonymised data set [publishers] min_audience = 0 in bastau.toml before importing."
        )
    if any(report.n_rejects for report in reports):
        lines.append("Rejected rows are kept with their reasons: bastau export rejects -o rejects.csv")
    answer = {"files": [vars(report) for report in reports], "n_posts": n_posts, "seconds": round(seconds, 3)}
    _answer(options, answer, lines)
    n_taken = n_posts + sum(report.n_repeats + report.n_pages + report.n_claims for report in reports)
    return 0 if n_taken or not any(report.n_rejects for report in reports) else 2


def _serve(options: argparse.Namespace) -> int:
    serve, home = _web("serve"), _open_home(options)
    _keep_rules()
    # with --json standard output holds one object only
    told = sys.stderr if options.json else sys.stdout

    def ready(address: str, code: str | None) -> None:
        people_open = home.settings.web.origin.rstrip("/") or address
        if options.json:
            print(json.dumps({"address": address, "set_up_code": code}), flush=True)
        behind = "" if people_open == address else f", opened as {people_open}"
        print(f"Workbench at {address}{behind}; Ctrl-C ends.", file=told, flush=True)
        if code:
            print(f"No account yet: open {people_open}/set-up and give the code {code}", file=told, flush=True)

    with contextlib.suppress(KeyboardInterrupt):  # also before it listens
        serve(home, host=options.host, port=options.port, ready=ready)
    return _ended("stopped", told)


def _ended(words: str, told: TextIO) -> NoReturn:
    """End a process that served pages. What reads the lake in threads cannot be stopped halfway, and holds nothing that must be closed."""
    print(words, file=told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _user(options: argparse.Namespace) -> int:
    import getpass

    from bastau.collect.collectors.keys import read_file

    def password() -> str:
        if options.password_file:
            return read_file(options.password_file)
        given = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != given:
            raise ConfigError("the two differ")
        return given

    change, home = _web("user"), _open_home(options)
    return _answer(options, *change(home, options.act, options.name, options.role, password, options.person))


def _up(options: argparse.Namespace) -> int:
    import signal
    import threading

    from bastau.supervising import Part, supervise
    from bastau.watching import open_store

    home = _open_home(options, create=True)
    if options.run_every:
        every_s = _seconds(options.run_every, "--run-every")
    else:
        every_s = home.settings.web.run_every_minutes * 60.0

    def is_anything_watched() -> bool:
        with open_store(home) as store:
            return bool(store.sources())

    where = ("--home", str(home.folder))
    parts = [
        Part("serve", ("serve", "--host", options.host, "--port", str(options.port), *where), is_needed=True),
        Part("watch", ("watch", "--quiet", *where), may_start=is_anything_watched),
        Part("run", ("run", "--quiet", *where), every_s=every_s, is_quiet=True),
    ]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # with --json standard output holds one object only
    told = sys.stderr if options.json else sys.stdout
    n_starts, code = supervise(parts, stop, partial(print, file=told, flush=True), output=told)
    _answer(options, {"n_starts": n_starts}, ["everything has ended; the same command goes on from there"])
    return code


def _web(command: str) -> Any:
    from bastau.plugins import load

    try:
        return load("commands", command)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{command}: {error.name} is not installed; pip install 'bastau[web]'") from error


def _receive(options: argparse.Namespace) -> int:
    import signal
    import threading

    from bastau.collect.collectors.keys import read_file
    from bastau.collect.collectors.zeeschuimer import Receiver, serve
    from bastau.receiving import importer, open_hubs

    home = _open_home(options, create=True)
    token = read_file(options.token_file) if options.token_file else None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # with --json standard output holds one object only
    told = sys.stderr if options.json else sys.stdout
    say = partial(print, file=told, flush=True)
    receiver = Receiver(importer(home, _now, say), token)
    pushes: Answer = {}
    try:
        with contextlib.ExitStack() as opened:
            server = opened.enter_context(serve(receiver, options.port))
            address = f"http://127.0.0.1:{server.server_address[1]}"
            say(f"Receiving at {address}; write it as the 4CAT server in Zeeschuimer. Ctrl-C ends.")
            if callback := home.settings.watch.callback:
                hubs, port = opened.enter_context(open_hubs(home, options.hub_port, stop))
                say(f"Hubs reach {callback}/websub/; pass it on to http://127.0.0.1:{port}/websub/.")
            stop.wait()
        if callback:
            pushes = {"n_pushes": hubs.n_pushes, "n_refused_pushes": hubs.n_refused}
    except OSError as error:
        raise ConfigError(
            f"a port cannot be used: {error.strerror}; choose others with --port and --hub-port"
        ) from error
    n_posts = sum(upload.rows for upload in receiver.uploads.values())
    answer = {"n_deliveries": len(receiver.uploads), "n_posts": n_posts, **pushes}
    lines = [f"{_number(n_posts)} posts received"]
    if pushes:
        lines.append(
            f"{_number(pushes['n_pushes'])} pushes of hubs, {_number(pushes['n_refused_pushes'])} with a wrong signature"
        )
    return _answer(options, answer, lines)


def _login(options: argparse.Namespace) -> int:
    from bastau.collect.collectors.telegram_account import log_in, session_path
    from bastau.collect.visits import FetchFailed

    try:
        path = options.session or session_path()
        log_in(path, input)
    except FetchFailed as error:
        raise ConfigError(str(error)) from error
    _answer(
        options,
        {"session": str(path)},
        [f"{path}: the session is yours alone (mode 0600); point TELEGRAM_SESSION to it"],
    )
    return 0


def _place(line: int | None, field: str | None) -> str:
    place = ", ".join([*([f"line {line}"] if line else []), *([field] if field else [])])
    return f"; first at {place}: " if place else "; first: "


def _mapping(pairs: Sequence[str]) -> dict[str, str] | None:
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field or not column:
            raise ConfigError(f"--map {pair}: write FIELD=COLUMN, for example --map text=content")
        mapping[field.strip()] = column
    return mapping or None


def _add(options: argparse.Namespace) -> int:
    import asyncio

    from bastau import places
    from bastau.editing import read_options
    from bastau.watching import check_options, open_store

    wanted: list[places.Wanted] = places.starter() if options.starter else []
    for place in options.places:
        is_file = "://" not in place and Path(place).is_file()
        wanted += places.read_list(Path(place)) if is_file else [places.Wanted(place)]
    if not wanted:
        raise ConfigError("name an address to watch, a file with a list of them, or --starter")
    if options.collector:
        wanted = [places.Wanted(one.address, options.collector, one.name, one.line) for one in wanted]
    given = read_options(options.option)
    check_options(given)
    home = _open_home(options, create=True)
    chosen: list[Any] = []
    problems: list[Answer] = []
    added: list[bool] = []
    with open_store(home) as store, _bars(options) as bars:
        task = bars.add_task("looking", total=len(wanted), note="")
        # Part by part, so that a list that is cut off has added what it came to.
        for start in range(0, len(wanted), _LOOKED_AT_ONCE):
            part = wanted[start : start + _LOOKED_AT_ONCE]
            if options.unseen:
                looked = places.unseen(part)
            else:
                looked = asyncio.run(places.look(home, part, lambda _: bars.advance(task)))
            taken = []
            for one in looked:
                if one.problem:
                    problems.append({"address": one.wanted.address, "line": one.wanted.line, "problem": one.problem})
                elif len(wanted) == 1 and not options.json and not options.unseen:
                    bars.stop()
                    taken += _chosen(options, one.found)
                else:
                    taken += one.found if options.all else one.found[:1]
            added += store.add(taken, options=given, priority=options.priority, now=_now().timestamp())
            chosen += taken
    answer, lines = places.told(chosen, added)
    for problem in problems:
        place = f"line {problem['line']}: " if problem["line"] else ""
        print(f"bastau: {place}{problem['address']}: {problem['problem']}", file=sys.stderr)
    next_step = ["next: bastau watch"] if chosen else []
    _answer(options, answer | {"problems": problems}, lines + next_step)
    return 0 if chosen or not problems else 3


def _chosen(options: argparse.Namespace, found: Sequence[Any]) -> list[Any]:
    """Show what was found at one address and return what the operator takes of it."""
    from bastau import places

    for number, one in enumerate(found, 1):
        print("\n".join(places.explain(one, number if len(found) > 1 else None)))
    if options.all:
        return list(found)
    if options.yes or not sys.stdin.isatty():
        return [found[0]]
    wanted = "[Y/n]" if len(found) == 1 else f"which: 1-{len(found)}, a for all, n for none [1]"
    said = input(f"watch it? {wanted} ").strip().lower()
    if said in ("n", "no", "0"):
        return []
    if said in ("a", "all"):
        return list(found)
    numbers = [int(part) for part in said.replace(",", " ").split() if part.isdigit()] or [1]
    return [found[n - 1] for n in numbers if 1 <= n <= len(found)]


def _sources(options: argparse.Namespace) -> int:
    from bastau import editing, places
    from bastau.watching import open_store

    home = _open_home(options)
    chosen = editing.Filter(options.only, options.trouble, options.match, options.collector, options.host)
    with open_store(home) as store:
        if options.act not in ("list", "export"):
            return _edit_sources(options, store, chosen)
        if options.act == "export":
            text = editing.as_csv([source for source in store.sources() if chosen.holds(source, _now())])
            if options.output is None:
                print(text, end="")
                return 0
            _write(options.output, text)
            n = text.count("\n") - 1
            return _answer(options, {"file": str(options.output), "n_lines": n}, [f"{options.output} written"])
        answer, lines = places.health(store, _now(), chosen.holds)
    if options.json:
        return _answer(options, answer, lines)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("id", "place", "last success", "posts", "a day", "every", "gaps", "trouble"):
        table.add_column(column, overflow="fold" if column == "place" else "ellipsis")
    for row in answer["sources"][: options.limit]:
        table.add_row(
            str(row["source_id"]),
            row["address"],
            (row["last_success_at"] or "never")[:16].replace("T", " "),
            _number(row["n_posts"]),
            "" if row["posts_a_day"] is None else f"{row['posts_a_day']:.1f}",
            f"{row['interval_s'] / 60:.0f} min" if row["interval_s"] else "",
            f"{row['n_gaps']} ({row['gap_s'] / 3600:.1f} h)" if row["n_gaps"] else "",
            "paused" if row["is_paused"] else f"{row['trouble']} x{row['n_failures']}" if row["trouble"] else "",
        )
    print("\n".join(lines))
    # Addresses are cut for nobody: a pipe has no width.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if len(answer["sources"]) > options.limit:
        print(f"... and {len(answer['sources']) - options.limit} more (--limit, --json)")
    return 0


def _edit_sources(options: argparse.Namespace, store: Any, chosen: Any) -> int:
    """Change sources that are named, or what filters find or a table changes after it was counted."""
    from bastau import editing, places
    from bastau.watching import check_options

    unknown: list[str] = []
    is_counted = True
    if options.act == "import":
        if len(options.places) != 1:
            raise ConfigError("name one CSV: bastau sources import list.csv; `bastau sources export` writes one")
        changes, unknown = editing.from_csv(Path(options.places[0]), store.sources())
        n, lines = len(changes), editing.tell(changes)
    else:
        is_counted = not options.places
        if is_counted and chosen == editing.Filter():
            raise ConfigError(
                f"name the sources to {options.act}, by id or address, or by --only, --trouble, --match, --collector or --host"
            )
        listed = places.choose(store, options.places) if options.places else store.sources()
        sources = [source for source in listed if chosen.holds(source, _now())]
        changes = editing.apply(_change(options), sources) if options.act in ("edit", "pause", "resume") else []
        whole = options.act in ("remove", "now")
        n = len(sources) if whole else len(changes)
        lines = [f"{options.act}: {source.address}" for source in sources[:10]] if whole else editing.tell(changes)
    check_options(name for before, after in changes for name in after.options.keys() - before.options.keys())
    known_only = [f"{len(unknown)} not watched, as {unknown[0]}; bastau add looks at them first"] if unknown else []
    if is_counted and n and not options.yes:
        if options.json or not sys.stdin.isatty():
            counted = {"act": options.act, "n_changed": 0, "n_would_change": n, "n_unknown": len(unknown)}
            return _answer(options, counted, [*lines, *known_only, f"{n} sources would change; --yes changes them"])
        print("\n".join([*lines, *known_only]))
        if input(f"{options.act}: {n} sources? [y/N] ").strip().lower() not in ("y", "yes"):
            return 0
        lines = []
    if options.act == "remove":
        store.remove([source.source_id for source in sources])
    elif options.act == "now":
        store.hurry([source.source_id for source in sources])
    else:
        store.edit([after for _, after in changes])
    return _answer(
        options,
        {"act": options.act, "n_changed": n, "n_unknown": len(unknown)},
        [*lines, *known_only, f"{n} sources changed"],
    )


def _change(options: argparse.Namespace) -> Any:
    from bastau.editing import Change, read_options

    if options.act in ("pause", "resume"):
        return Change(is_paused=options.act == "pause")
    change = Change(
        options.name,
        options.priority,
        True if options.pause else False if options.resume else None,
        read_options(options.option),
    )
    if change == Change():
        raise ConfigError("say what to change: --option NAME=VALUE, --name, --priority, --pause or --resume")
    return change


def _alerts(options: argparse.Namespace) -> int:
    from bastau.alerts import commands

    home = _open_home(options)
    if options.act in ("mute", "unmute", "drop") and not options.what:
        raise ConfigError(
            f"say what to {options.act}: bastau alerts {options.act} WHAT; `bastau alerts list` shows what there is"
        )
    match options.act:
        case "list":
            return _answer(options, *commands.show(home, _now(), _locale(options)))
        case "test":
            return _answer(options, *commands.test(home, _now()))
        case "past":
            if not 1 <= options.days <= 3660:
                raise ConfigError("--days: a whole number from 1 to 3660")
            return _answer(options, *commands.review(home, options.days, _now(), _locale(options)))
        case "mute":
            duration = timedelta(seconds=_seconds(options.duration, "--for"))
            return _answer(options, *commands.silence(home, options.what, duration, _now()))
        case "unmute":
            return _answer(options, *commands.end_silence(home, options.what, _now()))
        case "drop":
            return _answer(options, *commands.drop(home, options.what, _now()))
    done = commands.after_run(home, _now(), at_once=True)
    if done is None:
        raise ConfigError(f"{home.folder}: has no alerts.yaml; docs/how-to/alerts.md shows one")
    _answer(options, *done)
    return 3 if done[0]["problems"] else 0


def _evidence(options: argparse.Namespace) -> int:
    import getpass

    from bastau.evidence import commands
    from bastau.evidence.archive import Archive
    from bastau.home import writing

    home = _open_home(options)
    settings = home.settings.evidence
    archive = Archive(home.folder / commands.FOLDER)
    by = options.by or getpass.getuser()
    match options.act:
        case "list":
            return _answer(options, *commands.list_items(archive, " ".join(options.what)))
        case "show":
            return _answer(options, *commands.show(archive, _item_numbers(options.what, "show")[0], options.output))
        case "verify":
            answer, lines = commands.verify(archive, settings.authority_file)
            _answer(options, answer, lines)
            return 0 if answer["is_whole"] else 1
        case "export":
            if options.output is None:
                raise ConfigError("name the file to write: bastau evidence export -o evidence.wacz")
            with writing(home, commands.LOCK):
                return _answer(options, *commands.export(archive, options.output, _now(), by=by))
        case "stamp":
            services = {"authority": settings.authority, "calendar": settings.calendar}
            done = commands.stamp_head(archive, _now(), lock=lambda: writing(home, commands.LOCK), **services)
            return _answer(options, *done)
        case "shot":
            return _shot(options, home, archive.folder, by)
        case _:
            numbers = _item_numbers(options.what, "erase") if options.what else []
            if not numbers and options.older_than is None and options.website is None:
                raise ConfigError("name the items to erase, --older-than DAYS or --website DOMAIN")
            with writing(home, commands.LOCK):
                done = commands.erase(
                    archive,
                    numbers,
                    _now(),
                    older_than=options.older_than,
                    website=options.website,
                    by=by,
                    why=options.why,
                )
            return _answer(options, *done)


def _log(options: argparse.Namespace) -> int:
    from bastau import logbook
    from bastau.home import writing
    from bastau.review.log import FOLDER, LOCK, NAME

    home = None if options.file is not None and options.task != "stamp" else _open_home(options)
    settings = home.settings.evidence if home is not None else None
    file = options.file or (home.folder / FOLDER / NAME if home is not None else Path(NAME))
    match options.task:
        case "verify":
            answer, lines = logbook.verify(file, options.head, settings.authority_file if settings else "")
            _answer(options, answer, lines)
            return 0 if answer["is_whole"] else 1
        case "stamp" if home is not None and settings is not None:
            services = {"authority": settings.authority, "calendar": settings.calendar}
            lock = partial(writing, home, file=LOCK)
            return _answer(options, *logbook.stamp_head(file, _now(), lock=lock, **services))
        case _:
            tomorrow = _now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            end = _day(options.end, "--to") if options.end else tomorrow
            start = _day(options.start, "--from") if options.start else end - timedelta(days=30)
            return _answer(options, *logbook.report(file, start, end))


def _shot(options: argparse.Namespace, home: "Home", folder: Path, by: str) -> int:
    import asyncio

    from bastau.collect.web.names import ask_system
    from bastau.evidence.commands import LOCK
    from bastau.evidence.shots import take_shot
    from bastau.home import writing

    if len(options.what) != 1:
        raise ConfigError("name one address: bastau evidence shot https://site.kz/page")
    allow = home.settings.network.allow_private
    taken = asyncio.run(
        take_shot(
            folder,
            options.what[0],
            _now(),
            by=by,
            why=options.why,
            resolve=ask_system,
            allow_private=allow,
            lock=lambda: writing(home, LOCK),
        )
    )
    return _answer(options, taken, [f"item {taken['n']}: {folder / 'shots' / taken['file']}"])


def _item_numbers(words: Sequence[str], act: str) -> list[int]:
    if not words or not all(word.isdigit() for word in words):
        raise ConfigError(
            f"name items by their numbers, as in: bastau evidence {act} 12; `bastau evidence list` shows them"
        )
    return [int(word) for word in words]


def _seconds(text: str, option: str) -> float:
    factors = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in factors else (text, "s")
    try:
        value = float(number) * factors[unit]
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{option}: write a time as 90s, 10m, 2h or 1d, not {text!r}")
    return value


def _log_to(path: Path) -> None:
    from bastau.logs import JsonLines

    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("bastau")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    for other in logging.getLogger().handlers:
        other.setLevel(logging.getLogger().level)


def _watch(options: argparse.Namespace) -> int:
    import asyncio

    home = _open_home(options)
    duration = _seconds(options.duration, "--for") if options.duration else None
    every = _seconds(options.run_every, "--run-every") if options.run_every else None
    if options.log:
        _log_to(options.log)
    answer, lines = asyncio.run(_watch_all(options, home, duration, every))
    return _answer(options, answer, lines)


async def _watch_all(
    options: argparse.Namespace, home: "Home", duration: float | None, every: float | None
) -> tuple[Answer, list[str]]:
    """Watch until told to stop, showing how it goes on standard error."""
    import asyncio
    import signal

    from bastau.watching import open_rounds, open_store, say, serve_metrics, told

    with open_store(home) as store:
        if not store.sources():
            raise ConfigError("nothing is watched yet; `bastau add ADDRESS`, or `bastau add --starter`")
        async with open_rounds(home, store) as rounds:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, rounds.stop)
            if duration is not None:
                loop.call_later(duration, rounds.stop)
            port = options.metrics if options.metrics is not None else home.settings.watch.metrics_port
            with serve_metrics(rounds.figures, port) if port else contextlib.nullcontext():
                beside = [asyncio.create_task(_show(options, rounds, say))]
                if every is not None:
                    beside.append(asyncio.create_task(_run_often(home, every)))
                try:
                    await rounds.run(once=options.once)
                finally:
                    for task in beside:
                        task.cancel()
                    await asyncio.gather(*beside, return_exceptions=True)
            return told(rounds.figures)


async def _show(options: argparse.Namespace, rounds: Any, say: Callable[..., list[tuple[str, str]]]) -> None:
    """Show figures in place on a terminal, else as a line a minute."""
    import asyncio
    import time

    began = time.monotonic()
    if options.quiet or options.json:
        return
    if not sys.stderr.isatty():
        while True:
            await asyncio.sleep(60)
            print(
                "; ".join(f"{name} {value}" for name, value in say(rounds.figures, time.monotonic() - began)),
                file=sys.stderr,
            )
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
        while True:
            table = Table(
                box=None, show_header=False, pad_edge=False, title="watching - Ctrl-C stops", title_justify="left"
            )
            for name, value in say(rounds.figures, time.monotonic() - began):
                table.add_row(name, value)
            live.update(table)
            await asyncio.sleep(0.5)


async def _run_often(home: "Home", every_s: float) -> None:
    """Process what is new now and then, in a process of its own."""
    import asyncio

    while True:
        await asyncio.sleep(every_s)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bastau",
            "run",
            "--quiet",
            "--home",
            str(home.folder),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if code:
            logging.getLogger("bastau").warning("the run beside failed", extra={"exit_code": code})


def _run(options: argparse.Namespace) -> int:
    home = _open_home(options)
    _keep_rules()
    with home.locked():
        import dataclasses

        from bastau.alerts import after_run
        from bastau.alerts.rules import FILE, read_rules
        from bastau.engine import open_engine
        from bastau.pipeline import run

        if (home.folder / FILE).exists():
            read_rules(home.folder / FILE)  # a mistake in it is told before the work, not after
        settings = home.settings.engine
        if options.engine:
            settings = dataclasses.replace(settings, name=options.engine)
        engine = open_engine(settings)
        try:
            with _bars(options) as bars:
                shown: dict[str, Any] = {}

                def progress(step: str, done: int, total: int) -> None:
                    if step not in shown:
                        shown[step] = bars.add_task(step, total=total or None, note="")
                    bars.update(shown[step], completed=done)

                report = run(home, engine, progress=progress, rebuild=options.rebuild)
        finally:
            engine.close()
    try:
        alerts = after_run(home, _now())
    except HomeBusy:  # the run itself is done
        waits = "another process is sending alerts; what is new goes out at the next run"
        alerts = {"n_sent": 0, "problems": [waits]}, [waits]
    total = sum(report.seconds.values())
    if report.up_to_date:
        lines = [
            f"Nothing new: {_number(report.n_posts)} posts, {_number(report.n_narratives)} narratives, generation {report.generation}."
        ]
    else:
        lines = [
            f"{_number(report.n_new_posts)} new posts read; {_number(report.n_posts)} posts in {_number(report.n_narratives)} narratives; "
            f"{_number(report.n_groups)} coordinated groups; {total:.1f} s ({_number(report.n_new_posts / max(total, 1e-9))} posts/s)"
        ]
        lines += [
            f"  {step:18s} {seconds:7.2f} s  {100 * seconds / max(total, 1e-9):4.0f} %"
            for step, seconds in report.seconds.items()
        ]
        if report.n_renamed:
            lines.append(
                f"{_number(report.n_renamed)} sources seem to carry more than one name (one number on their platform): "
                "each name is a source of its own; the table `renamed` lists them"
            )
        lines.append("next: bastau report, or bastau trace TEXT")
    answer = vars(report)
    if alerts is not None:
        answer, lines = answer | {"alerts": alerts[0]}, [*lines, *alerts[1]]
    return _answer(options, answer, lines)


def _processed(options: argparse.Namespace) -> "Home":
    home = _open_home(options)
    generation = home.generation()
    if generation is None or generation.manifest.get("erased"):
        raise ConfigError(f"{home.folder}: nothing processed yet; run `bastau run` first")
    return home


def _status(options: argparse.Namespace) -> int:
    home = _open_home(options)
    generation = home.generation()
    con = home.connect()
    row = (
        con.sql(
            "SELECT count(*) n_posts, count(*) FILTER (is_publisher) n_by_publishers, count(DISTINCT source) FILTER (is_publisher) n_publishers, "
            "min(published_at)::VARCHAR first_post, max(published_at)::VARCHAR last_post FROM posts"
        )
        .to_arrow_table()
        .to_pylist()[0]
    )
    n_rejects = con.execute("SELECT count(*) FROM rejects").fetchall()[0][0]
    answer = {
        "home": str(home.folder),
        **row,
        "n_rejects": n_rejects,
        "min_audience": home.settings.publishers.min_audience,
        "generation": None
        if generation is None
        else {k: v for k, v in generation.manifest.items() if k not in ("batches", "settings")},
    }
    return _answer(options, answer, [f"{key}: {value}" for key, value in answer.items()])


def _compact(options: argparse.Namespace) -> int:
    home = _open_home(options)
    with home.locked():
        from bastau.pipeline import compact

        gone = compact(home)
    return _answer(
        options, gone, [f"{table}: {n} files fewer" for table, n in gone.items() if n] or ["nothing to merge"]
    )


def _erase(options: argparse.Namespace) -> int:
    home = _open_home(options)
    _keep_rules()
    with home.locked():
        from bastau.engine import open_engine
        from bastau.pipeline import erase, run

        before = None if options.older_than is None else _now() - timedelta(days=options.older_than)
        n_erased = erase(home, source=options.source, before=before)
        if n_erased:
            engine = open_engine(home.settings.engine)
            try:
                run(home, engine)
            finally:
                engine.close()
    return _answer(
        options, {"n_erased": n_erased}, [f"{_number(n_erased)} posts erased, and everything made from them"]
    )


def _doctor(options: argparse.Namespace) -> int:
    from bastau.doctor import examine, repair

    home = _open_home(options)
    with home.locked() if options.repair else contextlib.nullcontext():
        problems = examine(home)
        if options.repair and problems:
            repair(home, problems)
            left = [p for p in examine(home) if p.code != "unread"]
        else:
            left = [p for p in problems if p.code not in ("unread", "unfinished")]
    answer = {
        "problems": [vars(p) for p in problems],
        "repaired": bool(options.repair),
        "left": [vars(p) for p in left],
    }
    lines = [f"{p.code}: {p.path}: {p.remedy}" for p in problems] or ["every file whole, nothing twice"]
    if options.repair and problems:
        lines.append("mended" if not left else f"{len(left)} problems are left")
    _answer(options, answer, lines)
    return 1 if left else 0


def _trace(options: argparse.Namespace) -> int:
    home = _processed(options)
    from bastau.report.build import build_trace
    from bastau.report.locale import load
    from bastau.report.search import find
    from bastau.report.terminal import trace_lines
    from bastau.report.trace import trace_json

    con = home.connect()
    found = find(con, options.query, canonical=_canonical, sign=lambda text: _sign(home, text))
    locale = load(_locale(options))
    if found.best is None:
        from bastau.report.wording import not_found

        if options.json:
            print(json.dumps({"query": options.query, "found": False, "suggestions": list(found.suggestions)}))
        print("\n".join(f"bastau: {line}" for line in not_found(found, locale)), file=sys.stderr)
        return 2
    trace = build_trace(con, found, lead_in_hours=home.settings.sources.lead_in_hours)
    lines = trace_lines(trace, locale)
    if options.html:
        from bastau.report.trace_page import trace_page

        _write(options.html, trace_page(trace, locale))
        lines.append(f"{options.html}")
    return _answer(options, trace_json(trace), lines)


def _families(options: argparse.Namespace) -> int:
    home = _processed(options)
    from bastau.families import build_dossier
    from bastau.report.families_page import dossier_json, dossier_lines, families_page
    from bastau.report.locale import load

    dossier = build_dossier(home, options.domain)
    locale = load(_locale(options))
    lines = dossier_lines(dossier, locale)
    if options.html:
        _write(options.html, families_page(dossier, locale))
        lines.append(f"{options.html}")
    return _answer(options, dossier_json(dossier), lines)


def _canonical(url: str) -> str:
    from bastau.urls import canonical_url

    return canonical_url(url) or url


def _sign(home: "Home", text: str) -> tuple[str, int | None, bytes | None]:
    from bastau.reading import read_text

    return read_text(text, home.settings)


def _report(options: argparse.Namespace) -> int:
    home = _processed(options)
    from bastau.report.brief import brief, brief_json
    from bastau.report.locale import load
    from bastau.report.terminal import brief_lines

    con = home.connect()
    start, end = _period(con, options.start, options.end)
    made = brief(con, start, end)
    locale = load(_locale(options))
    lines = brief_lines(made, locale)
    if options.output or not options.json:
        from bastau.report.brief_page import brief_page

        output = options.output or Path("brief.html")
        pages = output.with_name(f"{output.stem}-traces")
        link = _trace_pages(home, con, made, locale, pages) if options.traces else lambda _narrative_id: None
        _write(output, brief_page(made, locale, link))
        lines.append(f"{output}")
    return _answer(options, brief_json(made), lines)


def _period(con: Any, first: str | None = None, after: str | None = None) -> tuple[datetime, datetime]:
    """Return the period from day ``first`` to day ``after``; by default the seven days up to the latest post."""
    if after:
        end = _day(after, "--to")
    else:
        latest = con.execute("SELECT max(published_at)::DATE::VARCHAR FROM posts").fetchall()[0][0]
        end = _day(latest, "") + timedelta(days=1) if latest else _now()
    start = _day(first, "--from") if first else end - timedelta(days=7)
    if start >= end:
        raise ConfigError("--from must lie before --to")
    return start, end


def _day(text: str, option: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{option} {text}: write a date as 2026-03-22") from error


def _trace_pages(home: "Home", con: Any, made: Any, locale: Any, folder: Path) -> Callable[[str], str | None]:
    """Write a trace page for each narrative that a brief names; return the address of each, relative to the brief."""
    from bastau.report.build import build_trace
    from bastau.report.search import find
    from bastau.report.trace_page import trace_page

    folder.mkdir(parents=True, exist_ok=True)
    wanted = {row.narrative_id for rows in (made.new, made.rising, made.across_languages) for row in rows}
    wanted |= {narrative_id for group in made.coordinated for narrative_id, _text in group.narratives}
    for narrative_id in sorted(wanted):
        found = find(con, narrative_id, canonical=_canonical, sign=lambda text: _sign(home, text))
        trace = build_trace(con, found, lead_in_hours=home.settings.sources.lead_in_hours)
        _write(folder / f"{narrative_id}.html", trace_page(trace, locale))
    return lambda narrative_id: f"{folder.name}/{narrative_id}.html" if narrative_id in wanted else None


def _home_if_any(options: argparse.Namespace) -> "Home | None":
    """Return the home folder, or None where none was named and the usual one is not there: checks work without."""
    usual = Path(os.environ.get("BASTAU_HOME") or "bastau-home")
    return _open_home(options) if options.home or usual.exists() else None


def _check(options: argparse.Namespace) -> int:
    from bastau.checks import answer_lines, check_file, check_rows, open_checker
    from bastau.settings import Settings

    if (options.text is None) == (options.file is None):
        raise ConfigError("check: give one TEXT (- for standard input), or --file F")
    home = _home_if_any(options)
    _keep_rules()
    settings = home.settings if home is not None else Settings()
    checker = open_checker(home)
    if options.file is None:
        text = sys.stdin.read() if options.text == "-" else options.text
        if not text.strip():
            raise ConfigError("check: the text is empty")
        answer = check_rows([{"id": "1", "text": text}], checker)[0]
        lines = answer_lines(answer, text)
        if options.judge:
            from bastau.judging import judge_texts

            folder = home.folder if home is not None else Path.cwd()
            judged, said = judge_texts([text], settings.judge, folder=folder, environ=os.environ)
            answer["judge"] = judged
            lines += said
        return _answer(options, answer, lines)
    if options.judge:
        raise ConfigError("check --judge: give one TEXT; a file would send many texts out of this machine")
    return _check_lines(options, check_file(options.file, checker))


def _check_lines(options: argparse.Namespace, answers: Iterator[Answer]) -> int:
    """Write one JSON object a row and say on standard error how many were flagged and how many could not be used."""
    import orjson

    n, n_flagged, n_bad = 0, 0, 0
    with contextlib.ExitStack() as stack:
        bars = stack.enter_context(_bars(options))
        bar = bars.add_task(options.file.name, total=None, note="")
        temporary = options.output.with_name(f".{options.output.name}.tmp") if options.output else None
        if temporary is not None:  # once it has its name, there is nothing left to remove
            stack.callback(temporary.unlink, missing_ok=True)
        try:
            sink = stack.enter_context(temporary.open("wb")) if temporary else sys.stdout.buffer
        except OSError as error:
            raise ConfigError(f"{options.output}: cannot be written: {error.strerror}") from error
        for answer in answers:
            n += 1
            if "error" in answer:
                n_bad += 1
                if n_bad <= 5:
                    print(f"bastau: {options.file}: line {answer['line']}: {answer['error']}", file=sys.stderr)
            n_flagged += answer.get("flagged", False)
            sink.write(orjson.dumps(answer) + b"\n")
            bars.update(bar, completed=n, note=f"{_number(n_flagged)} flagged")
        sink.flush()
        if temporary is not None:
            temporary.replace(options.output)
    said = f"{_number(n)} rows: {_number(n_flagged)} for a reviewer, {_number(n_bad)} could not be used"
    print(said, file=sys.stderr)
    return 2 if n == n_bad else 0


def _rules(options: argparse.Namespace) -> int:
    from bastau.read.rules import commands
    from bastau.read.rules.suite import read_suite, suite_folder

    home = _home_if_any(options)
    own = [home.folder / "rules"] if home is not None and (home.folder / "rules").is_dir() else []
    if options.action == "explain":
        if len(options.what) != 1:
            raise ConfigError("rules explain: give one TEXT in quotation marks")
        return _answer(options, *commands.explain(options.what[0], own))
    if options.action == "shadow":
        from bastau.matching import count_shadow

        _keep_rules()
        return _answer(options, *count_shadow(_open_home(options)))
    if options.action == "try":
        from bastau.rule_trial import told, try_candidate

        if len(options.what) != 1:
            raise ConfigError("rules try: name one file below rules-shadow in the home folder")
        return _answer(options, *told(try_candidate(_open_home(options), options.what[0], _now())))
    paths = [*own, *(Path(path) for path in options.what)]
    if options.action == "check":
        return _answer(options, *commands.check_rules(paths))
    answer, lines = commands.run_rule_texts(paths, read_suite(suite_folder()))
    _answer(options, answer, lines)
    return 2 if answer["failed"] or answer["breaches"] else 0


def _lists(options: argparse.Namespace) -> int:
    from bastau.known_lists import commands

    home = _open_home(options, create=options.action == "add")
    if options.action == "show":
        return _answer(options, *commands.show(home, now=_now()))
    if options.action == "sync":
        return _answer(options, *commands.sync(home, options.what, now=_now(), limits=_network(home)))
    if len(options.what) != 1:
        raise ConfigError(
            f"lists {options.action}: name one {'file or address' if options.action == 'add' else 'list'}"
        )
    target = options.what[0]
    if options.action == "remove":
        return _answer(options, *commands.remove(home, target))
    if options.action == "export":
        if options.output is None:
            raise ConfigError("lists export: name the file to write with -o F")
        return _answer(options, *commands.export(home, target, options.output, options.format or "csv"))
    if not options.name:
        raise ConfigError("lists add: give the list a name with --name")
    chosen = commands.ListOptions(
        is_negative=options.negative,
        publisher=options.publisher,
        ground=options.ground,
        format=options.format,
        signal=options.signal,
        bank=options.bank,
        secret=options.secret,
        pdq_distance=options.pdq_distance,
        containment=options.containment,
    )
    return _answer(options, *commands.add(home, target, options.name, chosen, now=_now(), limits=_network(home)))


def _network(home: "Home") -> Any:
    from bastau.network import NetworkLimits

    return NetworkLimits(allow_private=home.settings.network.allow_private)


def _hash(options: argparse.Namespace) -> int:
    from bastau.known_lists.commands import hash_files

    return _answer(options, *hash_files(options.files, home=_home_if_any(options), turned=options.turned))


def _train(options: argparse.Namespace) -> int:
    if options.what == "claims":
        return _train_claims(options)
    if not options.files:
        raise ConfigError(f"train {options.what}: name the files of labelled texts")
    if options.what == "language":
        from bastau.read.language_training import train_language

        return _answer(options, *train_language(options.files, options.output, seed=options.seed, now=_now()))
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
        now=_now(),
        columns=Columns(text=options.text, label=options.label, language=options.language, group=options.group),
        positive=options.positive,
        protected=sorted(suite.glob("*.csv")) if suite else (),
        threshold=options.threshold,
        seed=options.seed,
    )
    return _answer(options, card, lines)


def _export(options: argparse.Namespace) -> int:
    if options.what != "research" and (options.about or options.texts):
        raise ConfigError(f"export {options.what}: --about and --texts are for research")
    if options.what in SHIELD_EXPORTS:
        return _export_lists(options)
    if options.form or options.key:
        raise ConfigError(f"export {options.what}: --form and --key are for lists, stix and misp")
    if options.what == "research":
        return _export_research(options)
    home = _open_home(options) if options.what in ("posts", "rejects") else _processed(options)
    from bastau.shield.exports import export

    done = export(
        home.connect(), options.what, options.output, min_audience=home.settings.publishers.min_audience, now=_now()
    )
    answer = {"path": str(done.path), "meta": str(done.meta_path), **done.counts}
    counts = ", ".join(f"{_number(n)} {name}" for name, n in done.counts.items())
    return _answer(options, answer, [f"{done.path}: {counts}; what it is stands in {done.meta_path.name}"])


def _export_research(options: argparse.Namespace) -> int:
    from bastau.shield.research import export_research, read_release

    home = _processed(options)
    release = read_release(options.about or home.folder / "research.toml")
    rows = export_research(
        home, options.output, release, texts=options.texts or "publishers", key=secrets.token_bytes(32), now=_now()
    )
    counts = ", ".join(f"{_number(n)} {name}" for name, n in rows.items())
    return _answer(
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
    home, now = _open_home(options), _now()
    told = export_lists(home, released(home, now), options.output, forms, options.key, now)
    for entry_id, why in told["refused"].items():
        print(f"bastau: {entry_id}: refused, so in no form: {why}", file=sys.stderr)
    carried = ", ".join(f"{name} {_number(counts['carried'])}" for name, counts in told["forms"].items())
    return _answer(
        options,
        told,
        [
            f"{options.output}: version {told['version']}, {_number(told['counts']['entries'])} entries, valid until "
            f"{told['valid_until']}; in each form: {carried}"
        ],
    )


def _shield(options: argparse.Namespace) -> int:
    from bastau.shield import commands

    act, what = options.act, options.what
    wanted = {"keygen": (0, 0), "verify": (1, 1), "diff": (2, 2), "lookup": (1, None), "why": (1, 1)}[act]
    if len(what) < wanted[0] or (wanted[1] is not None and len(what) > wanted[1]):
        raise ConfigError(f"shield {act}: see `bastau shield --help` for what it takes")
    if act == "keygen":
        from bastau.shield.signing import make_key

        path = options.output or commands.default_key(_open_home(options, create=True))
        key = make_key(path)
        return _answer(
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
        return _answer(options, found, lines)
    document = commands.read_list(options.list) if options.list else commands.published(_open_home(options))
    if document is None:
        raise ConfigError("this home has published no list yet; name one with --list")
    if act == "why":
        text = commands.why(document, what[0], _locale(options))
        return _answer(options, {"entry_id": what[0], "text": text}, [text])
    answers = commands.look_up(document, what, _now())
    lines = [
        f"{a['what']}: "
        + ("; ".join(f"{e['act']} ({e['kind']}, {e['entry_id']})" for e in a["entries"]) or "not listed")
        for a in answers
    ]
    return _answer(options, {"version": document["version"], "found": answers}, lines)


def _verify_list(options: argparse.Namespace, folder: Path) -> int:
    from bastau.shield.publish import verify_folder

    if not options.public_key:
        raise ConfigError("shield verify: give --public-key, got by another way than the list")
    named = Path(options.public_key)
    key = named.read_text("utf-8", "replace") if named.is_file() else options.public_key
    wrong = verify_folder(folder, key)
    _answer(options, {"folder": str(folder), "wrong": wrong}, wrong or [f"{folder}: whole, and signed by this key"])
    return 3 if wrong else 0


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
    return _answer(options, {"files": names}, names)


def _demo(options: argparse.Namespace) -> int:
    _keep_rules()
    from bastau.demo import prepare

    folder = options.home or Path(os.environ.get("BASTAU_HOME") or "bastau-demo")
    if not options.json:
        print(
            "Inventing posts of a country that does not exist, then reading, grouping and tracing them ...", flush=True
        )

    def progress(step: str, done: int, total: int) -> None:
        if not done and not options.json:
            print(f"  {step}", flush=True)

    from bastau.families import build_dossier
    from bastau.report.families_page import families_page

    home, report = prepare(folder, n_posts=options.posts, seed=options.seed, now=_now(), progress=progress)
    from bastau.report.brief import brief
    from bastau.report.brief_page import brief_page
    from bastau.report.locale import LOCALES, load

    pages = home.folder / "pages"
    con = home.connect()
    start, end = _period(con)
    made = brief(con, start, end)
    for code in LOCALES:
        folder = pages / code
        folder.mkdir(parents=True, exist_ok=True)
        link = _trace_pages(home, con, made, load(code), folder / "traces")
        _write(folder / "index.html", brief_page(made, load(code), link))
        _write(folder / "families.html", families_page(build_dossier(home), load(code)))
    first = _locale(options)
    _write(
        pages / "index.html",
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={first}/"><a href="{first}/">{first}</a>\n',
    )
    lines = [
        f"{_number(report.n_posts)} posts, {_number(report.n_narratives)} narratives, {_number(report.n_groups)} coordinated groups",
        f"brief and traces as files: {pages / first / 'index.html'}",
    ]
    _answer(options, {"home": str(home.folder), "pages": str(pages), **vars(report)}, lines)
    if options.no_serve:
        return 0
    con.close()

    def ready(address: str, link: str, password: str) -> None:
        print(
            f"\nopen {address}{link}?language={first}\n"
            f"The link lets in once, within ten minutes. Later sign in at {address}/ as aigul, bolat or dana; "
            f"password: {password}\nCtrl-C ends the demo.",
            file=sys.stderr if options.json else sys.stdout,
            flush=True,
        )

    _web("demo")(home, port=options.port, ready=ready)
    return _ended(f"\nThe demo ended; its home folder stays: {home.folder}", sys.stderr if options.json else sys.stdout)


def _claim_files(options: argparse.Namespace, command: str) -> tuple[Path, Path, Path]:
    missing = [f"--{name}" for name in CLAIM_FILES if getattr(options, name) is None]
    if missing:
        raise ConfigError(f"{command} claims: name the files with {', '.join(missing)}")
    return options.claims, options.posts, options.relevant


def _evaluate_claims(options: argparse.Namespace) -> int:
    from bastau.evaluate.claims import evaluate_claims
    from bastau.factchecks.ranker import load_ranker
    from bastau.factchecks.store import home_ranker

    files = _claim_files(options, "evaluate")
    if (options.train_posts is None) != (options.train_relevant is None):
        raise ConfigError("evaluate claims: --train-posts and --train-relevant go together")
    home = _home_if_any(options)
    ranker = None
    if options.ranker is not None:
        ranker = load_ranker(options.ranker)
    elif home is not None and home.settings.models.claims:
        ranker = home_ranker(home)
    return _answer(
        options,
        *evaluate_claims(*files, train_posts=options.train_posts, train_relevant=options.train_relevant, ranker=ranker),
    )


def _train_claims(options: argparse.Namespace) -> int:
    from bastau.evaluate.claims import train_claims
    from bastau.factchecks.ranker import save_ranker

    files = _claim_files(options, "train")
    if not options.licence.strip():
        raise ConfigError("say with --licence under which licence the texts are used; 'not stated' is an answer too")
    if options.output.suffix != ".npz":
        raise ConfigError(f"{options.output}: the file of a ranker ends in .npz")
    ranker, data = train_claims(*files, licence=options.licence, seed=options.seed)
    save_ranker(ranker, options.output)
    figures = ranker.card["text"]
    lines = [
        f"{options.output}: ranker {ranker.ranker_id}, from {_number(ranker.card['n_with_claim'])} posts with a claim; card: "
        f"{options.output.with_suffix('.json')}",
        f"on posts left out, with a fact-check for half of them: precision {figures['precision']:.4f} of what is shown, for "
        f"{figures['coverage']:.1%} of posts",
        f'use it: [models] claims = "{options.output.name}" in bastau.toml, the file in the home folder',
        *data.problems.shown,
    ]
    return _answer(options, ranker.card | {"ranker": ranker.ranker_id, "not_used": dict(data.problems.counts)}, lines)


def _evaluate(options: argparse.Namespace) -> int:
    if options.task == "claims":
        return _evaluate_claims(options)
    if options.task == "extract":
        from bastau.evaluate.extract import evaluate_extract

        if options.pages is None or options.truth is None:
            raise ConfigError("evaluate extract: name the pages with --pages DIR and what they say with --truth F")
        return _answer(options, *evaluate_extract(options.pages, options.truth, options.half))
    if options.task in FILE_TASKS:
        return _evaluate_file(options)
    if options.task == "narratives" and options.file is not None:
        from bastau.evaluate.grouping import evaluate_grouping

        return _answer(options, *evaluate_grouping(options.file))
    home = None if options.predicted is not None else _processed(options)
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
            return _answer(options, *evaluate_families(rows, options.truth))
        from bastau.evaluation import against_truth

        answer, lines = against_truth(home, options.task, options.truth, options.predicted)
    return _answer(options, answer, lines)


def _evaluate_file(options: argparse.Namespace) -> int:
    if options.file is None:
        raise ConfigError(f"evaluate {options.task}: name the labelled file with --file F")
    home = _home_if_any(options)
    if options.task == "language":
        from bastau.evaluate.language import evaluate_language

        return _answer(options, *evaluate_language(options.file))
    if options.task == "known":
        from bastau.evaluate.known import evaluate_known
        from bastau.known_lists.commands import store_of

        return _answer(options, *evaluate_known(options.file, store_of(_open_home(options)).index()))
    if options.task == "kazakh":
        from bastau.evaluate.kazakh import evaluate_kazakh

        return _answer(options, *evaluate_kazakh(options.file))
    _keep_rules()
    from bastau.evaluate.rules import evaluate_rules
    from bastau.matching import own_rules
    from bastau.read.rules.finding import finder

    return _answer(options, *evaluate_rules(options.file, finder(own_rules(home))))


def _bench(options: argparse.Namespace) -> int:
    from bastau.benchmark import bench

    with _bars(options) as bars:
        bar = bars.add_task("bench", total=None, note="")
        answer, lines = bench(options.posts, progress=lambda note: bars.update(bar, note=note))
    return _answer(options, answer, lines)
