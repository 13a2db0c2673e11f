"""The claims of a home folder as a matcher; the index is built once and kept until the claims change.

home/
  claims-index/<hash>/   arrays of the index, mapped into memory; any other hash is removed when a new one is made
"""

import hashlib
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bastau import lexicon
from bastau.factchecks.encoders import Encoder, find_encoder
from bastau.factchecks.index import VERSION, ClaimIndex, build_index, read_claims
from bastau.factchecks.matcher import ClaimMatcher, check_encoder, day_of
from bastau.factchecks.ranker import Ranker, load_ranker, shipped_ranker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bastau.home import Home
    from bastau.lake import LakeFile


def distinct_claims(claims: pa.Table) -> tuple[pa.Table, int]:
    """Return (claims with each pair of claim_id and text once, number left out), sorted by both.

    Of two with the same pair the later ``published_at`` stays: a publisher has looked at it again. One page may check several
    claims under one address, so the address alone does not tell them apart.
    """
    order = claims.sort_by([("claim_id", "ascending"), ("text", "ascending"), ("published_at", "ascending")])
    ids, texts = order.column("claim_id").to_pylist(), order.column("text").to_pylist()
    last = [i for i in range(len(ids)) if i + 1 == len(ids) or (ids[i], texts[i]) != (ids[i + 1], texts[i + 1])]
    return order.take(pa.array(last, pa.int64())), len(ids) - len(last)


def home_ranker(home: "Home") -> Ranker:
    """Return the ranker named under ``[models] claims``, else the one that comes with bastau.

    Raises:
        ConfigError: the named file is missing or is no ranker.
    """
    chosen = home.settings.models.claims
    return load_ranker(home.folder / chosen) if chosen else shipped_ranker()


def home_encoder(home: "Home") -> Encoder | None:
    """Return the encoder named under ``[models] encoder``, None without one.

    Raises:
        ConfigError: nobody offers it.
    """
    chosen = home.settings.models.encoder
    return find_encoder(chosen) if chosen else None


def claims_fingerprint(home: "Home") -> str:
    """Return a hash of the stored claims and of the ranker that is used; empty without claims."""
    files = home.lake.files("claims")
    return f"{_made_of(files)}:{home_ranker(home).ranker_id}" if files else ""


def _made_of(files: "Sequence[LakeFile]", encoder_id: str = "") -> str:
    parts = [VERSION, _words_version(), sorted(batch for file in files for batch in file.batches), encoder_id]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def open_matcher(home: "Home") -> ClaimMatcher | None:
    """Return a matcher over the stored claims; None when there are none.

    Raises:
        ConfigError: the ranker or the encoder that the settings name cannot be used.
        LakeDamaged: a stored file is torn.
    """
    files = home.lake.files("claims")
    if not files:
        return None
    claims, _ = distinct_claims(home.lake.read("claims"))
    if not claims.num_rows:
        return None
    ranker = home_ranker(home)
    encoder = home_encoder(home)
    check_encoder(ranker, encoder)
    made_of = _made_of(files, ranker.encoder_id)
    index = ClaimIndex.load(home.folder / "claims-index" / made_of, made_of)
    if index is None or index.n_claims != claims.num_rows:
        index = _build(claims, encoder)
        _keep(index, home.folder / "claims-index", made_of)
    ids, texts = (claims.column(name).to_pylist() for name in ("claim_id", "text"))
    return ClaimMatcher(ids, texts, index, ranker, claims, encoder)


def _words_version() -> str:
    """Return a hash of the word lists, because the words of an index depend on it."""
    return hashlib.blake2b(lexicon.content(), digest_size=8).hexdigest()


def _build(claims: pa.Table, encoder: Encoder | None) -> ClaimIndex:
    columns = (claims.column(name).to_pylist() for name in ("text", "title", "language"))
    moments: list[datetime | None] = claims.column("published_at").to_pylist()
    days = np.array([day_of(at) for at in moments], np.float64)
    return build_index(read_claims(zip(*columns, strict=True)), days, encoder)


def _keep(index: ClaimIndex, folder: Path, made_of: str) -> None:
    """Store ``index`` under its hash in one step and remove older ones; where nothing can be written it is made anew each time."""
    beside = folder / f".{made_of}.{os.getpid()}"
    try:
        index.save(beside, made_of)
        target = folder / made_of
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
        for old in folder.iterdir():
            if old.name != made_of and not old.name.startswith("."):
                shutil.rmtree(old, ignore_errors=True)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
