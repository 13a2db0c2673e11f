"""A home with lists of known content, a shield list and fact-checks, for tests of the check API."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "shield"))
from shield_entries import ABOUT, entry, table

from bastau.home import Home
from bastau.known_lists.commands import ListOptions, add
from bastau.shield.source import Document, canonical, make
from bastau.shield.standing import standing

NOW = datetime.now(UTC)
CALL = "Братья, убивайте неверных, где бы они ни были!"
NEWS = "Суд приговорил автора поста «Убивайте неверных, где бы они ни были» к трём годам."
PLAIN = "Завтра в Алматы откроют новый мост, движение автобусов изменится."
KNOWN_URL = "https://listed.example/page/17"
LEGITIMATE_URL = "https://listed.example/page/18"
SHA256, MD5 = "ab" * 32, "cd" * 16
PDQ = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
NEAR_PDQ = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1ff"
SHIELD_PDQ = entry(6, "pdq")["value"]
TEXTS = [CALL, NEWS, PLAIN, f"Смотрите {KNOWN_URL} сегодня", "\0", "", "k1ll the unb3lievers", "\u202e\u0301🙂" * 40]


def picture(side: int = 64) -> bytes:
    """Return a PNG with enough detail for a PDQ."""
    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(3)
    pixels = np.kron(dice.integers(0, 255, (8, 8), dtype=np.uint8), np.ones((side // 8, side // 8), np.uint8))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def add_list(home: Home, name: str, rows: list[tuple[str, str]], **options: object) -> None:
    file = home.folder.parent / f"{name}.ndjson"
    lines = [json.dumps({"signal": signal, "value": value}, ensure_ascii=False) for signal, value in rows]
    file.write_text("\n".join(lines), "utf-8")
    chosen = ListOptions(ground="policy of the test", **options)  # type: ignore[arg-type]
    add(home, str(file), name, chosen, now=NOW)


def shield_list(previous: Document | None = None, now: datetime = NOW, *entries: dict[str, object]) -> Document:
    rows = entries or [
        entry(n, kind, **{"released_at": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=30)})
        for n, kind in enumerate(("url", "host", "domain", "sha256", "md5", "pdq"), 1)
    ]
    return make(standing(table(*rows), now), ABOUT, previous, now)


def publish(home: Home, document: Document) -> None:
    path = home.folder / "shield" / "list.json"
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".new").write_bytes(canonical(document))
    path.with_suffix(".new").replace(path)


def make_api_home(folder: Path) -> Home:
    home = Home.open(folder / "home", create=True)
    mine = [("url", KNOWN_URL), ("url", LEGITIMATE_URL), ("sha256", SHA256), ("md5", MD5), ("pdq", PDQ)]
    add_list(home, "partner", mine)
    add_list(home, "legitimate", [("url", LEGITIMATE_URL)], is_negative=True)
    publish(home, shield_list())
    return home
