"""`recsys ablate`: what each part of the model is worth, by leaving it out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from recsys.cli.output import bars, note, print_rows
from recsys.config import EvaluationSettings, FusionSettings, RetrieverSettings, Settings, load_settings
from recsys.errors import ConfigError
from recsys.instants import utc_now
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.dataset.shop import Shop
    from recsys.evaluation.compare import Evaluation

METRICS = ("ndcg@10", "hr@10")  # each with its difference from the whole model
SLICES = ("cold items", "warm items", "repeat", "new to the user")
FUSION = "fusion"  # without it the network alone is served
CASES = 10_000
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


def ablate(
    protocol: Annotated[
        str | None,
        typer.Option(help="time-split or leave-one-out. Default: the stricter one the data allows."),
    ] = None,
    parts: Annotated[str | None, typer.Option(help="Which parts, separated by commas. Default: all.")] = None,
    cases: Annotated[int, typer.Option(min=1, help="How many questions of the test, sampled.")] = CASES,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train again without each part of the model and compare what would be served, in one table.

    network.text, network.id, network.time, network.kinds and network.graph are parts of the network, each of
    which costs a training; fusion.together, .text, .words, .own and .network are the experts of the fused
    score, fusion.learning what was learnt about them, and fusion all of it. No bundle is kept.

    \b
    Example:
      recsys ablate --parts network.graph,fusion.words
    """
    settings = load_settings()
    wanted = chosen_parts(parts)
    from recsys.stores.lake.shop import open_shop

    shop = open_shop(settings.paths)
    _build(settings, bars)
    rows = []
    with TemporaryDirectory(prefix="ablate-", dir=settings.paths.home) as folder:
        note("the whole model")
        whole = _evaluated(settings, shop, protocol, "", folder, cases)
        rows.append(row_of("", whole, whole, whole.served, settings.evaluation))
        for part in wanted:
            note(f"without {part}")
            found = whole if part == FUSION else _evaluated(settings, shop, protocol, part, folder, cases)
            model = found.models[0] if part == FUSION else found.served
            rows.append(row_of(part, found, whole, model, settings.evaluation))
    title = f"what each part is worth, {whole.protocol}, {len(whole.cases)} cases"
    print_rows(rows if as_json else [shown(row) for row in rows], as_json=as_json, title=title)


def row_of(
    part: str, found: "Evaluation", whole: "Evaluation", model: str, settings: EvaluationSettings
) -> dict[str, Any]:
    """The metrics of `model` and, unless it is the whole model, their differences with 95% intervals."""
    import numpy as np

    from recsys.evaluation.intervals import paired_bootstrap

    row: dict[str, Any] = {"without": part or "(nothing)", "what": WHAT[part]}
    for metric in METRICS:
        both = np.stack([whole.values[whole.served][metric], found.values[model][metric]], axis=1)
        worth = paired_bootstrap(
            both, np.zeros(2, np.int64), settings.bootstrap_samples, np.random.default_rng(settings.seed)
        )
        row[metric] = float(worth.mean[1])
        if part:
            row[f"{metric} difference"] = float(worth.difference[1])
            row[f"{metric} low"] = float(worth.difference_low[1])
            row[f"{metric} high"] = float(worth.difference_high[1])
    for name in SLICES:
        if measured := found.row(model, "ndcg@10", name):
            row[f"ndcg@10 {name}"] = measured.value
    return row


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people: each difference and its interval in one cell."""
    from recsys.evaluation.tables import metric_name

    cells: dict[str, Any] = {"without": row["without"], "what": row["what"]}
    for metric in METRICS:
        name = metric_name(metric)
        cells[name] = f"{row[metric]:.4f}"
        if f"{metric} difference" in row:
            difference, low, high = (row[f"{metric} {end}"] for end in ("difference", "low", "high"))
            cells[f"{name} less the whole"] = f"{difference:+.4f} [{low:+.4f}, {high:+.4f}]"
        else:
            cells[f"{name} less the whole"] = "-"
    return cells | {
        f"{metric_name('ndcg@10')} {name}": f"{row[f'ndcg@10 {name}']:.4f}"
        for name in SLICES
        if f"ndcg@10 {name}" in row
    }


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


def without(settings: Settings, part: str) -> Settings:
    """`settings` that leave `part` out; "" leaves out nothing, and fusion as a whole is no setting."""
    section, _, name = part.partition(".")
    if not name:
        return settings
    field = "retriever" if section == "network" else section
    changed = getattr(settings, field).model_copy(update={"without": (name,)})
    return settings.model_copy(update={field: changed})


def _evaluated(
    settings: Settings, shop: "Shop", protocol: str | None, part: str, folder: str, count: int
) -> "Evaluation":
    """The network alone and what would be served without `part`, on a sample of the test's questions.

    Networks keep their checkpoints in `folder`, so that leaving out an expert does not train one again.
    """

    import numpy as np

    from recsys.evaluation.compare import evaluate
    from recsys.stores.features.offline import OfflineFeatures
    from recsys.training.pipeline import Job, train_bundle
    from recsys.training.scorers import bundle_scorers

    changed = without(settings, part)
    split = shop.split(protocol or shop.default_protocol, changed.evaluation)
    if len(split.test) > count:
        rng = np.random.default_rng(changed.evaluation.seed)
        chosen = np.sort(rng.choice(len(split.test), count, replace=False))
        split = replace(split, test=split.test.take(chosen))
    features = OfflineFeatures(changed)
    features.apply()
    network = part if part.startswith("network.") else "whole"
    job = Job(shop, split, features, changed, Path(folder) / network, bars)
    bundle = train_bundle(job, "ablation", utc_now())
    repeats, candidates = shop.info.repeats, changed.serving.candidates
    scorers = bundle_scorers(bundle, shop.interactions, split.test, features, candidates, repeats, bars)
    return evaluate(
        [scorers[0], scorers[-1]],
        split,
        shop.interactions,
        changed.evaluation.model_copy(update={"cutoffs": (10,)}),
        seen="keep" if repeats else "remove",
        progress=bars,
    )


def _build(settings: Settings, progress: Progress) -> None:
    from recsys.stores.features.build import build_features

    build_features(settings, progress)
