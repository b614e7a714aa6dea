"""The card of a model: what it was made from, what it is for, how good it is and what it cannot do.

A card is plain data, so that programs can read it (`card.json`); `render_card` writes it for people.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from recsys.dataset.info import DatasetInfo
from recsys.evaluation.compare import Evaluation, Row
from recsys.evaluation.intervals import format_difference
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.rendering import render
from recsys.evaluation.slices import ALL_CASES
from recsys.evaluation.tables import TableRow
from recsys.models.manifest import Manifest

Card = Mapping[str, Any]
NOT_EVALUATED = "not evaluated yet: run `recsys evaluate`"
_TEST_METRICS = ("hr", "ndcg", "coverage", "novelty", "diversity", "popularity_bias")
_CLEANING = ("rows", "kept", "duplicates", "cancelled", "quarantined")

USE = (
    "Ranks the items of one shop for one of its users, or for a visitor without a past, so that the shop can "
    "show what comes next. It is made for lists that a person looks at and may ignore."
)
SEARCH_STAGE = (
    "Nothing is trained: texts are encoded, items of similar text and words are found, and what users did is "
    "counted where there is something."
)
NOT_FOR = (
    "Not for decisions about people (credit, prices for a person, employment), not for another shop than the "
    "one it was trained on, and not as a measure of what an item is worth."
)


def card_of(
    manifest: Manifest,
    *,
    info: DatasetInfo | None = None,
    cleaning: Mapping[str, Mapping[str, Any]] | None = None,
    encoder_licence: str = "unknown",
    ranker: bool | None = None,
) -> dict[str, JsonValue]:
    """The card of a bundle as it leaves training, before any test.

    Args:
        info: of the imported shop. cleaning: what its import counted, by table.
        ranker: whether the bundle has a second stage; None if that is not known.
    """
    return {
        "bundle_id": manifest.bundle_id,
        "created_at": manifest.created_at.isoformat(),
        "git_revision": manifest.git_revision,
        "parent": manifest.parent,
        "use": {"intended": USE, "not_for": NOT_FOR},
        "data": _data(manifest, info, cleaning or {}),
        "training": {
            "protocol": manifest.protocol,
            "trained_until": manifest.trained_until.isoformat() if manifest.trained_until else None,
            "stages": [SEARCH_STAGE] if manifest.search_only else [*_stages(ranker)],
            "settings": manifest.settings,
        },
        "features": {**manifest.services},
        "validation": {**manifest.metrics},
        "orders": {kind: choice.model_dump(mode="json") for kind, choice in manifest.orders.items()},
        "test": None,
        "limits": [*_limits(manifest, info, ranker)],
        "licences": {
            "text encoder": f"{manifest.encoder}: {encoder_licence}",
            "data": "not recorded; the shop's own files",
        },
    }


def card_with_test(card: Card, evaluation: Evaluation) -> dict[str, JsonValue]:
    """The card with what a test found: the model beside the reference, with intervals, and by slice."""
    ours, reference = evaluation.served, evaluation.reference
    first = min(evaluation.cutoffs)
    metrics = [f"{name}@{first}" for name in _TEST_METRICS]
    return {
        **card,
        "test": {
            "protocol": evaluation.protocol,
            "seen": evaluation.seen,
            "cases": len(evaluation.cases),
            "model": ours,
            "reference": reference,
            "verdict": evaluation.verdict.text if evaluation.verdict else None,
            "metrics": [
                _measured(row)
                for metric in metrics
                for model in dict.fromkeys((ours, reference))
                if (row := evaluation.row(model, metric))
            ],
            "slices": [
                _measured(row)
                for name in evaluation.slices
                if name != ALL_CASES
                for model in dict.fromkeys((ours, reference))
                if (row := evaluation.row(model, f"ndcg@{first}", name))
            ],
            "calibration": {kind: _calibration(found) for kind, found in evaluation.calibration.items()},
        },
    }


def render_card(card: Card) -> str:
    """The card as Markdown."""
    test = card["test"] or {"metrics": (), "slices": ()}
    return render(
        "model_card.md",
        card=card,
        not_evaluated=NOT_EVALUATED,
        orders=_order_rows(card.get("orders") or {}),
        verdict=test.get("verdict"),  # a card of an earlier version has none
        cleaning=_cleaning_rows(card["data"]["cleaning"]),
        settings=_setting_rows(card["training"]["settings"]),
        validation=[{"metric": name, "value": f"{value:.4f}"} for name, value in card["validation"].items()],
        metrics=[_metric_row(row) for row in test["metrics"]],
        slices=[{"slice": row["slice"], **_metric_row(row)} for row in test["slices"]],
    )


def _data(
    manifest: Manifest, info: DatasetInfo | None, cleaning: Mapping[str, Mapping[str, Any]]
) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {
        "shop": manifest.dataset,
        "from": manifest.data_start.isoformat(),
        "until": manifest.data_end.isoformat(),
        "users": manifest.users,
        "items": manifest.items,
        "repeats": "normal" if manifest.repeats else "not asked for",
    }
    if info is not None:
        facts |= {
            "events": info.events,
            "what is predicted": ", ".join(info.label_kinds),
            "clock": "real instants" if info.clock == "time" else "an order only",
            "mapping": info.mapping_sha256,
        }
    counts: dict[str, JsonValue] = {
        table: {name: found[name] for name in _CLEANING if name in found}
        | {"reasons": dict(found.get("reasons", {}))}
        for table, found in cleaning.items()
        if isinstance(found, Mapping) and "rows" in found
    }
    return facts | {"cleaning": counts}


def _stages(ranker: bool | None) -> list[str]:
    stages = [
        "The network (two towers over text, attributes and behaviour) learns the next moment of each user "
        "from training events, and stops by validation NDCG@10.",
        "Fusion weighs the network, items bought together, similar texts and words, habit and popularity; it "
        "learns from cases of the validation period, which the network has not seen.",
    ]
    last = "At last network, neighbours and counts are fitted again through the validation period."
    if ranker:
        stages.append(
            "A ranker reorders the candidates by features of the feature store and is calibrated on requests "
            "held out."
        )
    stages.append(
        "For each kind of request an order is chosen on held-back requests: a learned one, unless it loses "
        "to a baseline."
    )
    return [*stages, last]


def _limits(manifest: Manifest, info: DatasetInfo | None, ranker: bool | None) -> list[str]:
    limits = [
        "A user without a past gets what is popular; after a few actions lists are still rough. See the "
        "slice of cold users.",
        "An item that nobody acted on is found by its text and attributes alone; if they say little, it is "
        "rarely shown. See the slice of cold items.",
        "It learns from what people did where the shop showed them something: what was never shown cannot be "
        "learned, and what it shows becomes its next training data (a feedback loop). Watch coverage over "
        "time.",
        "The place at which something was shown is not corrected for: what stood on top looks too good.",
        "What it measures is clicks and purchases to come, not satisfaction, fairness or profit. Nothing was "
        "done to treat groups of users or sellers alike.",
        "Scores are for the shop as it was until the end of the data; tastes and catalog move on. Train "
        "anew as `recsys schedule` says.",
    ]
    if ranker is not False:
        limits.append("Probabilities are calibrated on the validation period and drift with the season.")
    if manifest.shown_labels in ("view", "purchase"):
        stand_in = "views" if manifest.shown_labels == "view" else "carts and purchases"
        limits.append(
            f"No click named what the service had shown, so {stand_in} stood in for clicks: `p_click` is "
            "their probability. Report clicks, see docs/serving.md."
        )
    if manifest.search_only:
        limits.append("It is for search: what users did was not learned from. Run `recsys train` for that.")
    if manifest.no_ranker:
        limits.append(
            f"There is no ranker: {manifest.no_ranker}. Lists are in the order of the first stage, and "
            "nothing says how probable a click is."
        )
    if info is not None and info.clock == "order":
        limits.append("The data has no clock: nothing is known of time, and between users the future leaks.")
    if manifest.protocol == "all":
        limits.append("Nothing was held out, so this bundle cannot be tested; test one of another protocol.")
    if manifest.parent:
        limits.append("It goes on from another bundle, so what that one learned wrong may live on.")
    return limits


def _measured(row: Row) -> dict[str, JsonValue]:
    return {
        "model": row.model,
        "slice": row.slice,
        "metric": row.metric,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "cases": row.cases,
    }


def _order_rows(orders: Mapping[str, Mapping[str, Any]]) -> list[TableRow]:
    """One row a kind of request: its order, the best baseline, and the difference on held-back requests."""
    return [
        {
            "kind": kind,
            "ordered by": choice["order"],
            "requests": choice["questions"],
            "NDCG@20": f"{float(choice['value']):.4f}",
            "best baseline": f"{choice['baseline']} {float(choice['baseline_value']):.4f}",
            "difference": format_difference(*(float(choice[name]) for name in ("difference", "low", "high"))),
        }
        for kind, choice in orders.items()
    ]


def _calibration(found: Reliability) -> dict[str, JsonValue]:
    """What a card says of probabilities: `error` is the expected calibration error."""
    names = ("candidates", "predicted", "observed", "error", "log_loss", "auc")
    return {name: getattr(found, name) for name in names}


def _metric_row(row: Mapping[str, Any]) -> TableRow:
    value = f"{row['value']:.4f}"
    if row["low"] is not None and row["high"] is not None:
        value += f" [{row['low']:.4f}, {row['high']:.4f}]"
    return {"model": row["model"], "metric": row["metric"], "value": value, "cases": row["cases"]}


def _cleaning_rows(cleaning: Mapping[str, Mapping[str, Any]]) -> list[TableRow]:
    return [
        {"table": table, **{name: f"{found[name]:,}" for name in _CLEANING if name in found}}
        | {"why": ", ".join(f"{reason} {count:,}" for reason, count in found["reasons"].items()) or "-"}
        for table, found in cleaning.items()
    ]


def _setting_rows(settings: Mapping[str, Any]) -> list[TableRow]:
    return [
        {"setting": f"{section}.{name}", "value": value}
        for section, fields in settings.items()
        if isinstance(fields, Mapping)
        for name, value in fields.items()
    ]
