"""Options that many commands have, and how their text is read."""

from datetime import datetime
from typing import Annotated

import typer

from recsys.config import Settings, load_settings
from recsys.errors import ConfigError, DataError
from recsys.instants import as_utc
from recsys.logs import LogFormat

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

TestFrom = Annotated[
    str | None,
    typer.Option(
        "--test-from",
        help="Where the test of a time-split begins, a day or an instant; it lasts evaluation.test_days and "
        "nothing after it is read. Default: evaluation.test_days before the end of the data.",
    ),
]

Log = Annotated[
    str | None, typer.Option(help="text, or json: one object a line on stderr. Default: the setting.")
]

Seen = Annotated[
    str | None,
    typer.Option(
        help="keep or remove what a user had before. Default: keep where repeats are normal in the shop."
    ),
]


_FORMATS: dict[str, LogFormat] = {"text": "text", "json": "json"}


def log_format(given: str | None) -> LogFormat:
    """How to log: as `--log` says, else as the settings do; `text` where they cannot be read.

    Raises:
        BadParameter: it is neither text nor json.
    """
    if given is None:
        try:
            return load_settings().log.format
        except ConfigError:
            return "text"  # the command itself says what is wrong, unless it needs no settings
    if given in _FORMATS:
        return _FORMATS[given]
    raise typer.BadParameter(f"{given!r} is neither text nor json", param_hint="--log")


def keep_seen(seen: str | None) -> bool | None:
    """Whether to keep what a user had before; None: as is normal in the shop.

    Raises:
        BadParameter: it is neither keep nor remove.
    """
    if seen not in (None, "keep", "remove"):
        raise typer.BadParameter(f"{seen!r} is neither keep nor remove", param_hint="--seen")
    return None if seen is None else seen == "keep"


def with_test_from(settings: Settings, test_from: str | None) -> Settings:
    """`settings` whose test begins at `test_from`, if that is given.

    Raises:
        DataError: it is not an instant.
    """
    if test_from is None:
        return settings
    start = parse_instant("--test-from", test_from)
    evaluation = settings.evaluation.model_copy(update={"test_from": start})
    return settings.model_copy(update={"evaluation": evaluation})


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
    return as_utc(instant)
