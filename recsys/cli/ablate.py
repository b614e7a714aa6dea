"""`recsys ablate`: what each part of the model is worth, by leaving it out."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from recsys.cli.output import bars, note, print_rows
from recsys.config import FusionSettings, RetrieverSettings, Settings, load_settings
from recsys.errors import ConfigError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.dataset.shop import Shop

METRICS = ("hr@10", "ndcg@10", "recall@100")
SLICES = ("cold items", "warm items", "repeat", "new to the user")


def ablate(
    protocol: Annotated[
        str | None,
        typer.Option(help="time-split or leave-one-out. Default: the stricter one the data allows."),
    ] = None,
    parts: Annotated[str | None, typer.Option(help="Which parts, separated by commas. Default: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train again without each part of the model and compare what would be served, in one table.

    network.text, network.id, network.time, network.kinds and network.graph are parts of the network, each of
    which costs a training; fusion.together, .text, .words, .own and .network are the experts of the fused
    score, and fusion.learning what was learnt about them. No bundle is kept.

    \b
    Example:
      recsys ablate --parts network.graph,fusion.words
    """
    settings = load_settings()
    wanted = chosen_parts(parts)
    from recsys.stores.shop import open_shop

    shop = open_shop(settings.paths)
    rows = []
    with TemporaryDirectory(prefix="ablate-", dir=settings.paths.home) as folder:
        for part in ("", *wanted):
            note(f"without {part}" if part else "the whole model")
            rows.append({"without": part or "(nothing)", **_measured(settings, shop, protocol, part, folder)})
    print_rows(rows, as_json=as_json, title="what each part is worth")


def all_parts() -> tuple[str, ...]:
    """Every part that can be left out, as `section.part`; the experts first, which cost little."""
    found = []
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
    """`settings` that leave `part` out, "" leaves out nothing."""
    section, _, name = part.partition(".")
    if not part:
        return settings
    field = "retriever" if section == "network" else section
    changed = getattr(settings, field).model_copy(update={"without": (name,)})
    return settings.model_copy(update={field: changed})


def _measured(
    settings: Settings, shop: "Shop", protocol: str | None, part: str, folder: str
) -> dict[str, Any]:
    """The metrics of what would be served without `part`.

    Networks keep their checkpoints in `folder`, so that leaving out an expert does not train one again.
    """
    from datetime import UTC, datetime

    from recsys.evaluation.compare import evaluate
    from recsys.stores.feature_store import OfflineFeatures
    from recsys.training.pipeline import Job, train_bundle
    from recsys.training.scorers import bundle_scorers

    changed, progress = without(settings, part), bars
    split = shop.split(protocol or shop.default_protocol, changed.evaluation)
    _build(settings, progress)
    features = OfflineFeatures(changed)
    features.apply()
    network = part if part.startswith("network.") else "whole"
    job = Job(shop, split, features, changed, Path(folder) / network, progress)
    bundle = train_bundle(job, "ablation", datetime.now(UTC))
    repeats = shop.info.repeats
    served = bundle_scorers(
        bundle, shop.interactions, split.test, features, changed.serving.candidates, repeats, progress
    )[-1]
    found = evaluate(
        [served],
        split,
        shop.interactions,
        changed.evaluation,
        seen="keep" if repeats else "remove",
        progress=progress,
    )
    values = {metric: row.value for metric in METRICS if (row := found.row(served.name, metric))}
    for name in SLICES:
        if row := found.row(served.name, "ndcg@10", name):
            values[f"ndcg@10 {name}"] = row.value
    return values


def _build(settings: Settings, progress: Progress) -> None:
    from recsys.stores.feature_files import build_features

    build_features(settings, progress)
