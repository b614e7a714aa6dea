"""What routes answer with, as OpenAPI shows it.

The funnel's dataclasses are sent as they are. Their descriptions are made from them, so that an answer and
its description cannot differ; what a field's metadata says of it is shown there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, create_model

from recsys import columns
from recsys.funnel.candidates import SOURCES
from recsys.funnel.explanation import REASON_CODES
from recsys.funnel.slate import (
    DEGRADATIONS,
    FeatureStatus,
    HistoryEntry,
    ItemDetails,
    Reason,
    Slate,
    SlateItem,
    ViewStatus,
)
from recsys.health.problems import PROBLEM_KINDS
from recsys.rules.effects import OUTCOMES, FiredRule
from recsys.rules.rule import ACTIONS
from recsys.search.answer import FOUND_BY, NOT_PERSONALISED, SEARCH_DEGRADATIONS, SearchAnswer, SearchItem
from recsys.search.facets import Facet, FacetRange, FacetValue
from recsys.search.highlight import FieldMatch
from recsys.search.requests import SORTS
from recsys.search.suggestions.answer import SuggestAnswer, SuggestedCategory, SuggestedItem, SuggestedQuery
from recsys.search.understanding.parts import REWRITERS, Rewrite
from recsys.streaming.intake import EventResult
from serving.errors import error_codes
from serving.events.collector import Collected

_MODELS: dict[Any, type[BaseModel]] = {}  # dataclass -> its description, for those that hold others
_NO_VALUES: Mapping[str, Sequence[str]] = {}


def answer_model(
    name: str, of: type, doc: str | None = None, values: Mapping[str, Sequence[str]] = _NO_VALUES
) -> type[BaseModel]:
    """The description `name` of the dataclass `of`; those that it holds have to be described before.

    Args:
        values: field -> all values that it, or each of its parts, may have.
    """
    hints = get_type_hints(of)
    described: dict[str, Any] = {
        field.name: (
            _described(_closed(hints[field.name], values.get(field.name))),
            Field(description=field.metadata.get("description")),
        )
        for field in fields(of)
    }
    _MODELS[of] = create_model(name, __doc__=doc, **described)
    return _MODELS[of]


def _closed(annotation: Any, values: Sequence[str] | None) -> Any:
    """`annotation`, a text or a tuple of texts, as an enumeration of `values`."""
    if values is None:
        return annotation
    one = Literal[tuple(values)]  # type: ignore[valid-type]  # which they are is known at run time
    return one if annotation is str else tuple[one, ...]  # type: ignore[valid-type]


def _described(annotation: Any) -> Any:
    """`annotation` as JSON has it: descriptions in the places of dataclasses, lists in those of tuples."""
    if annotation in _MODELS:
        return _MODELS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    inner = tuple(_described(argument) for argument in arguments)
    if origin is tuple:
        return list[inner[0]]  # type: ignore[valid-type]  # they are all of one type and any length
    if origin in (Union, UnionType):
        return reduce(or_, inner)
    return annotation if inner == arguments or origin is None else origin[inner]


_DEGRADED = {"degraded": (*DEGRADATIONS, *(kind.code for kind in PROBLEM_KINDS if kind.degrades))}

ReasonAnswer = answer_model("ReasonAnswer", Reason, "Why an item is on the slate.", {"code": REASON_CODES})
SlateItemAnswer = answer_model("SlateItemAnswer", SlateItem, "One place of the slate.", {"source": SOURCES})
ViewAnswer = answer_model(
    "ViewAnswer", ViewStatus, "The rows of one feature view that a slate was made from."
)
FeaturesAnswer = answer_model(
    "FeaturesAnswer", FeatureStatus, "How fresh the online features of a slate were."
)
FiredRuleAnswer = answer_model(
    "FiredRuleAnswer",
    FiredRule,
    "One action of a rule of the shop that fired.",
    {"action": ACTIONS, "outcome": OUTCOMES},
)
SlateAnswer = answer_model("SlateAnswer", Slate, "An ordered slate and what it was made from.", _DEGRADED)
ItemAnswer = answer_model(
    "ItemAnswer", ItemDetails, "One item: the catalog's facts and the online store's.", _DEGRADED
)
HistoryEntryAnswer = answer_model(
    "HistoryEntryAnswer", HistoryEntry, "One action of a user.", {"kind": columns.ACTION_KINDS}
)
VerdictAnswer = answer_model(
    "VerdictAnswer",
    EventResult,
    "A row that was refused, or that was accepted under an id which the service made.",
)
CollectedAnswer = answer_model(
    "CollectedAnswer",
    Collected,
    "What became of a body of events; rows without a verdict were accepted as they were.",
)


RewriteAnswer = answer_model(
    "RewriteAnswer", Rewrite, "What a rewriter made of the query.", {"name": REWRITERS}
)
FieldMatchAnswer = answer_model("FieldMatchAnswer", FieldMatch, "What of a query one field holds.")
FacetValueAnswer = answer_model("FacetValueAnswer", FacetValue, "One value of a facet.")
FacetRangeAnswer = answer_model("FacetRangeAnswer", FacetRange, "One range of a numeric facet.")
FacetAnswer = answer_model("FacetAnswer", Facet, "The values of one field among what was found.")
SearchItemAnswer = answer_model(
    "SearchItemAnswer", SearchItem, "One product on the page, by its best variant.", {"found_by": FOUND_BY}
)
SearchPageAnswer = answer_model(
    "SearchPageAnswer",
    SearchAnswer,
    "A page of products, how many there are, and how the answer came about.",
    {"degraded": (*_DEGRADED["degraded"], *SEARCH_DEGRADATIONS), "sort": SORTS},
)


SuggestedQueryAnswer = answer_model(
    "SuggestedQueryAnswer", SuggestedQuery, "A query to search for.", {"origin": ("yours", "popular")}
)
SuggestedCategoryAnswer = answer_model("SuggestedCategoryAnswer", SuggestedCategory, "A category to go to.")
SuggestedItemAnswer = answer_model("SuggestedItemAnswer", SuggestedItem, "An item that may be meant.")
SuggestionsAnswer = answer_model(
    "SuggestionsAnswer", SuggestAnswer, "The best first in each list.", {"degraded": (NOT_PERSONALISED,)}
)


class HistoryAnswer(BaseModel):
    """A user's last actions, the latest first."""

    user_id: str = Field(description="as it was asked for")
    entries: list[HistoryEntryAnswer] = Field(  # type: ignore[valid-type]
        description="the latest first; empty for an unknown user"
    )


class LivenessAnswer(BaseModel):
    """That the process runs; nothing else is looked at."""

    status: Literal["ok"] = Field(description="always ok")
    bundle_id: None = Field(None, description="always null; see /readyz")


class ProblemAnswer(BaseModel):
    """Something that is wrong, the values that tell it, and what to do."""

    code: str = Field(description="what kind of problem it is; docs/operations.md lists them")
    message: str = Field(description="what it means")
    detail: str = Field(description="the values that tell it")
    remedy: str = Field(description="what helps")


class HealthAnswer(BaseModel):
    """That useful answers are given, and what is wrong all the same.

    Without the key, where one is set, it has the codes of the problems alone.
    """

    status: Literal["ok"] = Field(description="always ok with status 200")
    bundle_id: str | None = Field(None, description="the bundle that serves; null without the key")
    problems: list[str] = Field(description="codes of what is wrong now; empty on a good day")
    details: list[ProblemAnswer] | None = Field(None, description="the same with values; only with the key")
    no_ranker: str | None = Field(None, description="why the bundle has no ranker; absent where it has one")


class ErrorDetail(BaseModel):
    """What went wrong, and what helps."""

    code: Literal[error_codes()] = Field(  # type: ignore[valid-type]  # the codes are collected there
        description="what kind of error it is; stable"
    )
    message: str = Field(description="what was wrong, with its value")
    remedy: str | None = Field(None, description="what helps, where the message does not say it")
    request_id: str = Field(description="as X-Request-ID; the service's log has it with its own faults")


class ErrorAnswer(BaseModel):
    """Every answer of 400 and above, and a row of a batch that failed."""

    error: ErrorDetail = Field(description="what went wrong, and what helps")


RowAnswer: TypeAlias = SlateAnswer | ErrorAnswer  # type: ignore[valid-type]


class BatchAnswer(BaseModel):
    """What each row of a batch is answered, in their order."""

    responses: list[RowAnswer] = Field(description="a slate or an error for each row, in their order")
