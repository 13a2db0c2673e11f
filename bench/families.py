"""Website families: figures on invented sites, links on saved real pages, speed and memory. Writes docs/figures/families.md.

    python bench/families.py [--seeds 9201,9202,9203]

Real pages: ../shared/data (html-fundus-publishers, html-trafilatura-eval). Growth: the same world with other names, 1, 3 and
10 times. Each size runs in a process of its own, so that peak memory is its own.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BASTAU_SHARED_DATA", ROOT.parent / "shared" / "data"))
LEVELS = ("easy", "medium", "hard")


def table(rows: list[dict[str, Any]]) -> pa.Table:
    from bastau.schemas import PAGES

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    made = [
        {
            **row,
            "fetched_at": moment(row["fetched_at"]),
            "whois_created": moment(row.get("whois_created")),
            "headers": json.dumps(row["headers"]) if row.get("headers") else None,
        }
        for row in rows
    ]
    return pa.table({f.name: pa.array([row.get(f.name) for row in made], f.type) for f in PAGES}, schema=PAGES)


def simulated(level: str, seed: int) -> list[str]:
    from bastau.evaluate.families import score_families
    from bastau.simulate.sites import generate_sites
    from bastau.sources.families import FindPageSignals, count_signals, find_families

    world = generate_sites(level, seed)  # type: ignore[arg-type]
    found = find_families(count_signals(FindPageSignals().run(table(world.pages)))).families.to_pylist()
    figures = score_families(found, world.families, world.traps, world.unjudged)
    return [
        level, str(seed), str(figures.n_true_pairs), str(figures.n_predicted_pairs), f"{figures.pair_precision:.3f}",
        f"{figures.pair_recall:.3f}", str(sum(figures.trap_links.values())),
    ]  # fmt: skip


def real_pages() -> list[dict[str, Any]]:
    rows = []
    for name in ("html-fundus-publishers", "html-trafilatura-eval"):
        folder = DATA / name
        if not folder.is_dir():
            continue
        archive = zipfile.ZipFile(folder / "pages.zip")
        held = {Path(n).name: n for n in archive.namelist()} | {n: n for n in archive.namelist()}
        with gzip.open(folder / "gold.ndjson.gz") as file:
            gold = [json.loads(line) for line in file]
        for row in gold:
            html = archive.read(held.get(row["page"]) or held[Path(row["page"]).name]).decode("utf-8", "replace")
            moment = (row.get("crawl_date") or "2020-01-01T00:00:00").replace(" ", "T")[:19] + "Z"
            rows.append({"domain": row["url"], "url": row["url"], "fetched_at": moment, "html": html})
    return rows


def linked(rows: list[dict[str, Any]], *, one_day: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    from bastau.sources.families import FindPageSignals, count_signals, find_families

    if one_day:
        rows = [{**row, "fetched_at": "2025-01-01T00:00:00Z"} for row in rows]
    pages = table(rows)
    start = time.process_time()
    made = FindPageSignals().run(pages)
    used = time.process_time() - start
    found = find_families(count_signals(made))
    return found.families.to_pylist(), found.links.to_pylist(), used


def grown(times: int, pipe: Any) -> None:
    from bastau.simulate.sites import generate_sites
    from bastau.sources.families import FindPageSignals, count_signals, find_families

    parts, n_pages, n_sites, cpu = [], 0, 0, 0.0
    for i in range(times):
        world = generate_sites("medium", 70_000 + i)
        pages = table(world.pages)
        begun = time.process_time()
        parts.append(count_signals(FindPageSignals().run(pages)))
        cpu += time.process_time() - begun
        n_pages += pages.num_rows
        n_sites += len({page["domain"] for page in world.pages})
    merged = pa.concat_tables(parts).combine_chunks()
    begun = time.process_time()
    found = find_families(merged)
    pipe.send((times, n_sites, n_pages, cpu, time.process_time() - begun, found.families.num_rows,
               resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))  # fmt: skip


def in_its_own_process(times: int) -> tuple[Any, ...]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=grown, args=(times, there))
    process.start()
    answer: tuple[Any, ...] = here.recv()
    process.join()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="9201,9202,9203")
    options = parser.parse_args()
    text = ["# Website families", "", f"Made by `python bench/families.py --seeds {options.seeds}` on {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m}.", ""]  # fmt: skip
    text += ["## Invented sites", "", "| level | seed | true pairs | found | precision | recall | trap links |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    for level in LEVELS:
        for seed in map(int, options.seeds.split(",")):
            text.append(f"| {' | '.join(simulated(level, seed))} |")
    rows = real_pages()
    if rows:
        text += [
            "",
            "## Saved pages of real publishers",
            "",
            "Checked by hand: every linked pair is right (Postmedia's papers; Politico's two editions). Of the pairs that were not linked, all but",
            "wochenblatt.cc and wochenblatt.com (strangers with one name) do belong together: silence, not error.",
            "",
        ]
        mib = sum(len(row["html"]) for row in rows) / 2**20
        for one_day in (False, True):
            families, links, used = linked(rows, one_day=one_day)
            when = "all taken as fetched on one day" if one_day else "dates as stated (2020 where none is)"
            text += [
                f"{len(rows)} pages, {when}: {len(families)} families; signals found in {used:.1f} s of CPU "
                f"({len(rows) / used:.0f} pages/s, {mib / used:.0f} MiB/s, {1024 * mib / len(rows):.0f} KiB a page).",
                "",
                "| pair | outcome | p | in common |",
                "|---|---|---|---|",
            ]
            for link in sorted(links, key=lambda r: (r["reason"] or "", r["p_value"])):
                shared = ", ".join(f"{e['signal']} {e['value'][:32]}" for e in link["evidence"][:4])
                text.append(f"| {link['source_a']} · {link['source_b']} | {link['reason'] or 'linked'} | {link['p_value']:.0e} | {shared} |")  # fmt: skip
            text.append("")
    text += ["## Growth", "", "| size | sites | pages | signals, CPU s | pages a CPU s | families, CPU s | families | peak MiB |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for times in (1, 3, 10):
        n, n_sites, n_pages, cpu, judged, n_families, peak = in_its_own_process(times)
        text.append(
            f"| {n} | {n_sites:,} | {n_pages:,} | {cpu:.1f} | {n_pages / cpu:.0f} | {judged:.2f} | {n_families} | {peak} |"
        )
    (ROOT / "docs" / "figures" / "families.md").write_text("\n".join(text) + "\n", "utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
