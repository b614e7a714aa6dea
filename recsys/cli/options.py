"""Options that many commands have, and how their text is read."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from recsys.errors import DataError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def parse_instant(option: str, text: str) -> datetime:
    """The instant that `text` names, aware; one without a zone is UTC.

    Raises:
        DataError: it is not an ISO 8601 instant; `option` is the one that was given so.

    >>> parse_instant("--now", "2026-01-31").isoformat()
    '2026-01-31T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(
            f"{option} {text!r} is not an ISO 8601 instant. Write 2026-01-31T12:00:00Z."
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
