"""Write posts for benchmarks as NDJSON: made from the real texts of ../shared/data where they are, else from invented ones.

Usage: python bench/make_posts.py --posts 1000000 --out posts.ndjson [--seed 2026] [--texts auto|real|invented]

The name of the file says how it is packed: `.gz`, `.zst` or not. The mix is that of bastau.simulate.scale.
"""

import argparse
import gzip
import io
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import zstandard

from bastau.simulate.scale import scale_posts
from bastau.simulate.world import generate

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_texts() -> pa.Table | None:
    """Return the texts of the shared tweets and Telegram posts, or None where they are not."""
    tweets = sorted((SHARED / "ira-troll-tweets").glob("tweets_*.csv.gz"))
    messages = SHARED / "telegram-ru-news" / "messages.ndjson.gz"
    if not tweets or not messages.exists():
        return None
    parts = [pl.read_csv(path, columns=["content"])["content"] for path in tweets]
    with gzip.open(messages) as packed:
        parts.append(pl.read_ndjson(io.BytesIO(packed.read()))["text"].alias("content"))
    return pa.table({"text": pl.concat(parts).to_arrow().cast(pa.string())})


def invented_texts() -> pa.Table:
    """Return the texts of a simulation."""
    return generate(3200).posts.select(["text", "language"])


def open_packed(path: Path, stack: ExitStack) -> IO[bytes]:
    raw = stack.enter_context(path.open("wb"))
    match path.suffix:
        case ".gz":
            return stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0))
        case ".zst":
            return stack.enter_context(zstandard.ZstdCompressor(level=1).stream_writer(raw))
        case _:
            return raw


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, required=True, help="posts to write")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--texts", choices=("auto", "real", "invented"), default="auto")
    options = parser.parse_args()
    texts = None if options.texts == "invented" else real_texts()
    if texts is None and options.texts == "real":
        print(f"no real texts in {SHARED}", file=sys.stderr)
        return 2
    kind = "invented" if texts is None else "real"
    with ExitStack() as stack:
        out = open_packed(options.out, stack)
        for chunk in scale_posts(invented_texts() if texts is None else texts, options.posts, options.seed):
            table = pl.from_arrow(chunk).with_columns(
                pl.col("published_at", "collected_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
            )
            out.write(table.write_ndjson().encode())
    print(f"{options.out}: {options.posts} posts from {kind} texts, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
