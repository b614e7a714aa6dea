"""What one training run works with, and what a bundle depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys import columns
from recsys.config import Settings
from recsys.dataset.click_log import LabelledImpressions
from recsys.dataset.feedback import Feedback
from recsys.dataset.shop import Shop
from recsys.dataset.split import Split
from recsys.models.bundle import Bundle
from recsys.progress import Progress, silent
from recsys.training.ctr.click_data import EncodeQuery
from recsys.training.feature_reads import TrainingFeatures
from recsys.training.retriever.distributed import SINGLE_PROCESS, ProcessGroup

SERVICES = (
    columns.RETRIEVAL_SERVICE,
    columns.CATALOG_SERVICE,
    columns.RANKING_SERVICE,
    columns.SEARCH_SERVICE,
)
SECTIONS = {
    "text",
    "retriever",
    "fusion",
    "ranker",
    "ctr",
    "evaluation",
}  # of the settings, that a bundle depends on

Watch = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class TrainingJob:
    """What one training run works with; `features` is the only way to the feature store.

    Attributes:
        feedback: responses of the validation period, if any were logged.
        clicks: labelled impressions of the validation period, if any were logged.
        open_queries: opens what encodes queries, where a click model is to read them.
        parent: the bundle to go on from; None = begin anew.
        watch: gets the validation metrics after each epoch of the retriever; what it raises ends the run.
        refit: whether network, neighbours and counts are fitted again through the validation period.
        with_ranker: whether there is to be a second stage, if the data has enough for one.
        processes: those that share the retriever's steps.
        text_precision: of the text vectors.
    """

    shop: Shop
    split: Split
    features: TrainingFeatures
    settings: Settings
    run_dir: Path
    progress: Progress = silent
    feedback: Feedback | None = None
    clicks: LabelledImpressions | None = None
    open_queries: Callable[[], EncodeQuery] | None = None
    parent: Bundle | None = None
    watch: Watch | None = None
    refit: bool = True
    with_ranker: bool = True
    processes: ProcessGroup = SINGLE_PROCESS
    text_precision: str = "float32"
