"""Mappings that grow, as versions that share what was there before."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
MOST_RECENT = 4096  # keys that are copied with each version, until they join the others


class GrownMapping(Mapping[Key, Value]):
    """An immutable mapping; another with more keys costs the recent ones, whatever the number of all.

    >>> known = GrownMapping.of({"pot": 1})
    >>> dict(known.with_items({"pan": 2})), dict(known)
    ({'pot': 1, 'pan': 2}, {'pot': 1})
    """

    __slots__ = ("_recent", "_settled")

    def __init__(self, settled: dict[Key, Value], recent: dict[Key, Value]) -> None:
        """Use `of`, or `with_items` of another."""
        self._settled, self._recent = settled, recent

    @classmethod
    def of(cls, known: Mapping[Key, Value]) -> "GrownMapping[Key, Value]":
        """That of `known`; itself, if it is one."""
        return known if isinstance(known, GrownMapping) else cls(dict(known), {})

    def with_items(self, more: Mapping[Key, Value]) -> "GrownMapping[Key, Value]":
        """This with the keys of `more` behind its own; none of them is known."""
        recent = {**self._recent, **more}
        if len(recent) > MOST_RECENT:
            return GrownMapping({**self._settled, **recent}, {})
        return GrownMapping(self._settled, recent)

    def values_of(self, keys: Iterable[Key], missing: Value) -> list[Value]:
        """The value of each of `keys`, `missing` for those that are not there; quicker than one by one."""
        settled, recent = self._settled, self._recent
        if not recent:
            return [settled.get(key, missing) for key in keys]
        return [settled[key] if key in settled else recent.get(key, missing) for key in keys]

    def get(self, key: Key, default: Any = None) -> Any:
        """The value of `key`, `default` if it is not there."""
        return self._settled[key] if key in self._settled else self._recent.get(key, default)

    def __getitem__(self, key: Key) -> Value:
        return self._settled[key] if key in self._settled else self._recent[key]

    def __len__(self) -> int:
        return len(self._settled) + len(self._recent)

    def __iter__(self) -> Iterator[Key]:
        return chain(self._settled, self._recent)

    def __contains__(self, key: object) -> bool:
        return key in self._settled or key in self._recent
