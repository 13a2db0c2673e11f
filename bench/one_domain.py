"""One domain with very many pages, every page hostile in its own way: time and memory. Writes docs/figures/one-domain.md.

    python bench/one_domain.py [N_PAGES]

Each page has accounts, classes, an address, a name server, a certificate and an icon of its own, and an ads.txt of 125 lines that is
like no other: random DIRECT accounts, accounts of 300 digits, formulas, controls, right-to-left marks, scripts, an OWNERDOMAIN of
400 letters.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    ("import", "pages.ndjson"),
    ("run",),
    ("families",),
    ("families", "big.example", "--html", "evidence.html"),
)


def ads_txt(number: int) -> str:
    dice = random.Random(number)
    lines = [f"google.com, pub-{dice.randrange(10**15, 10**16)}, DIRECT, x" for _ in range(60)]
    lines += [f"ex{dice.randrange(10**6)}.example, {'9' * dice.randrange(1, 300)}, DIRECT" for _ in range(60)]
    lines += ['\u202e=HYPERLINK("http://x"),\0,DIRECT', "," * 500, "OWNERDOMAIN=" + "a" * 400 + ".example"]
    return "\n".join([*lines, "google.com, <script>alert(1)</script>, DIRECT"])


def page(number: int) -> dict[str, object]:
    blocks = "".join(f'<div class="c{number}x{k}a"></div>' for k in range(30))
    return {
        "domain": "big.example",
        "url": f"https://big.example/{number}",
        "fetched_at": f"2025-01-{1 + number % 28:02d}T08:{number % 60:02d}:00Z",
        "html": f'<html><head><title>Story number {number} of the day in town</title><script>gtag("config","G-{number:010X}");'
        f'ym({10_000_000 + number}, "init", {{}});</script></head><body>{blocks}<p>words words</p></body></html>',
        "ads_txt": ads_txt(number),
        "headers": {"Server": f"x{number}", "A": "1", "B": "2", "C": "3"},
        "ip": f"198.19.{number // 250 % 250}.{1 + number % 250}",
        "nameservers": [f"ns{number}.own{number}.example"],
        "favicon_sha256": f"{number:064x}",
        "cert_sans": ["big.example", f"s{number}.example"],
    }


def measured(n: int, folder: Path) -> Iterator[str]:
    path = folder / "pages.ndjson"
    with path.open("wb") as file:
        file.writelines(orjson.dumps(page(i), option=orjson.OPT_APPEND_NEWLINE) for i in range(n))
    yield f"{n:,} pages, {path.stat().st_size >> 20:,} MiB.\n\n| command | exit code | processor s | wall s | peak MiB |\n|---|---|---|---|---|"
    for command in COMMANDS:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bastau", *command, "--quiet"], cwd=folder, stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        yield (
            f"| `bastau {' '.join(command)}` | {process.returncode} | {used.ru_utime + used.ru_stime:.1f} | {seconds:.1f} | "
            f"{used.ru_maxrss >> 10:,} |"
        )


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    assert __doc__ is not None
    about = __doc__.split("\n\n")[2].strip()
    with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
        rows = "\n".join(measured(n, Path(folder)))
    text = f"# One domain\n\nMade by `python bench/one_domain.py`, two cores, beside other work.\n\n{about}\n\n{rows}\n"
    (ROOT / "docs" / "figures" / "one-domain.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
