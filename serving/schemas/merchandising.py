"""Rules and synonyms over HTTP: the bodies, and what the routes answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from recsys.documents import JsonObject
from recsys.jobs.search.rule_admin import Changed
from recsys.rules.document_fields import MAX_NAME
from recsys.rules.rule import SURFACES
from recsys.rules.rule_documents import MAX_ACTIONS
from recsys.rules.synonym_rows import DEFAULT_WEIGHT, MAX_SYNONYMS, MAX_TERMS
from serving.schemas.answers import answer_model
from serving.schemas.recommendations import Body, Name

EntryName = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
Term = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_ENABLED = "whether it counts"


class RuleBody(Body):
    """A rule without its id, which the path has; docs/rules.md says what conditions and actions there are."""

    name: Name | None = Field(None, description="for people; default: the id")
    enabled: bool = Field(True, description=_ENABLED)
    surfaces: list[Literal[SURFACES]] = Field(  # type: ignore[valid-type]  # they are listed there
        [], description="where it counts; empty: everywhere"
    )
    priority: int = Field(0, ge=-1000, le=1000, description="higher is stronger")
    when: dict[str, Any] = Field({}, description="conditions that all have to hold; empty: always")
    do: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_ACTIONS, description="actions")

    def to_document(self, rule_id: str) -> JsonObject:
        """The document of the rule."""
        return {"id": rule_id, **self.model_dump(exclude_none=True)}


class SynonymBody(Body):
    """One entry of a set: a query that has one of `left` finds what has one of `right` too."""

    left: list[Term] = Field(min_length=1, max_length=MAX_TERMS, description="words or phrases")
    right: list[Term] = Field(min_length=1, max_length=MAX_TERMS, description="what they find too")
    two_way: bool = Field(True, description="whether `right` finds `left` as well")
    weight: float = Field(DEFAULT_WEIGHT, gt=0, lt=1, description="beside the word itself, which is 1")


class SynonymSetBody(Body):
    """A set of synonyms without its name, which the path has."""

    language: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = Field(
        None, description="that it is for, as en or zh; for people"
    )
    enabled: bool = Field(True, description=f"{_ENABLED}; true needs force=true, as no query set is asked")
    synonyms: list[SynonymBody] = Field(min_length=1, max_length=MAX_SYNONYMS, description="its entries")

    def to_document(self, name: str) -> JsonObject:
        """The document of the set."""
        return {"name": name, **self.model_dump(exclude_none=True)}


ChangedAnswer = answer_model("ChangedAnswer", Changed, "What a change left in force.")
_VERSION = "of this entry, from 1"


class RuleAnswer(BaseModel):
    """A rule as it is stored."""

    id: str = Field(description="its id")
    name: str = Field(description="for people")
    enabled: bool = Field(description=_ENABLED)
    surfaces: list[str] = Field(description="where it counts; empty: everywhere")
    priority: int = Field(description="higher is stronger")
    when: dict[str, Any] = Field(description="conditions that all have to hold")
    do: list[dict[str, Any]] = Field(description="actions")
    version: int = Field(description=_VERSION)


class RulesAnswer(BaseModel):
    """All rules."""

    version: int = Field(description="of the whole set")
    rules: list[RuleAnswer] = Field(description="by their ids")


class SynonymAnswer(BaseModel):
    """One entry of a set."""

    left: list[str] = Field(description="words or phrases")
    right: list[str] = Field(description="what they find too")
    two_way: bool = Field(description="whether `right` finds `left` as well")
    weight: float = Field(description="beside the word itself, which is 1")


class SynonymSetAnswer(BaseModel):
    """A set of synonyms as it is stored."""

    name: str = Field(description="its name")
    language: str | None = Field(None, description="that it is for; absent where it is for any")
    enabled: bool = Field(description=_ENABLED)
    synonyms: list[SynonymAnswer] = Field(description="its entries")
    version: int = Field(description=_VERSION)


class SynonymSetsAnswer(BaseModel):
    """All sets of synonyms."""

    version: int = Field(description="of the whole set of rules and synonyms")
    synonym_sets: list[SynonymSetAnswer] = Field(description="by their names")


_RULE = {
    "name": "Pasta in summer",
    "surfaces": ["search"],
    "when": {"query_contains": ["pasta"]},
    "do": [{"action": "boost", "factor": 2.0, "filters": {"brands": ["National"]}}],
}
_SYNONYMS = {"enabled": False, "synonyms": [{"left": ["soda"], "right": ["soft drink"], "weight": 0.7}]}
RULE_EXAMPLES: dict[str, Any] = {"a boost": {"value": _RULE}}
SYNONYM_EXAMPLES: dict[str, Any] = {"a set to be checked": {"value": _SYNONYMS}}
RULE_ID_EXAMPLES: dict[str, Any] = {"a rule": {"value": "summer-pasta"}}
SET_NAME_EXAMPLES: dict[str, Any] = {"a set": {"value": "english"}}
FORCE_EXAMPLES: dict[str, Any] = {"not checked": {"value": False}}
CHANGED = {"version": 7, "entry_version": 1}
REMOVED = {"version": 8, "entry_version": None}
RULES = {
    "version": 7,
    "rules": [{"id": "summer-pasta", "enabled": True, "priority": 0, **_RULE, "version": 1}],
}
SYNONYM_SET = {
    "name": "english",
    "enabled": False,
    "synonyms": [{"left": ["soda"], "right": ["soft drink"], "two_way": True, "weight": 0.7}],
    "version": 1,
}
SYNONYM_SETS = {"version": 7, "synonym_sets": [SYNONYM_SET]}
