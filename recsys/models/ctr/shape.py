"""The sizes that a click-through network is built with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError, ConfigError


@dataclass(frozen=True)
class CtrShape:
    """What a network reads and how wide it is.

    Attributes:
        numbers: F dense features, by name. logarithm: those of them that are read as sign(x) log(1 + |x|).
        categories: of each categorical feature its name and the number of its codes, 0 = unknown included.
        items: N. vector: D, the width of P_u and P_m. query: Q, 0 = no queries.
        kinds: codes of actions in a history, 0 = padding included. history: L.
        surfaces, slots: S and P of the examination; slots = 0: every item is sure to be looked at.
        width: E, of an embedding. heads: of the attention. crosses: cross layers. rank: of each of them.
        hidden: widths of the layers beside the crosses.
        conversion: whether there is a second head.
    """

    numbers: tuple[str, ...]
    categories: tuple[tuple[str, int], ...]
    items: int
    vector: int
    kinds: int
    history: int
    logarithm: tuple[str, ...] = ()
    query: int = 0
    surfaces: int = 1
    slots: int = 0
    width: int = 16
    heads: int = 2
    crosses: int = 2
    rank: int = 32
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.1
    conversion: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError where a size makes no network."""
        for name in ("vector", "surfaces", "width", "heads", "rank"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a click model must be 1 or more (got {getattr(self, name)}).")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}.")
        if odd := sorted(set(self.logarithm) - set(self.numbers)):
            raise ConfigError(f"logarithm names features that are not among numbers: {', '.join(odd)}.")

    def describe(self) -> JsonObject:
        """As JSON; `rebuild` reads it back."""
        return asdict(self)

    @classmethod
    def rebuild(cls, description: Mapping[str, Any]) -> "CtrShape":
        """The shape that `describe` wrote.

        Raises:
            ArtifactMismatchError: it is of another version.
        """
        known = dict(description)
        try:
            for name in ("numbers", "logarithm", "hidden"):
                known[name] = tuple(known[name])
            known["categories"] = tuple((name, int(size)) for name, size in known["categories"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactMismatchError(
                f"The click model's description is not of this version: {error}. Train it again."
            ) from error
