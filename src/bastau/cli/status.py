"""status: what the home folder holds."""

import argparse

from bastau.cli.options import Command, open_home
from bastau.cli.output import give_answer


def _status(options: argparse.Namespace) -> int:
    home = open_home(options)
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
    return give_answer(options, answer, [f"{key}: {value}" for key, value in answer.items()])


COMMANDS = (Command("status", "what the home folder holds: posts, period, publishers, last run", _status),)
