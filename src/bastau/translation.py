"""Translation by a server of the operator's choice that speaks as LibreTranslate does. Only words that are public are sent."""

from collections.abc import Mapping
from typing import Any

from bastau.errors import SourceChanged
from bastau.network import Client, NetworkLimits

LIMITS = {"timeout_s": 10.0, "total_s": 20.0, "max_bytes": 1 << 20, "tries": 1}
"""Of one request: somebody waits for it."""
MOST_CHARS = 10_000


def translator(*, allow_private: bool) -> Client:
    """Return the client to ask with."""
    return Client(NetworkLimits(allow_private=allow_private, **LIMITS))  # type: ignore[arg-type]


def translate(client: Client, address: str, text: str, target: str, key: str | None = None) -> str:
    """Return ``text`` (its first 10,000 characters) in the language ``target``.

    Args:
        address: of the server, with or without ``/translate``.
        target: BCP 47 tag; the language of ``text`` is left to the server.
        key: of the server; None: it wants none.

    Raises:
        SourceUnavailable: it does not answer.
        SourceChanged: it answers with something else.
        ConfigError: the address is not allowed, or the key not taken.

    Reference: LibreTranslate API, `POST /translate`.
    """
    asked: dict[str, Any] = {"q": text[:MOST_CHARS], "source": "auto", "target": target, "format": "text"}
    if key is not None:
        asked["api_key"] = key
    url = address if address.rstrip("/").endswith("/translate") else f"{address.rstrip('/')}/translate"
    answer = client.post_json(url, asked)
    words = answer.get("translatedText") if isinstance(answer, Mapping) else None
    if not isinstance(words, str):
        raise SourceChanged("the server for translations answers without translatedText")
    return words
