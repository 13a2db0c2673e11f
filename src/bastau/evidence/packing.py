"""A package to hand over: WACZ, with the web archives, an index, the pages, the chain and the hash of each.

Reference: WACZ 1.1.1 (specs.webrecorder.net/wacz/1.1.1): datapackage.json, pages/pages.jsonl, indexes/index.cdx.gz, archive/.
"""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bastau.chain import Chain, Entry
from bastau.errors import ConfigError
from bastau.evidence import warc
from bastau.evidence.archive import Archive
from bastau.evidence.captures import record_digests


def pack(archive: Archive, out: Path, now: datetime, *, by: str) -> dict[str, Any]:
    """Write a package of the whole archive to ``out``; return counts and its SHA-256.

    Raises:
        ConfigError: the archive is empty, or the file cannot be written.
    """
    files = sorted((archive.folder / "warc").glob("*.warc.gz"))
    if not files:
        raise ConfigError("nothing was kept yet; see docs/how-to/evidence.md")
    acts = {record_id: entry for entry in Chain(archive.folder).entries() for record_id, _ in record_digests(entry)}
    index = sorted(_index(files, acts))
    pages = [json.dumps({"format": "json-pages-1.0", "id": "pages", "title": "Pages"})]
    items = [item for item in archive.items() if item["erased"] is None]
    pages += [
        json.dumps(
            {"id": str(item["n"]), "url": item["url"], "ts": item.get("fetched_at", item["at"])}, ensure_ascii=False
        )
        for item in items
    ]
    parts: dict[str, bytes | Path] = {f"archive/{path.name}": path for path in files}
    parts |= {f"shots/{path.name}": path for path in sorted((archive.folder / "shots").glob("*.png"))}
    parts |= {f"stamps/{path.name}": path for path in sorted((archive.folder / "stamps").glob("[0-9]*"))}
    parts["custody/chain.ndjson"] = Chain(archive.folder).path
    parts["indexes/index.cdx.gz"] = gzip.compress("".join(index).encode(), mtime=0)
    parts["pages/pages.jsonl"] = ("\n".join(pages) + "\n").encode()
    resources = []
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as package:
            for name, content in parts.items():
                if isinstance(content, Path):
                    package.write(content, name)
                    with content.open("rb") as file:
                        digest, size = hashlib.file_digest(file, "sha256").hexdigest(), content.stat().st_size
                else:
                    package.writestr(name, content)
                    digest, size = hashlib.sha256(content).hexdigest(), len(content)
                resources.append(
                    {"name": name.rsplit("/", 1)[-1], "path": name, "hash": f"sha256:{digest}", "bytes": size}
                )
            about = {
                "profile": "data-package", "wacz_version": "1.1.1", "created": now.astimezone(UTC).isoformat(), "software": "bastau", "resources": resources,
            }  # fmt: skip
            described = json.dumps(about, indent=1).encode()
            package.writestr("datapackage.json", described)
            sealed = {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(described).hexdigest()}"}
            package.writestr("datapackage-digest.json", json.dumps(sealed).encode())
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{out}: cannot be written: {error.strerror}") from error
    with out.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    Chain(archive.folder).append([{"act": "exported", "by": by, "sha256": whole, "count": len(items)}], now)
    return {"file": str(out), "n_items": len(items), "n_files": len(files), "sha256": whole}


def _index(files: list[Path], acts: Mapping[str, Entry]) -> Iterator[str]:
    """Yield a line of CDXJ for each kept record that answers an address: bodies, redirects, and what was seen again."""
    for path in files:
        for record in warc.read_records(path):
            url, act, kind = (
                record.fields.get("warc-target-uri"),
                acts.get(record.record_id),
                record.fields["warc-type"],
            )
            if not url or act is None or kind == "request":
                continue
            status = act["status"] if record.record_id == act["record"] else record.block.split(b" ", 2)[1].decode()
            if str(status) == "304":  # players would show it as an empty page; without it they show what it is about
                continue
            mime = "warc/revisit" if kind == "revisit" else act.get("media_type", "unk")
            time = "".join(c for c in record.fields.get("warc-date", "") if c.isdigit())[:14]
            about = {
                "url": url, "mime": mime if record.record_id == act["record"] else "unk", "status": str(status),
                "digest": record.fields.get("warc-payload-digest", ""), "length": str(record.length), "offset": str(record.offset), "filename": path.name,
            }  # fmt: skip
            yield f"{_sort_key(url)} {time} {json.dumps(about, ensure_ascii=False)}\n"


def _sort_key(url: str) -> str:
    """Return the address with its host turned round, as indexes are sorted (SURT)."""
    parts = urlsplit(url)
    host = ",".join(reversed((parts.hostname or "").split(".")))
    return f"{host}){parts.path or '/'}{'?' + parts.query if parts.query else ''}".replace(" ", "%20")
