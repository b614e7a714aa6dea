"""What jobs return."""

from typing import Protocol

from recsys.documents import JsonObject


class JobResult(Protocol):
    """A frozen dataclass that knows its own JSON document."""

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        ...
