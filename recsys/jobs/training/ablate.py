"""What each part of the model is worth: the same training without it, compared case by case."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np

from recsys.config import EvaluationSettings, FusionSettings, RetrieverSettings, Settings
from recsys.dataset.shop import Shop, check_holds_out
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.evaluation.compare import Evaluation, cases_to_rank, evaluate_scorers
from recsys.evaluation.intervals import paired_bootstrap
from recsys.evaluation.rankings import seen_of
from recsys.evaluation.tables import metric_name
from recsys.instants import utc_now
from recsys.jobs.preconditions import check_before_training
from recsys.jobs.training.training_features import open_training_features
from recsys.progress import Progress
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.scorers import bundle_scorers

METRICS = ("ndcg@10", "hr@10")  # each with its difference from the whole model
SLICES = ("cold items", "warm items", "repeat", "new to the user")
FUSION = "fusion"  # without it the network alone is served
WHAT = {
    "": "the whole model",
    FUSION: "the network alone",
    "fusion.together": "no items taken together",
    "fusion.text": "no neighbours by the encoder's vector",
    "fusion.words": "no neighbours by words",
    "fusion.own": "no own habit",
    "fusion.network": "no network",
    "fusion.learning": "the prior, nothing learnt",
    "network.text": "no text in the item tower",
    "network.id": "no item ids",
    "network.time": "no time",
    "network.kinds": "no kinds of event",
    "network.graph": "no start from the graph",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference:
    """Of a model from the whole one, on the same cases, with its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True)
class PartRow:
    """What is served without one part.

    Attributes:
        part: `section.part`; "" = the whole model.
        metrics: mean of each of `METRICS`. differences: of each from the whole model, which itself has none.
        slices: NDCG@10 on those of `SLICES` that have cases.
    """

    part: str
    metrics: Mapping[str, float]
    differences: Mapping[str, Difference] = field(default_factory=dict)
    slices: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """All numbers, each under a key of its own."""
        row: dict[str, str | float] = {"without": self.part or "(nothing)", "what": WHAT[self.part]}
        for metric, value in self.metrics.items():
            row[metric] = value
            if difference := self.differences.get(metric):
                row[f"{metric} difference"] = difference.mean
                row[f"{metric} low"] = difference.low
                row[f"{metric} high"] = difference.high
        return row | {f"ndcg@10 {name}": value for name, value in self.slices.items()}

    def to_table(self) -> Mapping[str, str]:
        """A row for people: each difference and its interval in one cell."""
        cells = {"without": self.part or "(nothing)", "what": WHAT[self.part]}
        for metric, value in self.metrics.items():
            name = metric_name(metric)
            cells[name] = f"{value:.4f}"
            cells[f"{name} less the whole"] = str(self.differences.get(metric, "-"))
        name = metric_name("ndcg@10")
        return cells | {f"{name} {part}": f"{value:.4f}" for part, value in self.slices.items()}


@dataclass(frozen=True)
class Ablation:
    """The whole model's row and one for each part that was left out.

    Attributes:
        cases: how many were ranked for.
    """

    protocol: str
    cases: int
    rows: tuple[PartRow, ...]


def ablate_parts(
    settings: Settings, protocol: str | None, parts: str | None, cases: int, progress: Progress
) -> Ablation:
    """Trains the whole model and once without each part; no bundle is kept.

    Args:
        parts: their names, separated by commas; None = all.
        cases: of the test, sampled where there are more.

    Raises:
        ConfigError: a part is unknown, there is no feature repository, or the home cannot be written.
        DataError: the data cannot take the protocol.
    """
    wanted = chosen_parts(parts)
    check_before_training(settings)
    shop = open_shop(settings.paths, progress)
    protocol = protocol or shop.default_protocol
    check_holds_out(protocol)
    split = shop.training_split(protocol, settings.evaluation)
    cases_to_rank(split, shop.interactions, seen_of(shop.info.repeats))
    with TemporaryDirectory(prefix="ablate-", dir=settings.paths.home) as name:
        folder = Path(name)
        log.info("the whole model")
        whole = _evaluate_without("", settings, shop, protocol, folder, cases, progress)
        rows = [row_of("", whole, whole, whole.served, settings.evaluation)]
        for part in wanted:
            log.info("without %s", part)
            if part == FUSION:
                rows.append(row_of(part, whole, whole, whole.models[0], settings.evaluation))
                continue
            found = _evaluate_without(part, settings, shop, protocol, folder, cases, progress)
            rows.append(row_of(part, found, whole, found.served, settings.evaluation))
    return Ablation(whole.protocol, len(whole.cases), tuple(rows))


def row_of(
    part: str, found: Evaluation, whole: Evaluation, model: str, settings: EvaluationSettings
) -> PartRow:
    """The metrics of `model` and, unless it is the whole model, their differences with 95% intervals."""
    metrics, differences = {}, {}
    for metric in METRICS:
        both = np.stack([whole.values[whole.served][metric], found.values[model][metric]], axis=1)
        worth = paired_bootstrap(
            both, np.zeros(2, np.int64), settings.bootstrap_samples, np.random.default_rng(settings.seed)
        )
        metrics[metric] = float(worth.mean[1])
        if part:
            ends = (worth.difference[1], worth.difference_low[1], worth.difference_high[1])
            differences[metric] = Difference(*map(float, ends))
    measured = {name: found.row(model, "ndcg@10", name) for name in SLICES}
    return PartRow(part, metrics, differences, {name: row.value for name, row in measured.items() if row})


def all_parts() -> tuple[str, ...]:
    """Every part that can be left out, as `section.part`; fusion first, which costs little."""
    found = [FUSION]
    for section, model in (("fusion", FusionSettings), ("network", RetrieverSettings)):
        choices = get_args(get_args(model.model_fields["without"].annotation)[0])
        found += [f"{section}.{choice}" for choice in choices]
    return tuple(found)


def chosen_parts(parts: str | None) -> tuple[str, ...]:
    """The parts named in `parts`, all for None.

    Raises:
        ConfigError: one of them is unknown.
    """
    known = all_parts()
    if parts is None:
        return known
    names = tuple(name.strip() for name in parts.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        named = repr(unknown[0]) if unknown else "nothing"
        raise ConfigError(f"--parts names {named}; use some of: {', '.join(known)}.")
    return names


def without_part(settings: Settings, part: str) -> Settings:
    """`settings` that leave `part` out; "" leaves out nothing, and fusion as a whole is no setting."""
    section, _, name = part.partition(".")
    if not name:
        return settings
    setting = "retriever" if section == "network" else section
    changed = getattr(settings, setting).model_copy(update={"without": (name,)})
    return settings.model_copy(update={setting: changed})


def _evaluate_without(
    part: str,
    settings: Settings,
    shop: Shop,
    protocol: str,
    folder: Path,
    count: int,
    progress: Progress,
) -> Evaluation:
    """The network alone and what would be served without `part`, on a sample of the test's cases.

    Networks keep their checkpoints in `folder`, so that leaving out a signal does not train one again.
    """
    changed = without_part(settings, part)
    split = shop.split(protocol, changed.evaluation)
    if len(split.test) > count:
        rng = np.random.default_rng(changed.evaluation.seed)
        chosen = np.sort(rng.choice(len(split.test), count, replace=False))
        split = replace(split, test=split.test.take(chosen))
    features = open_training_features(changed, shop, split, progress)
    network = part if part.startswith("network.") else "whole"
    job = TrainingJob(shop, split, features, changed, folder / network, progress)
    bundle = train_bundle(job, "ablation", utc_now())
    repeats, candidates = shop.info.repeats, changed.serving.candidates
    tested = OfflineFeatures(changed)
    scorers = bundle_scorers(bundle, shop.interactions, split.test, tested, candidates, repeats, progress)
    return evaluate_scorers(
        [scorers[0], scorers[-1]],
        split,
        shop.interactions,
        changed.evaluation.model_copy(update={"cutoffs": (10,)}),
        seen=seen_of(repeats),
        progress=progress,
    )
