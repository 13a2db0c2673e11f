"""Collect from real server programs on the loopback, and compare with what was posted there.

The programs are installed and started by hand (docs/figures/real-peers.md says how); this posts to them, visits them
with the collectors through the real fetcher, and prints what was found.

    python bench/real_peers.py --pds http://localhost:2583 --appview http://localhost:2584
    python bench/real_peers.py --activitypub http://localhost:7156/users/tau --expect words.txt
"""

import argparse
import asyncio
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.collect.collectors.activitypub import ACTIVITYPUB
from bastau.collect.collectors.bluesky import BLUESKY
from bastau.collect.visits import FetchFailed, Visit, Watched
from bastau.collect.web.fetching import open_web
from bastau.settings import Network, Settings

SETTLES_S = 3.0
"""Time that the AppView is given to read what was posted; it follows the PDS by a stream."""


def now() -> datetime:
    return datetime.now(UTC)


class Pds:
    """An account on a PDS that posts."""

    def __init__(self, base: str, handle: str) -> None:
        self.base = base
        self.token = ""
        account = {"handle": handle, "email": f"{handle}@example.test", "password": "loopback"}
        session = self.call("com.atproto.server.createAccount", account)
        self.did, self.token = session["did"], session["accessJwt"]

    def call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        request = urllib.request.Request(f"{self.base}/xrpc/{method}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def create(self, collection: str, record: dict[str, Any]) -> dict[str, Any]:
        when = now().isoformat().replace("+00:00", "Z")
        record = {"$type": collection, "createdAt": when} | record
        return self.call(
            "com.atproto.repo.createRecord", {"repo": self.did, "collection": collection, "record": record}
        )

    def post(self, text: str, **more: Any) -> dict[str, Any]:
        return self.create("app.bsky.feed.post", {"text": text} | more)

    def delete(self, uri: str) -> None:
        collection, key = uri.split("/")[-2:]
        self.call("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": collection, "rkey": key})


async def bluesky(pds_base: str, appview: str, n_posts: int) -> None:
    stamp = str(int(time.time()))[-7:]
    tau, dala = Pds(pds_base, f"tau{stamp}.test"), Pds(pds_base, f"dala{stamp}.test")
    posted = [tau.post(f"Көл туралы {i}-жазба", langs=["kk"]) for i in range(n_posts)]
    first = posted[0]
    strong = {"uri": first["uri"], "cid": first["cid"]}
    link = {
        "index": {"byteStart": 0, "byteEnd": 4},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://tau.example/kol"}],
    }
    dala.post("сілтеме", facets=[link])
    dala.post("жауап", reply={"root": strong, "parent": strong})
    dala.post("дәйексөз", embed={"$type": "app.bsky.embed.record", "record": strong})
    dala.create("app.bsky.feed.repost", {"subject": strong})
    time.sleep(SETTLES_S)
    async with open_web(Settings(network=Network(allow_private=True)), now=now) as web:

        async def visit(did: str, state: Any) -> Visit:
            watched = Watched(
                1,
                "bluesky",
                f"https://bsky.app/profile/{did}",
                json.loads(json.dumps(dict(state))),
                {"api": appview, "back_to": "2020-01-01"},
            )
            return await BLUESKY.visit(watched, web, now())

        rows: dict[str, Any] = {}
        seen = await visit(tau.did, {})
        n_visits, n_requests = 1, seen.n_requests
        rows |= {row["post_id"]: row for row in seen.rows}
        while seen.more:
            seen = await visit(tau.did, seen.state)
            n_visits, n_requests = n_visits + 1, n_requests + seen.n_requests
            rows |= {row["post_id"]: row for row in seen.rows}
        print(
            f"back-fill: {len(posted)} posted, {len(rows)} collected, {n_visits} visits, {n_requests} requests, notes {seen.notes}"
        )
        others = {row["text"]: row for row in (await visit(dala.did, {})).rows}
        repost = next(row for text, row in others.items() if text.startswith("RT @"))
        print(
            "link",
            others["сілтеме"]["links"],
            "| reply joins",
            others["жауап"]["reply_to"] in rows,
            "| repost joins",
            repost["repost_of"] in rows,
            "| quote",
            bool(others["дәйексөз"]["links"]),
        )
        gone = posted[-1]["uri"]
        tau.delete(gone)
        tau.call("com.atproto.identity.updateHandle", {"handle": f"tau{stamp}b.test"})
        time.sleep(SETTLES_S)
        seen = await visit(tau.did, seen.state)
        print("deletion", [(c.kind, c.post_id.rsplit("/")[-1] == gone.rsplit("/", 1)[-1]) for c in seen.changes])
        print(
            "rename",
            seen.state["handle"],
            "| same ids",
            {row["post_id"] for row in seen.rows} <= set(rows),
            "|",
            seen.notes,
        )
        labelled = Pds(pds_base, f"zhasyryn{stamp}.test")
        values = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]}
        profile = {"$type": "app.bsky.actor.profile", "labels": values}
        labelled.call(
            "com.atproto.repo.putRecord",
            {"repo": labelled.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile},
        )
        time.sleep(SETTLES_S)
        for did in (labelled.did, "did:plc:" + "a" * 24):
            try:
                await visit(did, {})
                print("not refused")
            except FetchFailed as error:
                print("refused:", error.kind.value, "|", str(error).replace(did, "DID"))


async def activitypub(actor: str, expected: list[str]) -> None:
    async with open_web(Settings(network=Network(allow_private=True)), now=now) as web:
        seen = await ACTIVITYPUB.visit(Watched(1, "activitypub", actor), web, now())
    texts = [str(row["text"]) for row in seen.rows]
    print(f"{len(seen.rows)} posts, {seen.n_requests} requests, {seen.n_bytes} bytes, notes {seen.notes}")
    for row in seen.rows:
        print({name: value for name, value in row.items() if value})
    print("words found:", sum(any(word in text for text in texts) for word in expected), "of", len(expected))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pds")
    parser.add_argument("--appview")
    parser.add_argument("--posts", type=int, default=350)
    parser.add_argument("--activitypub", metavar="ACTOR")
    parser.add_argument("--expect", type=Path, help="file with a line of words of each post")
    options = parser.parse_args()
    if options.pds:
        asyncio.run(bluesky(options.pds, options.appview, options.posts))
    if options.activitypub:
        lines = options.expect.read_text("utf-8").splitlines() if options.expect else []
        asyncio.run(activitypub(options.activitypub, lines))


if __name__ == "__main__":
    main()
