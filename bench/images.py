"""Pictures a second of our PDQ path beside the pdqhash package alone, and how near the hashes are to published ones.

Usage: python bench/images.py [--figures docs/figures/known.md]

Needs the extra media, and pdqhash for the comparison. Pictures are made by a seed in the usual sizes, and are those of
../shared/data/image-hash-pdq where it is.
"""

import argparse
import csv
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from known import put
from make_posts import SHARED
from PIL import Image

from bastau.read.images import hash_image
from bastau.read.known_pdq import PdqIndex, parse_pdq
from bastau.read.pdq_hash import pdq_hash

SETS = SHARED / "image-hash-pdq"
SIZES = ((512, 512), (1080, 1350), (1600, 1200), (4000, 3000))


def made_picture(width: int, height: int, seed: int) -> Image.Image:
    dice = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((8, 0.5), (40, 0.3), (200, 0.2)):
        coarse = Image.fromarray(dice.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        out += weight * np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(out.astype(np.uint8))


def each_second(run: Callable[[], object]) -> float:
    """Return how often ``run`` runs in a second of processor time."""
    run()
    times = 0
    started = time.process_time()
    while time.process_time() - started < 1.0:
        run()
        times += 1
    return times / (time.process_time() - started)


def apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def speed() -> list[str]:
    try:
        import pdqhash
    except ImportError:
        pdqhash = None
    lines = [
        "| JPEG | decode fully + pdqhash | decode fully + ours | our path (draft decode) | bits apart |",
        "|---|---|---|---|---|",
    ]
    for width, height in SIZES:
        packed = io.BytesIO()
        made_picture(width, height, 1).save(packed, "JPEG", quality=85)
        raw = packed.getvalue()

        def decoded(raw: bytes = raw) -> np.ndarray:
            return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))

        alone = f"{each_second(lambda: pdqhash.compute(decoded())):.0f}" if pdqhash else "-"
        full = each_second(lambda: pdq_hash(decoded()))
        ours = each_second(lambda: hash_image(raw))  # noqa: B023
        bits = apart(pdq_hash(decoded())[0].hex(), hash_image(raw).pdq)
        lines.append(f"| {width} x {height} | {alone} | {full:.0f} | {ours:.0f} | {bits} |")
    pixels = np.asarray(made_picture(512, 512, 2))
    if pdqhash:
        theirs = each_second(lambda: pdqhash.compute(pixels))
        mine = each_second(lambda: pdq_hash(pixels))
        lines += [
            "",
            f"The hash alone, 512 x 512 pixels in memory: pdqhash {theirs:.0f}, ours {mine:.0f} a second of CPU.",
        ]
    return lines


def exactness() -> list[str]:
    if not SETS.is_dir():
        return []
    with (SETS / "expected_hashes.csv").open() as file:
        expected = {row["image"]: row["pdq_hash_hex"] for row in csv.DictReader(file)}
    distances, drafted = {}, {}
    for name, digest in expected.items():
        path = SETS / f"bridge-mods__{name}"
        distances[name] = apart(pdq_hash(np.asarray(Image.open(path).convert("RGB")))[0].hex(), digest)
        drafted[name] = apart(hash_image(path).pdq, digest)
    exact = sum(distance == 0 for distance in distances.values())
    rest = ", ".join(f"{name} {distance}" for name, distance in distances.items() if distance)
    lines = [
        f"Published hashes (bridge-mods): {exact} of {len(distances)} equal in every bit; bits apart in the rest: {rest}. "
        f"With draft decode at most {max(drafted.values())}.",
    ]
    originals = [hash_image(path) for path in sorted(SETS.glob("labelme-subset__*.jpg"))]
    between = [apart(a.pdq, b.pdq) for i, a in enumerate(originals) for b in originals[:i]]
    bridge = min(apart(a.pdq, digest) for a in originals for digest in expected.values())
    lines.append(
        f"Different photos (labelme): at least {min(between)} bits apart, {bridge} from the bridge; "
        f"{sum(not a.is_usable for a in originals)} of {len(originals)} have too little detail to be used."
    )
    hay, _ = parse_pdq(
        pa.array([line.split(",")[0].strip() for line in (SETS / "haystack.txt").read_text().splitlines()])
    )
    needles, _ = parse_pdq(
        pa.array([line.split(",")[0].strip() for line in (SETS / "needles.txt").read_text().splitlines()])
    )
    found = PdqIndex.build(hay).search(needles)
    compared = int((np.bitwise_count(needles[:, None] ^ hay[None]).sum(-1) <= 31).sum())
    lines.append(
        f"Needles in the haystack: {len(np.unique(found[:, 0]))} of {len(needles)} found, {len(found)} pairs, as many as "
        f"by comparing all ({compared})."
    )
    turned = []
    forms = hash_image(SETS / "dih__bridge-1-original.jpg", turned=True).turned
    for path in sorted(SETS.glob("dih__*.jpg")):
        turned.append(min(apart(hash_image(path).pdq, form) for form in forms))
    lines.append(f"Turned and mirrored photos against the eight forms of the first: {turned} bits apart.")
    return [f"- {line}" for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    lines = ["### Pictures a second of CPU", "", *speed(), "", "### How near to published hashes", "", *exactness(), ""]
    print("\n".join(lines))
    if options.figures:
        put(options.figures, "images", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
