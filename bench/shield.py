"""Shield lists: size and time of a million prefixes, look-ups a second, how many need the server; whole lists in every form.

Usage: python bench/shield.py [--entries 1000000] [--figures docs/figures/shield.md]

Addresses looked up are those that real posts and pages name (../shared/data, or $BASTAU_SHARED_DATA) and invented ones; listed are
invented ones only, so whatever is found among the real ones is a chance hit. ``--figures`` replaces the part of the file between its marks.
"""

import argparse
import gzip
import hashlib
import random
import re
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from known import put  # noqa: E402
from make_posts import SHARED  # noqa: E402

from bastau.prefix_client import (  # noqa: E402
    Client,
    hits,
    public_key,
    read_prefixes,
    safe_canonical,
    safe_expressions,
    update,
    verify,
)
from bastau.shield.forms import FORMS  # noqa: E402
from bastau.shield.forms.prefixes import expressions  # noqa: E402
from bastau.shield.publish import publish  # noqa: E402
from bastau.shield.signing import make_key, sign  # noqa: E402
from bastau.shield.source import About, canonical, make  # noqa: E402
from bastau.shield.standing import Standing  # noqa: E402

NOW = datetime(2026, 9, 1, tzinfo=UTC)
ABOUT = About("bench", "Bench", "https://bench.example/appeal", "https://bench.example/policy", "CC0-1.0", timedelta(7))
SOURCES = ("coaid-covid-claims", "telegram-ru-news", "html-trafilatura-eval", "voxukraine-propaganda-cases")


def entries(count: int, seed: int) -> list[dict]:
    """Return entries as standing() gives them: six pages, two hosts and two domains of ten."""
    dice = random.Random(seed)
    rows = []
    for n in range(count):
        name = (
            f"{dice.choice(('info', 'media', 'news', 'video'))}-{n:x}.{dice.choice(('kz', 'com', 'net', 'ru', 'org'))}"
        )
        kind = "url" if n % 10 < 6 else "host" if n % 10 < 8 else "domain"
        value = {
            "url": f"https://{name}/{dice.randrange(2026)}/{dice.randrange(10**6)}",
            "host": f"cdn.{name}",
            "domain": name,
        }
        rows.append(
            {
                "entry_id": f"e{n:013d}", "kind": kind, "value": value[kind], "act": dice.choice(("incite", "recruit", "glorify")),
                "ground_kind": "policy", "ground": "Policy, section 2", "reason": "It calls for an attack on people at a market.",
                "exemption_checked": "No report, research or art.", "evidence_sha256": hashlib.sha256(name.encode()).hexdigest(),
                "released_at": "2026-08-01T00:00:00Z", "expires_at": "2026-10-01T00:00:00Z", "n_reviewers": 2,
                "rule_version": "call@3", "model_version": "", "data_version": "2026-07-31", "languages": ["kk"],
            }
        )  # fmt: skip
    return rows


def real_addresses(most: int) -> list[str]:
    found: set[str] = set()
    for name in SOURCES:
        for path in sorted((SHARED / name).glob("*.gz")):
            with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    found.update(re.findall(r"https?://[^\s\"'<>,)\]\\*]+", line))
            if len(found) > 4 * most:
                break
    return random.Random(5).sample(sorted(found), min(most, len(found)))


def prefixes(count: int, listed: list[dict]) -> list[str]:
    start = time.process_time()
    document = make(Standing(listed), ABOUT, None, NOW)
    made_s = time.process_time() - start
    start = time.process_time()
    files = {name: b"".join(parts) for name, parts in FORMS["prefixes"].files(document)}
    built_s = time.process_time() - start
    whole = [data for name, data in files.items() if name.startswith("full/")]
    size = len(files["prefixes.bin"])
    start = time.process_time()
    read_prefixes(files["prefixes.bin"])
    loaded_s = time.process_time() - start
    return [
        f"{count:,} entries (six pages, two hosts, two domains of ten): `prefixes.bin` {size:,} bytes ({size / count:.2f} an entry), and "
        f"{len(whole)} files of whole hashes, {sum(map(len, whole)) / len(whole) / 1000:,.0f} kB each, of which a client fetches those it needs.",
        "",
        "| step | seconds |", "|---|---|",
        f"| document from what stands | {made_s:.1f} |",
        f"| prefixes and whole hashes from the document | {built_s:.1f} |",
        f"| client: load prefixes | {loaded_s:.3f} |",
    ]  # fmt: skip


def look_ups(listed: list[dict], folder: Path) -> list[str]:
    """Publish to ``folder``, then look addresses up as a client does, the server being that folder."""
    key = make_key(folder / "key")
    publish(make(Standing(listed), ABOUT, None, NOW), folder / "web", ["prefixes"], [key])

    def fetch(address: str) -> bytes:
        return (folder / "web" / address.removeprefix("https://x/")).read_bytes()

    update(folder / "list", "https://x/", key.public, NOW, fetch)
    dice = random.Random(6)
    invented = [
        f"https://www.site-{n:x}.kz/{dice.randrange(2026)}/{dice.randrange(99)}/story-{n}?id={n}"
        for n in range(100_000)
    ]
    lines = [
        "| addresses | n | expressions each | look-ups/s | without the server | listed |",
        "|---|---|---|---|---|---|",
    ]
    found = [row for row in listed[:20_000] if row["kind"] == "domain"]
    groups = {
        "of real posts and pages, none listed": real_addresses(100_000) if SHARED.is_dir() else [],
        "invented, none listed": invented,
        "listed domains": [f"https://www.{row['value']}/x" for row in found],
    }
    for name, addresses in groups.items():
        if not addresses:
            continue
        client = Client(folder / "list", fetch)
        # For the speed the prefixes alone; for the share every hit counts as a question, though a client keeps the answers.
        start = time.process_time()
        touched = sum(bool(hits(address, client.prefixes)) for address in addresses)
        seconds = time.process_time() - start
        sample = addresses if touched < 2000 else addresses[:200]
        n_listed = sum(bool(client.look_up(address, NOW)) for address in sample)
        each = [len(safe_expressions(safe_canonical(address) or "http://x/")) for address in addresses[:20_000]]
        lines.append(
            f"| {name} | {len(addresses):,} | {sum(each) / len(each):.1f} | {len(addresses) / seconds:,.0f} | "
            f"{1 - touched / len(addresses):.2%} | {n_listed:,} of {len(sample):,} |"
        )
    start = time.process_time()
    for _ in range(20):
        signature = sign(key, b"x" * 10_000, "bench")
        verify(b"x" * 10_000, signature, [public_key(key.public)])
    lines += [
        "",
        f"Signing and verifying a list of sums: {(time.process_time() - start) / 20 * 1000:.1f} ms (the client's own Ed25519).",
    ]
    return lines


def whole_lists(listed: list[dict]) -> list[str]:
    document = make(Standing(listed), ABOUT, None, NOW)
    lines = [f"{len(listed):,} entries.", "", "| form | files | MB | seconds | carried |", "|---|---|---|---|---|"]
    start = time.process_time()
    size = len(canonical(document))
    lines.append(f"| list.json | 1 | {size / 1e6:.1f} | {time.process_time() - start:.1f} | {len(listed):,} |")
    for name, form in FORMS.items():
        start = time.process_time()
        sizes = [sum(map(len, parts)) for _, parts in form.files(document)]
        seconds = time.process_time() - start
        lines.append(
            f"| {name} | {len(sizes)} | {sum(sizes) / 1e6:.1f} | {seconds:.1f} | {form.counts(document)['carried']:,} |"
        )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        publish(document, Path(folder) / "web", list(FORMS), [make_key(Path(folder) / "k")])
        lines += ["", f"All of them written, synced and signed: {time.perf_counter() - start:.1f} s by the clock."]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    listed = entries(options.entries, 3)
    assert all(expressions(row) for row in listed[:100])
    parts = ["### A million prefixes", "", *prefixes(options.entries, listed), ""]
    with tempfile.TemporaryDirectory() as folder:
        parts += ["### Look-ups in them", "", *look_ups(listed, Path(folder)), ""]
    parts += ["### Whole lists", "", *whole_lists(listed[: max(1, options.entries // 10)]), ""]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    parts += [f"Largest memory of the whole run: {peak:.1f} GB.", ""]
    print("\n".join(parts))
    if options.figures:
        put(options.figures, "shield", "\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
