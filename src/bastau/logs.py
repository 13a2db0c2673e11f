"""Log lines as JSON for machines, without the words of a post."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, event, and the fields that the event was logged with.

    Of an exception only its type and where it was raised are told: its message may quote what was being read.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"], line["raised_at"] = _told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class Plain(logging.Formatter):
    """Lines for people; of an exception its type and place only, as in :class:`JsonLines`."""

    def formatException(self, ei: Any) -> str:
        """Return the type and the place of an exception."""
        name, place = _told(ei[1])
        return f"{name} at {place}"


def _told(error: BaseException) -> tuple[str, str | None]:
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__, f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
