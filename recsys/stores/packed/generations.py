"""Generations of a view's rows: a replay builds a new one beside the one that is read, then all switch.

One key of Redis, the pointer, says which generation of each view is read and which is being built. Readers
get it in the same round trip as their rows and read again when it has changed; writers write to both, read it
afterwards, and write again when it has changed. So no reader sees a half-built generation, and no row that
is written during a replay is missing from the new one.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from recsys.stores.packed.commands import DELETE_KEYS, RETIRED_SECONDS
from recsys.stores.packed.rows import PackedView, view_pattern
from recsys.stores.redis.client import redis_errors

Numbers = Mapping[str, int]  # view -> generation; 0, the first one, is left out


@dataclass(frozen=True)
class Generations:
    """What the pointer said when it was last looked at.

    Attributes:
        raw: its value; None = every view has its first generation.
        current: generations that are read.
        building: generations that are being built beside them.
    """

    raw: bytes | None = None
    current: Numbers = field(default_factory=dict)
    building: Numbers = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes | None) -> "Generations":
        """The generations of the pointer's value."""
        if raw is None:
            return cls()
        values = json.loads(raw)
        return cls(raw, values["current"], values["building"])

    def encoded(self) -> bytes:
        """The value of the pointer that says this."""
        return json.dumps({"current": dict(self.current), "building": dict(self.building)}).encode()

    def reading(self, view: PackedView) -> PackedView:
        """`view` with the keys of the generation that is read."""
        return view.of_generation(self.current.get(view.layout.view, 0))

    def keys(self, project: str, requests: Sequence[tuple[PackedView, list[bytes]]]) -> list[bytes]:
        """The pointer's key, then those of these entities' rows."""
        rows = [key for view, entities in requests for key in self.reading(view).keys(entities)]
        return [pointer_key(project), *rows]

    def writing(self, view: PackedView) -> list[PackedView]:
        """The same for each generation that must get a new row."""
        return [self.reading(view), *self.shadow(view)]

    def shadow(self, view: PackedView) -> list[PackedView]:
        """The same for the generation that is being built, if one is."""
        name = view.layout.view
        return [view.of_generation(self.building[name])] if name in self.building else []


def pointer_key(project: str) -> bytes:
    """The key of a project's pointer."""
    return f"{project}:generations".encode()


def read_generations(client: Any, project: str) -> Generations:
    """What the pointer says now."""
    with redis_errors("read the generations"):
        return Generations.parse(client.get(pointer_key(project)))


def begin_generation(client: Any, project: str, views: Collection[str]) -> Generations:
    """Begins a new generation of these views, in place of one that was begun and never finished.

    From now on every writer writes to it as well. One replay at a time may do this.
    """
    before = read_generations(client, project)
    number = 1 + max([0, *before.current.values(), *before.building.values()])
    return _point(client, project, replace(before, building=dict.fromkeys(views, number)))


def switch_generation(client: Any, project: str) -> Generations:
    """All readers read what was built, from their next request on."""
    before = read_generations(client, project)
    return _point(client, project, Generations(None, {**before.current, **before.building}))


def abandon_generation(client: Any, project: str) -> None:
    """Ends the writing to what was being built."""
    _point(client, project, replace(read_generations(client, project), building={}))


def retire_generations(client: Any, project: str, views: Collection[PackedView]) -> int:
    """Lets the rows of other generations of these views go after a day; returns how many that are."""
    now = read_generations(client, project)
    retired = 0
    with redis_errors("retire earlier generations"), client.pipeline(transaction=False) as pipe:
        for view in views:
            kept = tuple(each.head for each in now.writing(view))
            for key in client.scan_iter(view_pattern(project, view.layout.view), count=DELETE_KEYS):
                if key != view.schema_key and not key.startswith(kept):
                    pipe.expire(key, RETIRED_SECONDS, nx=True)
                    retired += 1
                    if retired % DELETE_KEYS == 0:
                        pipe.execute()
        pipe.execute()
    return retired


def _point(client: Any, project: str, generations: Generations) -> Generations:
    raw = generations.encoded()
    with redis_errors("write the generations"):
        client.set(pointer_key(project), raw)
    return replace(generations, raw=raw)
