"""One search on its way, and what it needs of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recsys.arrays import BoolArray, FloatArray
from recsys.filters import Filters
from recsys.funnel.online_features import Profile
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.search.answer import Rewrite
from recsys.search.first_stage import Evidence
from recsys.search.matching import Matched, Meaning
from recsys.search.requests import SearchRequest


class QueryVectors(Protocol):
    """Queries as vectors of the encoder that the items' texts were encoded by.

    Raises:
        StoreUnavailableError: it is away or late.
    """

    def encode(self, query: str) -> FloatArray:
        """(E,) unit vector."""
        ...


class Understood(Protocol):
    """What was made of a query."""

    @property
    def query(self) -> LexicalQuery:
        """Its word groups."""
        ...

    @property
    def rewritten(self) -> str:
        """What is searched for."""
        ...

    @property
    def rewrites(self) -> Sequence[Rewrite]:
        """What changed it, in order."""
        ...

    @property
    def filters(self) -> Filters:
        """What it says of prices and the like."""
        ...


class Understanding(Protocol):
    """Makes word groups of what was typed."""

    def understand(self, query: str, without: frozenset[str]) -> Understood:
        """`query` by all rewriters but those named in `without`."""
        ...


@dataclass(frozen=True)
class Course:
    """One request on its way.

    Attributes:
        allowed: (N + 1,) what filters, stock and rules let pass.
        near: what is near in meaning; None where nothing is known of it.
        evidence: how the items of M match.
        degraded: what is not as it should be.
    """

    request: SearchRequest
    now: datetime
    understood: Understood
    allowed: BoolArray
    near: Meaning | None
    matched: Matched
    evidence: Evidence
    profile: Profile
    degraded: tuple[str, ...]
