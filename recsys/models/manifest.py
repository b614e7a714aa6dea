"""What a bundle says of itself; no network is needed to read it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from recsys.config import EvaluationSettings
from recsys.models.orders import OrderChoice
from recsys.models.vector_names import vectors_of

BUNDLE_FORMAT = 2
SEARCH_ONLY = "the bundle is for search only, so nothing was learned of what users do"  # as `no_ranker`
NO_CLOCK = "the data has an order but no clock, so no feature is known at an instant"  # as `no_ranker`
_HELD_OUT = ("test_days", "validation_days", "test_from")


class Manifest(BaseModel):
    """What a bundle is, in words and numbers; written as manifest.json.

    Attributes:
        services: FeatureService name -> schema hash (see `recsys.stores.features.offline.schema_hash`).
        protocol: the split that the training data ended with: `leave-one-out`, `time-split` or `all`.
        data_start: first event used. data_end: last event used.
        repeats: whether items that a user already had may be recommended again by default.
        settings: the sections of the configuration that the models were built with.
        text_precision: of the items' text vectors: `float32`, `bfloat16` or `int8`; unknown of bundles of
            earlier versions, which had no int8.
        parent: the bundle that training went on from, None where it began anew.
        trained_until: last event that the retriever learned from.
        orders: kind of request -> what its candidates are ordered by and why; empty in bundles of earlier
            versions.
        shown_labels: what counted as a click of what the service had shown: `click`; `view` or `purchase`
            (carts too) where the shop reported no clicks of it; None = nothing was learned from it.
        no_ranker: why there is none, where there is none; unknown of bundles of earlier versions.
        no_click_model: why there is none, where there is none; unknown of bundles of earlier versions.
        search_only: whether it was made of the catalog alone: its network is not trained, users get what
            their context and popularity say. The instants of its data are those of the import then.
        files: file name -> SHA-256 hex digest.
    """

    # A metric of nothing is NaN, which JSON lacks: written as text, read back as a number.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    bundle_id: str
    format: int = BUNDLE_FORMAT
    created_at: datetime
    dataset: str
    protocol: str
    repeats: bool
    services: dict[str, str]
    data_start: datetime
    data_end: datetime
    users: int
    items: int
    encoder: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    git_revision: str | None = None
    parent: str | None = None
    trained_until: datetime | None = None
    orders: dict[str, OrderChoice] = {}
    shown_labels: str | None = None
    no_ranker: str | None = None
    no_click_model: str | None = None
    search_only: bool = False
    text_precision: str | None = None
    files: dict[str, str] = {}

    @property
    def text_vectors_of(self) -> str:
        """What text vectors must be of to lie beside the bundle's, see `vectors_of`."""
        return vectors_of(self.encoder, self.text_precision)

    def held_out(self, settings: EvaluationSettings) -> EvaluationSettings:
        """`settings` with what the bundle's training held back: from other days it might have learned."""
        recorded = {"test_from": None, **self.settings.get("evaluation", {})}
        held = {name: recorded[name] for name in _HELD_OUT if name in recorded}
        return EvaluationSettings.model_validate(settings.model_dump() | held)
