"""``local_file`` of python-threatexchange: a signal type and a value a line. It has no comments: about.json says the rest."""

from collections.abc import Iterator

from bastau.shield.forms.form import Files, Form, of_kinds
from bastau.shield.source import Document

SIGNALS = {"url": "url", "pdq": "pdq", "md5": "video_md5", "sha256": "video_sha256"}


def files(document: Document) -> Files:
    """Yield pytx.txt."""
    yield "pytx.txt", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    for entry in FORM.carried(document):
        yield f"{SIGNALS[entry['kind']]} {entry['value']}\n".encode()


FORM = Form(of_kinds(*SIGNALS), files)
