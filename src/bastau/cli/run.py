"""run: all stages over what is new."""

import argparse
from typing import Any

from bastau.cli.caches import keep_rules
from bastau.cli.options import Command, now, open_home
from bastau.cli.output import give_answer, progress_bars, thousands
from bastau.errors import HomeBusy


def _run_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--engine", choices=("local", "spark"), help="where to run (default: [engine] name)")
    command.add_argument("--rebuild", action="store_true", help="make the grouping again from the stored posts")


def _run(options: argparse.Namespace) -> int:
    home = open_home(options)
    keep_rules()
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
            with progress_bars(options) as bars:
                shown: dict[str, Any] = {}

                def progress(step: str, done: int, total: int) -> None:
                    if step not in shown:
                        shown[step] = bars.add_task(step, total=total or None, note="")
                    bars.update(shown[step], completed=done)

                report = run(home, engine, progress=progress, rebuild=options.rebuild)
        finally:
            engine.close()
    try:
        alerts = after_run(home, now())
    except HomeBusy:  # the run itself is done
        waits = "another process is sending alerts; what is new goes out at the next run"
        alerts = {"n_sent": 0, "problems": [waits]}, [waits]
    total = sum(report.seconds.values())
    if report.up_to_date:
        lines = [
            f"Nothing new: {thousands(report.n_posts)} posts, {thousands(report.n_narratives)} narratives, generation {report.generation}."
        ]
    else:
        lines = [
            f"{thousands(report.n_new_posts)} new posts read; {thousands(report.n_posts)} posts in {thousands(report.n_narratives)} narratives; "
            f"{thousands(report.n_groups)} coordinated groups; {total:.1f} s ({thousands(report.n_new_posts / max(total, 1e-9))} posts/s)"
        ]
        lines += [
            f"  {step:18s} {seconds:7.2f} s  {100 * seconds / max(total, 1e-9):4.0f} %"
            for step, seconds in report.seconds.items()
        ]
        if report.n_renamed:
            lines.append(
                f"{thousands(report.n_renamed)} sources seem to carry more than one name (one number on their platform): "
                "each name is a source of its own; the table `renamed` lists them"
            )
    if not report.n_posts:
        lines.append("no posts are stored yet; next: bastau import FILE, or bastau add ADDRESS and bastau watch")
    elif not report.up_to_date:
        lines.append("next: bastau report, or bastau trace TEXT")
    answer = vars(report)
    if alerts is not None:
        answer, lines = answer | {"alerts": alerts[0]}, [*lines, *alerts[1]]
    return give_answer(options, answer, lines)


COMMANDS = (Command("run", "process what is new: read, narratives, sources", _run, _run_arguments),)
