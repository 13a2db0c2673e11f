"""The public sets on which flags are counted: harmless ones, where each flag is false, and noisily labelled ones."""

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


@dataclass(frozen=True)
class FlagSet:
    """Texts with ids; ``labels`` are the set's own, or empty where every text is harmless."""

    name: str
    ids: list[str]
    texts: list[str]
    labels: list[str]


def _csv(
    file: str, text: str, *, ident: str | None = None, label: str | None = None, prefix: str = ""
) -> tuple[list[str], list[str], list[str]]:
    table = pl.read_csv(SHARED / file, infer_schema=False)
    ids = table[ident].to_list() if ident else [f"{prefix}{i}" for i in range(1, len(table) + 1)]
    return ids, table[text].fill_null("").to_list(), table[label].to_list() if label else []


def _kaznerd() -> tuple[list[str], list[str], list[str]]:
    with gzip.open(SHARED / "kk-kaznerd-news/valid.iob2.txt.gz", "rt", encoding="utf-8") as lines:
        sentences = lines.read().strip().split("\n\n")
    texts = [" ".join(line.split(" ")[0] for line in sentence.splitlines()) for sentence in sentences]
    return [str(i) for i in range(1, len(texts) + 1)], texts, []


def _telegram() -> tuple[list[str], list[str], list[str]]:
    with gzip.open(SHARED / "telegram-ru-news/messages.ndjson.gz") as lines:
        rows = [orjson.loads(line) for line in lines]
    return [f"{r['channel_id']}/{r['message_id']}" for r in rows], [r["text"] or "" for r in rows], []


def _joined(*parts: tuple[list[str], list[str], list[str]]) -> tuple[list[str], list[str], list[str]]:
    ids, texts, labels = ([value for column in columns for value in column] for columns in zip(*parts, strict=True))
    first = dict.fromkeys(texts)  # two files of reviews overlap
    kept = [i for i, text in enumerate(texts) if first.pop(text, 1) is None]
    return [ids[i] for i in kept], [texts[i] for i in kept], [labels[i] for i in kept] if labels else []


HARMLESS = {
    "kk-kaznerd-news": _kaznerd,
    "kk-kazsandra-reviews": lambda: _joined(
        *(
            _csv(f"kk-kazsandra-reviews/{name}_valid.csv.gz", "text", ident="custom_id")
            for name in ("polarity", "score")
        )
    ),
    "telegram-ru-news": _telegram,
    "benign-religious-quran": lambda: _csv("benign-religious-quran/ayat.csv.gz", "text"),
    "ru-sensitive-topics": lambda: _joined(
        *(
            _csv(f"ru-sensitive-topics/{name}_val.csv.gz", "text", prefix=f"{name}-")
            for name in ("topics", "appropriateness")
        )
    ),
}
LABELLED = {
    "extremism-posts-kaggle": lambda: _csv("extremism-posts-kaggle/posts.csv.gz", "text", ident="id", label="label"),
    "hate-davidson2017": lambda: _joined(
        *(
            _csv(f"hate-davidson2017/{path.name}", "tweet", ident="id", label="label")
            for path in sorted((SHARED / "hate-davidson2017").glob("*.csv.gz"))
        )
    ),
    "hate-whitesupremacy2018": lambda: _joined(
        *(
            _csv(f"hate-whitesupremacy2018/{path.name}", "text", ident="file_id", label="label")
            for path in sorted((SHARED / "hate-whitesupremacy2018").glob("*.csv.gz"))
        )
    ),
    "hate-olid2019": lambda: _joined(
        *(
            _csv(f"hate-olid2019/{path.name}", "tweet", ident="id", label="subtask_a")
            for path in sorted((SHARED / "hate-olid2019").glob("*.csv.gz"))
        )
    ),
    **{
        f"multilingual-hatecheck/{name}": lambda name=name: _csv(
            f"multilingual-hatecheck/mhc_{name}.csv.gz", "test_case", ident="mhc_case_id", label="label_gold"
        )
        for name in ("german", "french")
    },
}


def flag_sets(names: dict[str, object] | None = None) -> Iterator[FlagSet]:
    """Yield the sets that are there."""
    for name, read in {**HARMLESS, **LABELLED}.items():
        if (SHARED / name.split("/")[0]).is_dir() and (names is None or name in names):
            yield FlagSet(name, *read())
