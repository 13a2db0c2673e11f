"""How well articles are read from pages: body, title, date and speed, beside trafilatura and resiliparse alone.

Body F1 is that of the article extraction benchmark (Scrapinghub 2020): word 4-grams of a page, counted as often as they
stand there, against those of its gold; precision and recall are means over pages, and F1 is made of the two means.
Dates are right when they name the same minute, and the same day, in UTC; titles when they are equal, blanks apart.

Reference: github.com/scrapinghub/article-extraction-benchmark, evaluate.py.
"""

import gzip
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.collect.articles import decode_page, read_article, read_date
from bastau.collect.articles.likeness import word_grams
from bastau.errors import ConfigError, InputError

Reading = tuple[str, str | None, datetime | None]
"""(body, title, date) of a page."""


def evaluate_extract(pages: Path, truth: Path, half: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return figures of reading the files in ``pages`` against ``truth``.

    Args:
        pages: folder of ``NAME``, ``NAME.html`` or ``NAME.html.gz``.
        truth: JSON object ``{NAME: {"articleBody", "title", "date"[, "url", "with", "without"]}}``; what a page's entry lacks
            is not judged. ``with`` and ``without`` list texts that must and must not stand in the body.
        half: ``dev`` or ``test``: only the pages of that half, by the first bit of SHA-256 of the name.

    Raises:
        ConfigError: trafilatura is missing.
        InputError: a file that cannot be read.
    """
    gold = _truth(truth)
    if half is not None:
        gold = {name: entry for name, entry in gold.items() if half_of(name) == half}
    sources = {name: _page(pages, name) for name in gold}
    answer: dict[str, Any] = {"task": "extract", "n_pages": len(gold), "half": half or "both"}
    lines = [f"{len(gold)} pages, {'both halves' if half is None else f'half {half}'}"]
    for name, read in READERS.items():
        start, found = time.process_time(), {}
        for page, source in sources.items():
            found[page] = read(source, str(gold[page].get("url") or f"https://page.example/{page}"))
        took = time.process_time() - start
        figures = score(gold, found) | {"pages_a_cpu_second": round(len(gold) / max(took, 1e-9), 1)}
        answer[name] = figures
        shown = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items() if value is not None)
        lines.append(f"{name}: {shown}")
    return answer, lines


def half_of(name: str) -> str:
    """Return ``dev`` or ``test``: which half of a set a page belongs to."""
    return "test" if hashlib.sha256(name.encode()).digest()[0] & 1 else "dev"


def score(gold: Mapping[str, Mapping[str, Any]], found: Mapping[str, Reading]) -> dict[str, float | None]:
    """Return body precision, recall and F1, and the shares of titles and dates that are right; None where nothing is judged."""
    bodies = [(str(e["articleBody"]), found[p][0]) for p, e in gold.items() if e.get("articleBody")]
    titles = [_same(e["title"], found[p][1]) for p, e in gold.items() if e.get("title")]
    dates = [(said, found[p][2]) for p, e in gold.items() if (said := read_date(str(e.get("date") or "")))]
    minutes = [ours is not None and abs((ours - said).total_seconds()) < 60 for said, ours in dates]
    days = [ours is not None and ours.date() == said.date() for said, ours in dates]
    precision, recall, f1 = shingle_f1(bodies) if bodies else (None, None, None)
    return {
        "body_precision": precision,
        "body_recall": recall,
        "body_f1": f1,
        "title_exact": _share(titles),
        "date_to_the_minute": _share(minutes),
        "date_to_the_day": _share(days),
        **_segments(gold, found),
    }


def shingle_f1(bodies: list[tuple[str, str]]) -> tuple[float, float, float]:
    """Return (precision, recall, F1) of (gold, found) texts; pages without any word on a side are left out of its mean."""
    precisions, recalls = [], []
    for gold, found in bodies:
        wanted, got = word_grams(gold), word_grams(found)
        both = sum((wanted & got).values())
        if got:
            precisions.append(both / sum(got.values()))
        if wanted:
            recalls.append(both / sum(wanted.values()))
    precision, recall = (sum(values) / max(1, len(values)) for values in (precisions, recalls))
    return round(precision, 4), round(recall, 4), round(2 * precision * recall / max(precision + recall, 1e-9), 4)


def _segments(gold: Mapping[str, Mapping[str, Any]], found: Mapping[str, Reading]) -> dict[str, float]:
    """Return precision, recall, F1 and accuracy over wanted and unwanted texts, as in trafilatura's own evaluation."""
    wanted = [text in found[p][0] for p, e in gold.items() for text in e.get("with") or ()]
    unwanted = [text in found[p][0] for p, e in gold.items() for text in e.get("without") or ()]
    if not wanted or not unwanted:
        return {}
    hits, false = sum(wanted), sum(unwanted)
    precision, recall = hits / max(1, hits + false), hits / len(wanted)
    return {
        "segment_precision": round(precision, 4),
        "segment_recall": round(recall, 4),
        "segment_f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "segment_accuracy": round((hits + len(unwanted) - false) / (len(wanted) + len(unwanted)), 4),
    }


def _same(said: Any, ours: str | None) -> bool:
    return " ".join(str(said).split()) == " ".join((ours or "").split())


def _share(values: list[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


# ---- what is compared --------------------------------------------------------------------------------------


def _ours(*, careful: bool) -> Callable[[bytes, str], Reading]:
    def read(source: bytes, url: str) -> Reading:
        article = read_article(source, url, careful=careful)
        return article.text, article.title, article.published_at

    return read


def _trafilatura(source: bytes, url: str) -> Reading:
    try:
        from trafilatura import bare_extraction
    except ImportError as error:
        raise ConfigError("evaluate extract compares with trafilatura: pip install 'bastau[watch]'") from error
    found = bare_extraction(source, url=url, include_comments=False, include_tables=False, with_metadata=True)
    if found is None:
        return "", None, None
    values = found if isinstance(found, dict) else found.as_dict()
    return values.get("text") or "", values.get("title"), read_date(values.get("date"))


def _resiliparse(source: bytes, url: str) -> Reading:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(decode_page(source))
    return extract_plain_text(tree, main_content=True, alt_texts=False, list_bullets=False), tree.title, None


READERS: dict[str, Callable[[bytes, str], Reading]] = {
    "bastau, careful": _ours(careful=True),
    "bastau": _ours(careful=False),
    "trafilatura alone": _trafilatura,
    "resiliparse alone": _resiliparse,
}


def _truth(path: Path) -> dict[str, dict[str, Any]]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON") from error
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()) or not value:
        raise InputError(f"{path}: must be one object, page name -> {{articleBody, title, date}}")
    return value


def _page(folder: Path, name: str) -> bytes:
    for path in (folder / name, folder / f"{name}.html", folder / f"{name}.html.gz"):
        if path.is_file() and folder.resolve() in path.resolve().parents:
            data = path.read_bytes()
            return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    raise InputError(f"{folder}: holds no page {name}, {name}.html or {name}.html.gz")
