"""One search on its way."""

from dataclasses import dataclass
from datetime import datetime

from recsys.arrays import BoolArray, FloatArray
from recsys.funnel.merchandising import AppliedRules
from recsys.funnel.online_features import Profile
from recsys.search.matching import Matched, Meaning
from recsys.search.relevance.first_stage import FirstStageEvidence
from recsys.search.requests import SearchRequest
from recsys.search.understanding.understand import UnderstoodQuery


@dataclass(frozen=True)
class Course:
    """One request on its way.

    Attributes:
        allowed: (N + 1,) what filters, stock and rules let pass.
        vector: (E,) of the query; None where nothing is known of its meaning.
        near: what is near in meaning; None where nothing is known of it.
        evidence: how the items of M match.
        rules: what the shop's rules do.
        degraded: what is not as it should be.
    """

    request: SearchRequest
    now: datetime
    understood: UnderstoodQuery
    allowed: BoolArray
    vector: FloatArray | None
    near: Meaning | None
    matched: Matched
    evidence: FirstStageEvidence
    profile: Profile
    rules: AppliedRules
    degraded: tuple[str, ...]
