"""Floors of known content on real texts and pictures; lowering one is an argued commit."""

import csv
import gzip
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit" / "read"))

from known_editor import edited

from bastau.read.fold import fold_strings
from bastau.read.known_pdq import PdqIndex, parse_pdq, parse_vpdq, shared_frames
from bastau.read.known_text import TextIndex, text_matches

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
PICTURES = SHARED / "image-hash-pdq"
SEED = 77
RECALL = 0.99
"""Of listed texts of 40 words or more with a fifth of their words edited."""

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PICTURES.is_dir(), reason="needs ../shared/data"),
]


def english():
    csv.field_size_limit(1 << 24)
    with gzip.open(SHARED / "near-duplicate-articles" / "articles.csv.gz", "rt", encoding="utf-8") as lines:
        return [row["text"] for row in csv.DictReader(lines)]


def russian():
    with gzip.open(SHARED / "semeval2025-narratives" / "documents.ndjson.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows if row["language"].lower().startswith("ru")]


def kazakh():
    with gzip.open(SHARED / "kk-kaznerd-news" / "valid.iob2.txt.gz", "rt", encoding="utf-8") as lines:
        words = [line.split()[0] for line in lines if line.strip()]
    return [" ".join(words[at : at + 150]) for at in range(0, len(words), 150)]


def pieces(texts, n_words, n, seed):
    dice = random.Random(seed)
    found = []
    while len(found) < n:
        words = dice.choice(texts).split()
        if len(words) >= n_words:
            start = dice.randrange(len(words) - n_words + 1)
            found.append(" ".join(words[start : start + n_words]))
    return found


def folded(texts):
    return fold_strings(pa.array(texts, pa.string()))[0]


@pytest.mark.parametrize("texts", [english, russian, kazakh])
@pytest.mark.parametrize("n_words", [40, 80])
def test_edited_texts_are_found(texts, n_words):
    held = texts()
    pool = [word for text in held[:100] for word in text.split()]
    listed = pieces(held, n_words, 600, f"{SEED} {n_words}")
    posts = [edited(text, 0.2, f"{SEED} {k}", pool) for k, text in enumerate(listed)]
    found, _ = text_matches(folded(posts), TextIndex.of_texts(folded(listed)))
    assert len(set(found[found[:, 0] == found[:, 1], 0].tolist())) >= RECALL * len(listed)


def test_channel_posts_hold_none_of_a_thousand_other_texts():
    listed = [
        text for source, n in ((english, 500), (russian, 250), (kazakh, 250)) for text in pieces(source(), 40, n, SEED)
    ]
    with gzip.open(SHARED / "telegram-ru-news" / "messages.ndjson.gz", "rt", encoding="utf-8") as lines:
        posts = [json.loads(line)["text"] for line in lines]
    found, _ = text_matches(folded(posts), TextIndex.of_texts(folded(listed)))
    assert not len(found)


def test_published_picture_hashes_are_met_bit_for_bit():
    image = pytest.importorskip("PIL.Image")
    from bastau.read.pdq_hash import pdq_hash

    with (PICTURES / "expected_hashes.csv").open() as file:
        expected = {row["image"]: row["pdq_hash_hex"] for row in csv.DictReader(file)}
    apart = {}
    for name, digest in expected.items():
        pixels = np.asarray(image.open(PICTURES / f"bridge-mods__{name}").convert("RGB"))
        apart[name] = (int(pdq_hash(pixels)[0].hex(), 16) ^ int(digest, 16)).bit_count()
    assert sum(distance == 0 for distance in apart.values()) >= 11
    assert max(apart.values()) <= 2


def test_every_needle_is_found_in_the_haystack():
    def read(name):
        return parse_pdq(pa.array([line.split(",")[0] for line in (PICTURES / name).read_text().split()]))[0]

    hay, needles = read("haystack.txt"), read("needles.txt")
    found = PdqIndex.build(np.concatenate([hay] * 4)).search(needles)  # long enough for the index to be used
    compared = np.bitwise_count(needles[:, None] ^ hay[None]).sum(-1) <= 31
    assert len(found) == 4 * int(compared.sum())
    assert len(np.unique(found[:, 0])) == len(needles)


def test_versions_of_a_video_are_found_by_their_frames():
    import zipfile

    with zipfile.ZipFile(SHARED / "video-hash-vpdq" / "hashes.zip") as packed:
        texts = {Path(n).stem: packed.read(n).decode() for n in packed.namelist() if n.endswith(".txt")}
    original = parse_vpdq(texts["chair-orig-22-sd-bar"])
    for name in ("chair-19-sd-bar", "chair-22-sd-grey-bar", "chair-22-sd-sepia-bar", "chair-22-with-small-logo-bar"):
        assert max(shared_frames(original, parse_vpdq(texts[name]))) >= 0.8
