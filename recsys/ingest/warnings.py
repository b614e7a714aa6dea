"""What an import noticed and did anyway: one message each, in the report and in the log."""

import logging
from dataclasses import asdict, dataclass

from recsys.documents import JsonObject

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportWarning:
    """One thing that a person should look at.

    Attributes:
        code: what kind of thing, in snake case, such as `ids_do_not_meet`.
        message: what was seen, with the value, and what to do about it.
    """

    code: str
    message: str


class ImportWarnings:
    """The warnings of one import, in the order in which they came, each once."""

    def __init__(self) -> None:
        self._found: dict[ImportWarning, None] = {}

    def add(self, code: str, message: str) -> None:
        """Notes that something should be looked at; the import goes on."""
        self._found.setdefault(ImportWarning(code, message))

    def log(self) -> None:
        """Logs each warning as one line."""
        for warning in self._found:
            _logger.warning("%s", warning.message)

    def to_json(self) -> list[JsonObject]:
        """What report.json says under `warnings`."""
        return [asdict(warning) for warning in self._found]
