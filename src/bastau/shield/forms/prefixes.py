"""The first four bytes of the hash of every listed address, for looking up without telling anybody (:mod:`bastau.prefix_client`).

Beside it the whole hashes, in one file for each first byte: who finds a prefix fetches one of 256 files, from any web server.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import orjson

from bastau.listed_urls import listed_expressions
from bastau.prefix_client import FORMAT, PREFIXES, shard_name
from bastau.shield.forms.form import Files, Form, of_kinds
from bastau.shield.source import Document
from bastau.shield.standing import ADDRESSES, Entry

_SHOWN = ("entry_id", "kind", "act", "ground_kind", "ground", "reason", "expires_at")
_SAID = ("list", "publisher", "version", "made_at", "valid_until", "appeal", "policy", "licence", "opt_in")


def expressions(entry: Entry) -> list[str]:
    """Return the Safe Browsing expressions under which an address is found."""
    return listed_expressions(entry["value"])[0] if entry["kind"] == "url" else [entry["value"] + "/"]


def pack(digests: Iterable[bytes]) -> bytes:
    """Return the first four bytes of each digest, sorted, each once."""
    found = np.frombuffer(b"".join(digest[:4] for digest in digests), ">u4")
    return np.unique(found).astype(">u4").tobytes()


def files(document: Document) -> Files:
    """Yield prefixes.bin, then the files of whole hashes."""
    shards: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
    digests = []
    for entry in FORM.carried(document):
        for expression in expressions(entry):
            digest = hashlib.sha256(expression.encode()).digest()
            digests.append(digest)
            shards[shard_name(digest)].append((digest.hex(), entry))
    packed = pack(digests)
    about = {
        **{name: document[name] for name in _SAID},
        "format": FORMAT,
        "n_prefixes": len(packed) // 4,
        "counts": FORM.counts(document),
    }
    yield PREFIXES, [orjson.dumps(about, option=orjson.OPT_SORT_KEYS), b"\n", packed]
    for name in sorted(shards):
        yield name, _shard(shards[name])


def _shard(found: list[tuple[str, Entry]]) -> Iterator[bytes]:
    rows = sorted(found, key=lambda pair: (pair[0], pair[1]["entry_id"]))
    yield orjson.dumps([{"hash": digest, **{name: entry[name] for name in _SHOWN}} for digest, entry in rows])


FORM = Form(of_kinds(*ADDRESSES), files)
