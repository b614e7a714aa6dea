"""Reads the log of answers back: answers of this version and of those before, and what the log lacks."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import orjson

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.funnel.served_answer import SEARCH, ServedAnswer, answer_of_line
from recsys.search.understanding.parts import SPACING, SPELLING
from recsys.stores.served.answer_log import ANSWERS, LOST, LostAnswers, lost_of_line
from recsys.stores.served.rotating_log import log_files


def read_answers(folder: Path) -> Iterator[ServedAnswer]:
    """Every answer in the log, in the order of writing; lines that are none are left out.

    Raises:
        DataError: a file cannot be read.
    """
    for line in answer_lines(folder):
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            yield answer_of_line(line)


def read_corrected_searches(folder: Path) -> frozenset[str]:
    """query_id and request_id of searches that looked for other words than were typed.

    A click on what they found does not say that the words were right as they were.

    Raises:
        DataError: a file cannot be read.
    """
    return frozenset(
        name
        for answer in read_answers(folder)
        if answer.kind == SEARCH and not {SPELLING, SPACING}.isdisjoint(answer.rewriters)
        for name in (answer.query_id, answer.request_id)
        if name is not None
    )


def read_lost_answers(folder: Path, start: datetime, end: datetime) -> LostAnswers:
    """What the log says that it lacks of [start, end): the sum of its lines that reach into that time.

    0 and 0 mean that every answer was written that a process had time to write: one that was killed takes
    what waited with it, half a second's answers at most. Lines older than the oldest file are gone.

    Raises:
        DataError: a file cannot be read.
    """
    dropped = left_out = 0
    for line in answer_lines(folder, lost=True):
        with suppress(ValueError, TypeError, KeyError):
            lost = lost_of_line(line)
            if lost.since < end and lost.at >= start:
                dropped += lost.dropped
                left_out += lost.left_out
    return LostAnswers(start, end, dropped, left_out)


def answer_lines(folder: Path, lost: bool = False) -> Iterator[JsonObject]:
    """The log's lines as objects, the oldest first: answers, or what was `lost`. No line is damaged.

    Raises:
        DataError: a file cannot be read.
    """
    for file in log_files(folder, ANSWERS):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # the log rotates while we read
            continue
        except OSError as error:
            raise DataError(
                f"{file} cannot be read: {error.strerror}. Give this account the right to."
            ) from error
        for text in content.splitlines():
            with suppress(ValueError):
                line = orjson.loads(text)
                if isinstance(line, dict) and (line.get("kind") == LOST) == lost:
                    yield line
