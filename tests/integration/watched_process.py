"""A watching process to be killed: `python watched_process.py HOME PORT`; says `stored` whenever posts are in the lake."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau import watching
from bastau.collect.visits import Card, Found, Request, Visit, Watched, Web
from bastau.home import Home


class Numbers:
    """A collector of places that answer with a JSON list of (number, time)."""

    name = "numbers"
    card = Card("tests", "none", "2026-11-28", "none")

    def recognises(self, address: str) -> str | None:
        return address

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        return ()

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        answer = await web.fetch(Request(watched.address))
        shown = json.loads(answer.body)
        last = watched.state.get("last", -1)
        if shown and shown[0][0] > last + 1 >= 1:
            raise AssertionError("the state went on without its posts, or the place forgot them")
        place = watched.address.rsplit("/", 1)[1]
        rows = [
            {
                "post_id": f"web:site.kz/{place}/{n}", "platform": "web", "source": "site.kz", "source_kind": "website",
                "published_at": at, "title": f"Post {n} of {place}", "text": "words",
            }
            for n, at in shown
            if n > last
        ]  # fmt: skip
        return Visit(rows=rows, state={"last": max([last, *(n for n, _ in shown)])}, next_in_s=0.0)


async def main(home: Home) -> None:
    with watching.open_store(home) as store:
        async with watching.open_rounds(home, store) as rounds:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, rounds.stop)
            land: Any = rounds._land

            def told(brought: Any) -> Counter[str]:
                counts: Counter[str] = land(brought)
                if counts["n_posts"]:
                    print("stored", flush=True)
                return counts

            rounds._land = told
            await rounds.run()


if __name__ == "__main__":
    watching.collectors = lambda: {"numbers": Numbers()}  # type: ignore[assignment,dict-item]
    # Seconds instead of minutes, so that a second of watching holds many visits.
    for module in ("rounds", "intervals"):
        sys.modules[f"bastau.collect.watching.{module}"].FEWEST_S = 0.05  # type: ignore[attr-defined]
    asyncio.run(main(Home.open(Path(sys.argv[1]))))
