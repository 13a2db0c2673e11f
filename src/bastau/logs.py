"""Log lines as JSON for machines, without the words of a post."""

import json
import logging
import traceback
from datetime import UTC, datetime

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
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = type(error).__name__
            line["raised_at"] = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
        return json.dumps(line, ensure_ascii=False, default=str)
