"""Log lines of a watching process."""

import json
import logging
import sys

from bastau.logs import JsonLines


def test_a_line_is_json_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "bastau.x", "levelname": "WARNING", "msg": "moved", "place": "https://site.kz"}
    )
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["level"], line["place"]) == ("moved", "warning", "https://site.kz")
    assert line["at"].endswith("+00:00")


def test_an_error_tells_its_kind_and_never_what_it_quotes() -> None:
    try:
        raise ValueError("words of a post")
    except ValueError:
        record = logging.makeLogRecord({"msg": "storing failed", "exc_info": sys.exc_info()})
    line = JsonLines().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "words" not in line
