"""Log lines: for people as before, for programs one object each, and nothing in them that a client sent."""

import json
import logging
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from recsys.logs import JsonFormatter, TextFormatter, exception_text, json_line


def record(message: str, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("recsys.serving", level, "", 0, message, (), None)
    made.created = datetime(2026, 1, 31, 12, 0, 0, 5000, tzinfo=UTC).timestamp()
    made.__dict__.update(extra)
    return made


def test_a_json_line_has_time_level_logger_message_and_the_records_fields() -> None:
    line = JsonFormatter().format(
        record("two\nlines", logging.WARNING, correlation_id="r1", fields={"event_ids": ["e1"]})
    )
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-31T12:00:00.005Z",
        "level": "warning",
        "logger": "recsys.serving",
        "message": "two\nlines",
        "request_id": "r1",
        "event_ids": ["e1"],
    }


def test_a_line_for_people_says_what_is_worse_than_information() -> None:
    assert TextFormatter().format(record("done")) == "done"
    assert TextFormatter().format(record("disk", logging.WARNING)) == "warning: disk"


def test_a_line_without_a_record_has_the_same_form() -> None:
    found = json.loads(json_line(logging.ERROR, "recsys.cli", "wrong"))
    assert (found["level"], found["logger"], found["message"]) == ("error", "recsys.cli", "wrong")
    assert datetime.fromisoformat(found["time"]).tzinfo is not None


class Body(BaseModel):
    amount: int


def caught(kind: type[Exception]) -> Exception:
    try:
        try:
            Body.model_validate({"amount": "4111 1111 1111 1111"})
        except ValidationError as error:
            raise kind("the body was 4111 1111 1111 1111") from error
    except kind as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_exception_is_told_by_kind_and_place_without_what_the_client_sent(
    formatter: logging.Formatter,
) -> None:
    error = caught(ValueError)
    line = formatter.format(record("failed", exc_info=(ValueError, error, error.__traceback__)))
    assert "4111" not in line
    assert "builtins.ValueError" in line
    assert "ValidationError" in line, "its cause"
    assert "test_logs.py:" in line
    assert "caught" in line


def test_what_the_machine_refused_keeps_its_message() -> None:
    error = PermissionError(13, "Permission denied", "/home/shop/served")
    assert (
        exception_text(error) == "builtins.PermissionError: [Errno 13] Permission denied: '/home/shop/served'"
    )
