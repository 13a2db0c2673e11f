"""Translation: what is sent, and what is made of answers that are none."""

import json
from typing import Any

import pytest

from bastau.errors import ConfigError, SourceChanged
from bastau.translation import MOST_CHARS, translate, translator


class Server:
    def __init__(self, answer: Any):
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def post_json(self, url: str, body: Any) -> Any:
        self.asked.append((url, json.loads(json.dumps(body))))
        return self.answer


@pytest.mark.parametrize("address", ["https://t.kz", "https://t.kz/", "https://t.kz/translate"])
def test_only_the_words_and_the_wanted_language_are_sent(address: str) -> None:
    server = Server({"translatedText": "hello"})
    assert translate(server, address, "сәлем", "en") == "hello"  # type: ignore[arg-type]
    asked = {"q": "сәлем", "source": "auto", "target": "en", "format": "text"}
    assert server.asked == [("https://t.kz/translate", asked)]
    translate(server, address, "x" * 20_000, "en", "secret")  # type: ignore[arg-type]
    assert server.asked[1][1]["api_key"] == "secret"
    assert len(server.asked[1][1]["q"]) == MOST_CHARS


@pytest.mark.parametrize("answer", [None, [], {"error": "no"}, {"translatedText": ["a"]}, "words"])
def test_other_answers_are_said(answer: Any) -> None:
    with pytest.raises(SourceChanged):
        translate(Server(answer), "https://t.kz", "a", "en")  # type: ignore[arg-type]


def test_an_address_of_this_machine_is_refused_unless_allowed() -> None:
    with pytest.raises(ConfigError):
        translate(translator(allow_private=False), "https://127.0.0.1:1", "a", "en")
