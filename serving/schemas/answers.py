"""What routes answer with, as OpenAPI shows it.

The funnel's dataclasses are sent as they are. Their descriptions are made from them, so that an answer and
its description cannot differ; what a field's metadata says of it is shown there.
"""

from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, create_model

from recsys.funnel.slate import (
    FeatureStatus,
    HistoryEntry,
    ItemDetails,
    Reason,
    Slate,
    SlateItem,
    ViewStatus,
)
from recsys.streaming.intake import EventResult
from serving.events.collector import Collected

_MODELS: dict[Any, type[BaseModel]] = {}  # dataclass -> its description, for those that hold others


def answer_model(name: str, of: type, doc: str | None = None) -> type[BaseModel]:
    """The description `name` of the dataclass `of`; those that it holds have to be described before."""
    hints = get_type_hints(of)
    described: dict[str, Any] = {
        field.name: (_described(hints[field.name]), Field(description=field.metadata.get("description")))
        for field in fields(of)
    }
    _MODELS[of] = create_model(name, __doc__=doc, **described)
    return _MODELS[of]


def _described(annotation: Any) -> Any:
    """`annotation` as JSON has it: descriptions in the places of dataclasses, lists in those of tuples."""
    if annotation in _MODELS:
        return _MODELS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    inner = tuple(_described(argument) for argument in arguments)
    if origin is tuple:
        return list[inner[0]]  # type: ignore[valid-type]  # they are all of one type and any length
    return annotation if inner == arguments or origin is None else origin[inner]


ReasonAnswer = answer_model("ReasonAnswer", Reason)
SlateItemAnswer = answer_model("SlateItemAnswer", SlateItem)
ViewAnswer = answer_model("ViewAnswer", ViewStatus)
FeaturesAnswer = answer_model("FeaturesAnswer", FeatureStatus)
SlateAnswer = answer_model("SlateAnswer", Slate, "An ordered slate and what it was made from.")
ItemAnswer = answer_model("ItemAnswer", ItemDetails, "One item: the catalog's facts and the online store's.")
HistoryEntryAnswer = answer_model("HistoryEntryAnswer", HistoryEntry)
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


class HistoryAnswer(BaseModel):
    """A user's last actions, the latest first."""

    user_id: str
    entries: list[HistoryEntryAnswer]  # type: ignore[valid-type]


class LivenessAnswer(BaseModel):
    """That the process runs; nothing else is looked at."""

    status: Literal["ok"]
    bundle_id: None = None


class ProblemAnswer(BaseModel):
    """Something that is wrong, the values that tell it, and what to do."""

    code: str
    message: str
    detail: str
    remedy: str


class HealthAnswer(BaseModel):
    """That useful answers are given, and what is wrong all the same.

    Without the key, where one is set, it has the codes of the problems alone.
    """

    status: Literal["ok"]
    bundle_id: str | None = None
    problems: list[str]
    details: list[ProblemAnswer] | None = None
    no_ranker: str | None = None


class ErrorDetail(BaseModel):
    """What went wrong, and what helps."""

    code: str
    message: str
    remedy: str | None = None
    request_id: str


class ErrorAnswer(BaseModel):
    """Every answer of 400 and above."""

    error: ErrorDetail
