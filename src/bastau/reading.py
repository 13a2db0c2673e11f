"""Run the read stages over a stored batch or over one text; anything that changes a reading is told by a fingerprint."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa

from bastau.lake import Lake
from bastau.plugins import load, names
from bastau.read.stages import default_stages
from bastau.schemas import POSTS, READINGS
from bastau.settings import Settings
from bastau.stage import Stage, check_order, run_stages

READ_VERSION = 2
"""Raised whenever a read stage gives other columns for the same post, so that stored readings are made again."""


def read_stages(settings: Settings) -> list[Stage]:
    """Return the stages of read in order: ours, then those of plug-ins by name.

    Raises:
        ContractError: they do not fit together.
    """
    stages = default_stages(settings)
    own = {type(stage) for stage in stages}
    for name in names("stages"):
        offered = load("stages", name)
        if offered not in own:
            stages.append(offered())
    check_order(stages, POSTS)
    return stages


def read_batch(batch: str, *, lake_root: str, settings: Settings) -> int:
    """Run the read stages over one stored file of posts and commit its readings; return the number of posts.

    Runs in a thread or in a Spark executor: it takes nothing but the batch id and plain settings.
    """
    lake = Lake.open(lake_root)
    file = next(f for f in lake.files("posts") if batch in f.batches)
    posts = lake.read_file(file)
    rows = run_stages(read_stages(settings), posts).select(READINGS.names)
    lake.commit("readings", file.batches[0], rows, file.day, holds=file.batches)
    return posts.num_rows


def read_text(text: str, settings: Settings) -> tuple[str, int | None, bytes | None]:
    """Return (folded, text_key, bands) of one text, as the stages make them for a post."""
    row = dict.fromkeys(POSTS.names) | {"text": text}
    posts = pa.table({f.name: pa.array([row[f.name]], f.type) for f in POSTS})
    read = run_stages(read_stages(settings), posts).select(["folded", "text_key", "bands"]).to_pylist()[0]
    return read["folded"], read["text_key"], read["bands"]


def read_fingerprint(settings: Settings) -> str:
    """Return a hash of all that the readings depend on beside the posts."""
    stages = [type(stage).__qualname__ for stage in read_stages(settings)]
    own = settings.read.language_model
    model = hashlib.blake2b(Path(own).read_bytes(), digest_size=12).hexdigest() if own else ""
    parts = [READ_VERSION, settings.narratives.min_chars, stages, model]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
