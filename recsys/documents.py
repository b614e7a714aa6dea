"""The type of a JSON object at a border: printed, sent, or kept in a file, and read as plain data."""

from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]
