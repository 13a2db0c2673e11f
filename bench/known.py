"""Known content on real texts: recall after edits, false matches in a million posts, lists of a million entries.

Usage: python bench/known.py [--posts 1000000] [--only recall,false,lists,pdq,junk] [--figures docs/figures/known.md]

Reads ../shared/data where it is; without it only lists, PDQ search and junk are measured. ``--figures`` replaces the
part of the file between the marks ``known begin`` and ``known end``.
"""

import argparse
import csv
import difflib
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

# The editor is shared with the tests.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests" / "unit" / "read")]

from known_editor import edited  # noqa: E402
from make_posts import SHARED, real_texts  # noqa: E402

from bastau.known_lists.formats import read_list  # noqa: E402
from bastau.known_lists.store import ListInfo, ListStore  # noqa: E402
from bastau.read.fold import Fold, fold_strings  # noqa: E402
from bastau.read.known import MatchKnown  # noqa: E402
from bastau.read.known_index import ENTRIES, KnownList, index_of  # noqa: E402
from bastau.read.known_pdq import PdqIndex  # noqa: E402
from bastau.read.known_text import TextIndex, fingerprints, text_matches  # noqa: E402
from bastau.read.links import FindLinks  # noqa: E402
from bastau.schemas import POSTS  # noqa: E402
from bastau.simulate.scale import scale_posts  # noqa: E402

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
LENGTHS = (10, 15, 20, 30, 40, 60, 100)
SHARES = (0.1, 0.2, 0.3)


def articles() -> list[str]:
    csv.field_size_limit(1 << 24)
    with gzip.open(SHARED / "near-duplicate-articles" / "articles.csv.gz", "rt", encoding="utf-8") as lines:
        return [row["text"] for row in csv.DictReader(lines)]


def russian() -> list[str]:
    with gzip.open(SHARED / "semeval2025-narratives" / "documents.ndjson.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows if row["language"].lower().startswith("ru")]


def kazakh() -> list[str]:
    """Return runs of twelve news sentences."""
    sentences, words = [], []
    with gzip.open(SHARED / "kk-kaznerd-news" / "valid.iob2.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                words.append(line.split()[0])
            elif words:
                sentences.append(" ".join(words))
                words = []
    return [" ".join(sentences[at : at + 12]) for at in range(0, len(sentences), 12)]


def piece(texts: list[str], n_words: int, dice: random.Random) -> str:
    """Return ``n_words`` words in a row of some text."""
    while True:
        words = dice.choice(texts).split()
        if len(words) >= n_words:
            start = dice.randrange(len(words) - n_words + 1)
            return " ".join(words[start : start + n_words])


def recall(texts: dict[str, list[str]], seed: int) -> list[str]:
    lines = [
        "| language | words | characters | "
        + " | ".join(f"{share:.0%} edited" for share in SHARES)
        + " | 20%, both sides thinned, window 25 |",
        "|---|---|---|" + "---|" * len(SHARES) + "---|",
    ]
    for language, held in texts.items():
        pool = [word for text in held[:200] for word in text.split()]
        for n_words in LENGTHS:
            dice = random.Random(f"{seed} {language} {n_words}")
            listed = [piece(held, n_words, dice) for _ in range(1000)]
            folded = fold_strings(pa.array(listed))[0]
            index = TextIndex.of_texts(folded)
            cells = []
            for share in SHARES:
                posts = [edited(text, share, f"{seed} {k}", pool) for k, text in enumerate(listed)]
                found, _ = text_matches(fold_strings(pa.array(posts))[0], index)
                cells.append(f"{len(set(found[found[:, 0] == found[:, 1], 0].tolist())) / len(listed):.3f}")
            posts = [edited(text, 0.2, f"{seed} {k}", pool) for k, text in enumerate(listed)]
            cells.append(f"{both_thinned(listed, posts):.3f}")
            lines.append(f"| {language} | {n_words} | {index.lengths.mean():.0f} | {' | '.join(cells)} |")
    return lines


def both_thinned(listed: list[str], posts: list[str]) -> float:
    """Return the recall of winnowing as published for k 16, t 40: window 25, 4 fingerprints, a fifth of the text's."""

    def prints(texts: list[str]) -> list[set[int]]:
        hashes, rows, _, _ = fingerprints(fold_strings(pa.array(texts))[0], window=25)
        found: list[set[int]] = [set() for _ in texts]
        for value, row in zip(hashes.tolist(), rows.tolist(), strict=True):
            found[row].add(value)
        return found

    pairs = zip(prints(listed), prints(posts), strict=True)
    return sum(len(a & b) >= 4 and len(a & b) >= 0.2 * len(a) for a, b in pairs) / len(listed)


def shares_a_passage(post: str, listed: str) -> bool:
    """Say, without our kernels, whether two texts have 40 characters in a row in common."""
    matcher = difflib.SequenceMatcher(None, post, listed, autojunk=False)
    return matcher.find_longest_match().size >= 40


def false_matches(texts: dict[str, list[str]], n_posts: int, seed: int) -> list[str]:
    dice = random.Random(f"{seed} listed")
    counts = {"en": 500, "ru": 250, "kk": 250}
    listed = [piece(texts[lang], dice.randrange(20, 120), dice) for lang, n in counts.items() for _ in range(n)]
    pool = [word for held in texts.values() for text in held[:100] for word in text.split()]
    entries = make_entries([("text", text) for text in listed])
    stage = MatchKnown(index_of([KnownList.of_entries("texts", entries)]))
    folded = fold_strings(pa.array(listed))[0].to_pylist()
    n_false = n_found = n_planted = n_overlaps = n_natural = n_rows = 0
    seconds = before = 0.0
    real = real_texts()
    assert real is not None
    for number, chunk in enumerate(scale_posts(real, n_posts, seed)):
        # One post in a thousand is a listed text of 40 words or more with a fifth of its words edited.
        long = [at for at, text in enumerate(listed) if len(text.split()) >= 40]
        planted = {at: long[(number * 7919 + at) % len(long)] for at in range(0, len(chunk), 1000)}
        values = chunk.column("text").to_pylist()
        for at, which in planted.items():
            values[at] = edited(listed[which], 0.2, f"{seed} {number} {at}", pool)
        columns = {f.name: pa.nulls(len(chunk), f.type) for f in POSTS}
        columns |= {name: chunk.column(name) for name in ("url", "links") if name in chunk.schema.names}
        posts = pa.table(columns | {"text": pa.array(values, pa.string())})
        started = time.process_time()
        posts = FindLinks().run(Fold().run(posts))
        middle = time.process_time()
        known = stage.run(posts).column("known")
        seconds += time.process_time() - middle
        before += middle - started
        n_rows += len(chunk)
        n_planted += len(planted)
        for at in np.flatnonzero(known.is_valid().to_numpy()).tolist():
            for match in known[at].as_py():
                which = int(match["entry"])
                if planted.get(at) == which:
                    n_found += 1
                elif at in planted and shares_a_passage(folded[planted[at]], folded[which]):
                    n_overlaps += 1  # the planted text overlaps with another listed one
                elif shares_a_passage(posts.column("folded")[at].as_py(), folded[which]):
                    n_natural += 1
                else:
                    n_false += 1
                    print(f"false: list text {which} in row {at} of chunk {number}", file=sys.stderr)
    return [
        "| posts | listed texts | planted | found of them | planted that overlap with another listed text | other posts with a real shared passage | false matches | stage, posts/s of CPU |",
        "|---|---|---|---|---|---|---|---|",
        f"| {n_rows:,} | {len(listed):,} | {n_planted:,} | {n_found / n_planted:.4f} | {n_overlaps} | {n_natural} | {n_false} | "
        f"{n_rows / seconds:,.0f} |",
        "",
        f"Fold and FindLinks before it: {n_rows / before:,.0f} posts/s of CPU.",
    ]


def make_entries(values: list[tuple[str, str]]) -> pa.Table:
    n = len(values)
    return pa.table(
        {
            "entry_id": [str(at) for at in range(n)],
            "signal": [signal for signal, _ in values],
            "value": [value for _, value in values],
            "note": pa.nulls(n, pa.string()),
            "added_at": pa.array([WHEN] * n, ENTRIES.field("added_at").type),
            "deleted_at": pa.nulls(n, ENTRIES.field("deleted_at").type),
        },
        schema=ENTRIES,
    )


def value_lines(kind: str, n: int) -> list[str]:
    dice = random.Random(f"values {kind}")
    match kind:
        case "sha256" | "pdq":
            return [f"{dice.getrandbits(256):064x}" for _ in range(n)]
        case "url":
            return [f"https://site{dice.randrange(n // 5)}.example/p/{at}" for at in range(n)]
        case _:
            return [line for part in ("sha256", "url", "pdq") for line in value_lines(part, n // 3)]


_LOAD = """
import resource, sys, time
import numpy as np, pyarrow as pa
from pathlib import Path
from bastau.known_lists.store import ListStore
from bastau.read.known import MatchKnown
from bastau.read.known_index import index_of, KnownList, ENTRIES
from bastau.read.fold import Fold
from bastau.read.links import FindLinks
from bastau.schemas import POSTS
rows = {f.name: pa.nulls(200000, f.type) for f in POSTS}
rows["text"] = pa.array([f"post {i} https://site{i}.example/p/{i}" for i in range(200000)])
rows["media"] = pa.array([[{"url": None, "sha256": f"{i:064x}", "pdq": None}] if i % 10 == 0 else None for i in range(200000)], POSTS.field("media").type)
posts = FindLinks().run(Fold().run(pa.table(rows)))
MatchKnown(index_of([KnownList.of_entries("l", ENTRIES.empty_table())])).run(posts)
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
before = rss()
started, cpu = time.perf_counter(), time.process_time()
index = ListStore(Path(sys.argv[1])).index().load()
took = time.perf_counter() - started
held = rss() - before
stage = MatchKnown(index)
stage.run(posts.slice(0, 100))
cpu = time.process_time()
stage.run(posts)
cpu = time.process_time() - cpu
print(f"{took:.2f} {held:.0f} {rss() - before:.0f} {200000 / cpu:.0f}")
"""


def lists(n: int) -> list[str]:
    lines = [
        f"| {n:,} entries | added, CPU s | opened, s | memory, MB | after matching 200,000 posts, MB | stage, posts/s of CPU |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("sha256", "url", "pdq", "mixed"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "list.txt"
            if kind == "mixed":
                values = value_lines("mixed", n)
                third = n // 3
                rows = [*(f"sha256 {v}" for v in values[:third]), *(f"url {v}" for v in values[third : 2 * third]),
                        *(f"pdq {v}" for v in values[2 * third :])]  # fmt: skip
                path.write_text("\n".join(rows))
            else:
                path.write_text("\n".join(value_lines(kind, n)))
            started = time.process_time()
            _, items, _ = read_list(path, signal=None if kind == "mixed" else kind)
            store = ListStore(Path(folder) / "lists")
            store.update(ListInfo("big"), items, now=WHEN, whole=True, provenance=dict)
            added = time.process_time() - started
            out = subprocess.run(
                [sys.executable, "-c", _LOAD, str(store.folder)], capture_output=True, text=True, check=True
            )
            took, held, after, speed = out.stdout.split()
            lines.append(f"| {kind} | {added:.1f} | {took} | {held} | {after} | {int(speed):,} |")
    return lines


def pdq_search(n: int) -> list[str]:
    seed = np.random.default_rng(1)
    listed = seed.integers(0, 256, (n, 32), dtype=np.uint8)
    queries = seed.integers(0, 256, (2000, 32), dtype=np.uint8)
    for k in range(1000):
        queries[k] = listed[k * (n // 1000)]
        for bit in seed.permutation(256)[: k % 32]:
            queries[k, bit >> 3] ^= 1 << (bit & 7)
    lines = [
        f"| {n:,} hashes, within 31 bits | built, s | searches/s of CPU | found of 1,000 |",
        "|---|---|---|---|",
    ]
    started = time.process_time()
    index = PdqIndex.build(listed)
    built = time.process_time() - started
    index.search(queries[:1])
    started = time.process_time()
    found = len(index.search(queries))
    lines.append(f"| bastau, multi-index | {built:.2f} | {2000 / (time.process_time() - started):,.0f} | {found} |")
    try:
        import faiss
    except ImportError:
        return lines
    faiss.omp_set_num_threads(1)
    for name, other in (
        ("faiss IndexBinaryFlat", faiss.IndexBinaryFlat(256)),
        ("faiss IndexBinaryMultiHash 16 x 16, 1 flip", faiss.IndexBinaryMultiHash(256, 16, 16)),
    ):
        if hasattr(other, "nflip"):
            other.nflip = 1
        started = time.process_time()
        other.add(listed)
        built = time.process_time() - started
        started = time.process_time()
        found = len(other.range_search(queries, 32)[2])
        took = time.process_time() - started
        lines.append(f"| {name} | {built:.2f} | {2000 / took:,.0f} | {found} |")
    return lines


def junk(n: int) -> list[str]:
    dice = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "junk.txt"
        with path.open("wb") as file:
            for start in range(0, n, 10_000):
                rows = []
                for at in range(start, start + 10_000):
                    match at % 20:
                        case 0 | 1 | 2 | 3:
                            rows.append(b"%064x" % dice.getrandbits(256))
                        case 4:
                            rows.append(b"https://site%d.example/p/%d" % (at % 99_991, at))
                        case 5 | 6 | 7:
                            rows.append(dice.randbytes(20).replace(b"\n", b"."))
                        case 8 | 9:
                            rows.append(b"%060x" % dice.getrandbits(240))
                        case 10 | 11 | 12:
                            rows.append(b"words and words %d" % at)
                        case 13:
                            rows.append(b"<html>" * 20)
                        case 14:
                            rows.append(b"")
                        case _:
                            rows.append(b"%032x" % dice.getrandbits(100))
                file.write(b"\n".join(rows) + b"\n")
            file.write(b"A" * 50_000_000)
        size = path.stat().st_size
        code = (
            "import resource, sys, time\nfrom pathlib import Path\nfrom datetime import UTC, datetime\n"
            "from bastau.known_lists.formats import read_list\nfrom bastau.known_lists.store import ListInfo, ListStore\n"
            "_, items, rejects = read_list(Path(sys.argv[1]))\n"
            "info, _ = ListStore(Path(sys.argv[2])).update(ListInfo('big'), items, now=datetime.now(UTC), whole=True, provenance=dict)\n"
            "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
            "print(info.n_entries, sum(rejects.counts.values()), time.process_time(), peak)\n"
        )
        out = subprocess.run(
            [sys.executable, "-c", code, str(path), folder + "/lists"], capture_output=True, text=True, check=True
        )
    kept, rejected, seconds, peak = out.stdout.split()
    return [
        "| lines | MB | kept | rejected with line and reason | CPU s | peak memory, MB |",
        "|---|---|---|---|---|---|",
        f"| {n:,} | {size / 1e6:.0f} | {int(kept):,} | {int(rejected):,} | {float(seconds):.0f} | {float(peak):.0f} |",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--only", default="recall,false,lists,pdq,junk")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    only = options.only.split(",")
    has_texts = real_texts() is not None
    texts = {"en": articles(), "ru": russian(), "kk": kazakh()} if has_texts else {}
    parts: list[str] = []
    if "recall" in only and has_texts:
        parts += ["### Recall of edited texts", "", *recall(texts, options.seed), ""]
    if "false" in only and has_texts:
        parts += ["### False matches", "", *false_matches(texts, options.posts, options.seed), ""]
    if "lists" in only:
        parts += ["### Lists of a million entries", "", *lists(options.entries), ""]
    if "pdq" in only:
        parts += ["### Search for pictures", "", *pdq_search(options.entries), ""]
    if "junk" in only:
        parts += ["### A list full of junk", "", *junk(options.lines), ""]
    print("\n".join(parts))
    if options.figures:
        put(options.figures, "known", "\n".join(parts))
    return 0


def put(path: Path, mark: str, text: str) -> None:
    """Replace what stands between ``<!-- mark begin -->`` and ``<!-- mark end -->``."""
    before, _, rest = path.read_text("utf-8").partition(f"<!-- {mark} begin -->")
    _, _, after = rest.partition(f"<!-- {mark} end -->")
    path.write_text(f"{before}<!-- {mark} begin -->\n\n{text}\n<!-- {mark} end -->{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
