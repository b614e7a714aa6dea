"""Log records as one line for people or one JSON object, with no text in it that a client sent.

A record may carry `extra={"fields": {...}}`: what a program looks for, such as `request_id` or `event_ids`.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

LogFormat = Literal["text", "json"]
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """The message; what is worse than INFO says so."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the places of an exception below it."""
        grave = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        return grave + super().format(record)

    def formatException(self, ei: ExceptionInfo) -> str:
        """Where it was raised, see `exception_text`."""
        return exception_text(ei[1])


class JsonFormatter(logging.Formatter):
    """One JSON object on one line: time (UTC), level, logger, message, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The object; `exception` holds places of code, see `exception_text`."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "correlation_id", None):  # set by the service's filter
            values["request_id"] = request_id
        values |= getattr(record, "fields", {})
        if record.exc_info:
            values["exception"] = exception_text(record.exc_info[1])
        return json.dumps(values, ensure_ascii=False, default=str)


def log_formatter(form: LogFormat) -> logging.Formatter:
    """The formatter of that name."""
    return JsonFormatter() if form == "json" else TextFormatter()


def json_line(level: int, logger: str, message: str) -> str:
    """A line of the JSON log that no record stands behind."""
    return JsonFormatter().format(logging.LogRecord(logger, level, "", 0, message, (), None))


def exception_text(error: BaseException | None) -> str:
    """The kinds of an exception and its causes, and the places in the code, without their values.

    A message often repeats what a client sent, so only that of an OSError is kept: it names files and codes.
    """
    lines: list[str] = []
    while error is not None:
        message = f": {error}" if isinstance(error, OSError) else ""
        frames = traceback.extract_tb(error.__traceback__)
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}{message}")
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)
