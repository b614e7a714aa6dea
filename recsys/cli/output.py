"""What a command prints: results on stdout as a table or one JSON document, progress and logs on stderr."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from recsys.documents import JsonObject
from recsys.logs import LogFormat, json_line, log_formatter

LINE_SECONDS = 30.0  # between lines of a long stage, where there is no terminal


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, default=_plain, ensure_ascii=False) + "\n")


def print_rows(
    rows: Sequence[JsonObject], *, as_json: bool, title: str | None = None, strong: str | None = None
) -> None:
    """`rows` as a table for people, or as a JSON list.

    Args:
        strong: the rows that begin with this are bold in the table.
    """
    if as_json:
        print_json(list(rows))
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, justify="right" if _numeric(rows, name) else "left", overflow="fold")
    for row in rows:
        cells = [_text(value) for value in row.values()]
        # As Text, or rich takes a word in brackets for markup.
        table.add_row(*map(Text, cells), style="bold" if cells[0] == strong else None)
    _console().print(table if rows else "nothing to show")


def print_facts(facts: JsonObject, *, as_json: bool, title: str | None = None) -> None:
    """`facts` as two columns for people, or as a JSON object."""
    if as_json:
        print_json(dict(facts))
    else:
        print_rows([{"name": k, "value": _text(v)} for k, v in facts.items()], as_json=False, title=title)


_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}
_format: list[LogFormat] = ["text"]  # of this process; the last line comes when its command has ended


def current_log_format() -> LogFormat:
    """How this process logs."""
    return _format[0]


def note(message: str) -> None:
    """One line for people on stderr; with `--log json` an object, its level by the first word."""
    if _format[0] == "json":
        word, colon, rest = message.partition(": ")
        level = _LEVELS.get(word) if colon else None
        message = json_line(level or logging.INFO, "recsys.cli", rest if level else message)
    _write(message)


@contextmanager
def log_to_stderr(form: LogFormat = "text") -> Iterator[None]:
    """Prints what jobs log, INFO and up, as notes: the one place where the command line meets `logging`."""
    logger, handler = logging.getLogger("recsys"), _NoteHandler()
    set_log_format(form)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def set_log_format(form: LogFormat) -> None:
    """Logs in this form from now on."""
    _format[0] = form


class _NoteHandler(logging.Handler):
    """A record is one line."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(log_formatter(_format[0]).format(record))


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def bars(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, or lines where that is no terminal. A `Progress`."""
    console = Console(stderr=True)
    if not console.is_terminal or _format[0] == "json":
        with _lines(label, total) as advance:
            yield advance
        return
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console) as progress:
        task = progress.add_task(label, total=total)
        yield lambda steps: progress.advance(task, steps)


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A line when a stage begins and one when it ends, with its seconds; between them one now and then."""
    begun = said_at = time.monotonic()
    done = 0

    def advance(steps: int) -> None:
        nonlocal said_at, done
        done += steps
        now = time.monotonic()
        if now - said_at >= LINE_SECONDS:
            said_at = now
            note(f"{label}: {done}{f' of {total}' if total else ''} after {now - begun:.0f} s")

    note(f"{label}: begins")
    try:
        yield advance
    except BaseException:
        note(f"{label}: stopped after {time.monotonic() - begun:.1f} s")
        raise
    note(f"{label}: done in {time.monotonic() - begun:.1f} s")


def _console() -> Console:
    # A pipe has no width: do not fold a table that a program or a log will read.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _numeric(rows: Sequence[JsonObject], name: str) -> bool:
    return all(isinstance(row.get(name), int | float | None) for row in rows)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(_plain(value)) if isinstance(value, datetime | Path) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    return str(value)
