"""Which keys the rows of a view have, and when they expire."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from feast.infra.online_stores.helpers import compute_versioned_name

from recsys.stores.packed.layout import Layout, layout_of


@dataclass(frozen=True)
class PackedView:
    """A Feast view as the packed store sees it.

    Attributes:
        layout: where its features lie in a row.
        head: what all keys of its rows begin with.
        schema_key: the key that names the fingerprint of the schema that was written last.
        ttl_us: microseconds after its event timestamp a row expires; 0 = never.
    """

    layout: Layout
    head: bytes
    schema_key: bytes
    ttl_us: int

    @property
    def schema_head(self) -> bytes:
        """What the keys of all generations of its rows begin with."""
        return self.schema_key.removesuffix(b"schema") + self.layout.fingerprint.encode()

    def of_generation(self, number: int) -> "PackedView":
        """The same view with the keys of another generation; 0 is the first, see `generations.py`."""
        mark = b".%d" % number if number else b""
        return replace(self, head=self.schema_head + mark + b":{")

    def keys(self, entities: Iterable[bytes]) -> list[bytes]:
        """The key of each entity's row."""
        head = self.head
        return [head + entity + b"}" for entity in entities]

    def keys_of_texts(self, ids: Sequence[str]) -> list[bytes]:
        """`keys` of ids that are texts, three times as fast: one join, one encode, one split."""
        head = self.head.decode()
        keys = (head + f"}}\0{head}".join(ids) + "}").encode().split(b"\0")
        # An id with a zero byte has been cut, and no id at all has made one key.
        return keys if len(keys) == len(ids) else self.keys([each.encode() for each in ids])

    def oldest(self, now_us: int) -> int | None:
        """The earliest event timestamp that has not expired; None where rows never do."""
        return now_us - self.ttl_us if self.ttl_us else None


def packed_view(project: str, view: Any, versions: bool = False) -> PackedView:
    """A Feast view's layout and keys.

    Args:
        view: a Feast FeatureView.
        versions: whether the registry's `enable_online_feature_view_versioning` is on.
    """
    name = compute_versioned_name(view, versions)
    layout = layout_of(
        name,
        tuple((field.name, field.dtype.to_value_type().name) for field in view.entity_columns),
        tuple((field.name, field.dtype.to_value_type().name) for field in view.features),
    )
    ttl: timedelta | None = view.ttl
    ttl_us = int(ttl / timedelta(microseconds=1)) if ttl else 0
    head = f"{project}:{name}:"
    return PackedView(layout, f"{head}{layout.fingerprint}:{{".encode(), f"{head}schema".encode(), ttl_us)


def view_pattern(project: str, name: str) -> str:
    """A SCAN pattern of all rows of a view, whatever their schema."""
    return f"{_literal(project)}:{_literal(name)}:*"


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in text)
