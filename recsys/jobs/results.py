"""What jobs return."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]


class JobResult(Protocol):
    """A frozen dataclass that knows its own JSON document."""

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        ...
