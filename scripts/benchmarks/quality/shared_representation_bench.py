"""shared-representation: what recommendation gains where searches teach the same P_u and P_m (SIMULATED).

Simulated shoppers with known tastes walk for some weeks through a shop of real goods. Some of what they click
they found by a search, the rest was shown to them unasked. Their log is imported twice, whole and without all
that came by search, and the same model with the same seed is trained on each. Both are stopped, fitted and
tested by the same questions: what does a shopper take next week of what is shown unasked? Beside the
answers stands the truth: how many clicks the ten items deserve, whatever happened to be shown and clicked.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray
from recsys.cli.output import bars, note, print_rows
from recsys.config import Settings, load_settings
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.dataset.shop import Shop
from recsys.dataset.split import split_at
from recsys.evaluation.compare import Evaluation, evaluate_scorers
from recsys.evaluation.intervals import paired_bootstrap
from recsys.evaluation.slices import COLD_EVENTS
from recsys.events import Impression
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import load_mapping
from recsys.instants import DAY, from_micros, to_micros, utc_now
from recsys.jobs.data.demo import DEMO_MAPPING, installed_demo
from recsys.jobs.data.import_shop import run_import
from recsys.simulation.channels import without_search
from recsys.simulation.delivery import Delivered
from recsys.simulation.habits import Habits
from recsys.simulation.judge import Oracle
from recsys.simulation.log_files import write_items, write_log
from recsys.simulation.page_events import Names
from recsys.simulation.truth import TruthWriter, read_truth
from recsys.simulation.visits import simulate_visits
from recsys.simulation.world import open_world
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.shop import open_shop
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.scorers import RetrieverScorer, ServedScorer, bundle_scorers

ITEMS = 2000
HABITS = Habits(shoppers=1000, sessions_per_day=0.7, bot_share=0.0)
SEEDS = (0, 1, 2)
WEEKS = 6  # the last one is asked about, the one before stops and fits
WEEK = 7 * DAY
START = to_micros(datetime(2026, 1, 5, tzinfo=UTC))  # a Monday
SLATE = 10
SIMULATED = "SIMULATED traffic: no real shopper did any of this"

ALONE = "recommendation alone"
IN_HISTORIES = "searches in histories"
SHARED = "all events"
NETWORK = "network, "  # before the name of a variant: its network without fusion
PAIRS = (
    (ALONE, SHARED),
    (ALONE, IN_HISTORIES),
    (NETWORK + ALONE, NETWORK + SHARED),
    (NETWORK + ALONE, NETWORK + IN_HISTORIES),
)
METRICS = ("ndcg@10", "hr@10")
TRUE_CLICKS = "true clicks@10"
AT_LEAST, AIM = 1.0, 1.1


@dataclass(frozen=True)
class Traffic:
    """One simulated log, imported twice.

    Attributes:
        whole, alone: settings whose homes hold all events, and those that did not come by search.
        oracle: what everybody truly likes.
        train_end, test_start: microseconds.
    """

    whole: Settings
    alone: Settings
    oracle: Oracle
    train_end: int
    test_start: int


@dataclass(frozen=True)
class Comparison:
    """The same U questions answered by each variant and by its network without fusion.

    Attributes:
        values: model -> metric -> (U,); `true clicks@10` is what the truth expects of the ten items shown.
        most: (U,) the true clicks of the best ten items.
        slices: name -> (U,) which questions.
    """

    values: Mapping[str, Mapping[str, DoubleArray]]
    most: DoubleArray
    slices: Mapping[str, BoolArray]


def rows() -> list[dict[str, Any]]:
    """One row a metric: taught by searches too, beside recommendation events alone; some worlds together."""
    note(SIMULATED)
    settings = load_settings()
    settings = settings.model_copy(update={"retriever": settings.retriever.model_copy(update={"threads": 1})})
    found = []
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        folder = Path(name)
        goods = demo_goods(folder / "demo", ITEMS)
        for seed in SEEDS:
            note(f"simulated shoppers {seed + 1} of {len(SEEDS)}")
            habits = HABITS.model_copy(update={"seed": seed})
            found.append(
                compare(make_traffic(folder, settings, goods, habits, WEEKS), folder / f"runs-{seed}")
            )
            note(", ".join(f"{row['unit']}: {row['ratio']}" for row in ratio_rows(found[-1])))
    together = pooled(found)
    table = [row for pair in PAIRS for row in difference_rows(together, *pair)]
    most = f"the best ten items deserve {together.most.mean():.3f} clicks"
    print_rows(table, as_json=False, title=f"{SIMULATED}; {len(together.most)} questions, {most}")
    return ratio_rows(together)


def demo_goods(folder: Path, count: int) -> pa.Table:
    """Some items that the demo shop has, chosen at random."""
    paths, shop = HomePaths(folder), ShopFiles(load_mapping(DEMO_MAPPING), "0", installed_demo())
    run_import(paths, shop, "", utc_now(), bars)
    items = load_items(paths)
    items = items.filter(items[columns.AVAILABLE])
    return items.take(np.sort(np.random.default_rng(0).choice(len(items), count, replace=False)))


def make_traffic(folder: Path, settings: Settings, items: pa.Table, habits: Habits, weeks: int) -> Traffic:
    """Lets shoppers walk through a shop of `items` for `weeks`, and imports what they did as files.

    The files have no impressions: nothing here reads them, and they are most of a log. Homes that are
    there already get the new log, and keep their text vectors.
    """
    world, end = open_world(habits, items), START + weeks * WEEK
    with TruthWriter(folder / "truth.parquet", world) as writer:
        whole = simulate_visits(world, START, 7 * weeks, Names(str(habits.seed)), writer)
        log = [one for one in whole if not isinstance(one[1], Impression)]
    return Traffic(
        whole=_imported(settings, folder / "whole", items, log, end),
        alone=_imported(settings, folder / "alone", items, without_search(log), end),
        oracle=Oracle(read_truth(folder / "truth.parquet")),
        train_end=end - 2 * WEEK,
        test_start=end - WEEK,
    )


def _imported(
    settings: Settings, home: Path, items: pa.Table, log: Sequence[Delivered], end: int
) -> Settings:
    """Settings of a home that holds `log`; files are imported as of a day after `end`, so nothing moves."""
    source = home.with_name(f"{home.name}-files")
    write_items(source, items)
    write_log(source / "events.jsonl", log)
    now = from_micros(end + DAY)
    found = settings.model_copy(update={"home": home})
    run_import(found.paths, ShopFiles(load_mapping("simulated"), "0", source), "", now, bars)
    return found


def compare(traffic: Traffic, run_dir: Path) -> Comparison:
    """Trains on each kind of knowledge and asks all of them the same questions."""
    whole, alone = open_shop(traffic.whole.paths), open_shop(traffic.alone.paths)
    unasked = of_users(alone.interactions, whole.interactions.users)
    everything = joined(whole.interactions, unasked, traffic.train_end)
    questions = split_at(unasked, traffic.train_end, traffic.test_start)
    scorers: list[RetrieverScorer | ServedScorer] = []
    for name, settings, actions in (
        (ALONE, traffic.alone, unasked),
        (IN_HISTORIES, traffic.whole, unasked),
        (SHARED, traffic.whole, everything),
    ):
        note(f"training on {name} ...")
        split = split_at(actions, traffic.train_end, traffic.test_start)
        build_features(settings, bars)
        features = OfflineFeatures(settings)
        features.apply()
        run = run_dir / str(len(scorers))
        run.mkdir(parents=True)
        job = TrainingJob(Shop(whole.info, actions), split, features, settings, run, bars, with_ranker=False)
        bundle = train_bundle(job, "simulated", utc_now())
        network, served = bundle_scorers(
            bundle, actions, questions.test, features, settings.serving.candidates, seen=True, progress=bars
        )
        network.name, served.name = NETWORK + name, name
        scorers += [network, served]
    evaluation = evaluate_scorers(
        scorers, questions, unasked, traffic.alone.evaluation, seen="keep", reference=ALONE, progress=bars
    )
    return judged(evaluation, traffic, questions.train)


def of_users(actions: Interactions, users: Vocabulary) -> Interactions:
    """`actions` under the indexes of a larger vocabulary; both are sorted, so the order stays."""
    return replace(actions, users=users, user_index=users.indexes(actions.users.ids)[actions.user_index])


def joined(early: Interactions, late: Interactions, start: int) -> Interactions:
    """`early` until `start`, microseconds, and `late` from then on, by user and instant."""
    parts = early.take(early.at < start), late.take(late.at >= start)
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("user_index", "item_index", "kind", "weight", "at")
    }
    order = np.lexsort((arrays["at"], arrays["user_index"]))
    return replace(early, **{name: values[order] for name, values in arrays.items()})


def judged(evaluation: Evaluation, traffic: Traffic, train: Interactions) -> Comparison:
    """The answers' metrics, and what the truth says of the same lists on the day of the question."""
    oracle, day = traffic.oracle, (traffic.test_start - START) // DAY
    items, who = np.array(train.items.ids, object), evaluation.cases.user_index
    users = [train.users.ids[user] for user in who.tolist()]

    def true_clicks(slates: Sequence[list[str]]) -> DoubleArray:
        pairs = zip(users, slates, strict=True)
        return np.array([oracle.expected_clicks(user, day, slate) for user, slate in pairs])

    values = {
        model: {metric: evaluation.values[model][metric] for metric in METRICS}
        | {TRUE_CLICKS: true_clicks([items[row].tolist() for row in ranking.items[:, :SLATE]])}
        for model, ranking in evaluation.rankings.items()
    }
    cold = np.bincount(train.user_index, minlength=len(train.users))[who] <= COLD_EVENTS
    slices = {"all": np.ones(len(who), bool), "cold users": cold, "warm users": ~cold}
    return Comparison(values, true_clicks([oracle.best(user, day, SLATE) for user in users]), slices)


def difference_rows(found: Comparison, before: str, after: str) -> list[dict[str, Any]]:
    """The means of two models by metric and slice, and their difference with its paired 95% interval."""
    table = []
    for name, mask in found.slices.items():
        for metric in (*METRICS, TRUE_CLICKS) if mask.any() else ():
            pair = np.stack([found.values[model][metric][mask] for model in (before, after)], axis=1)
            interval = paired_bootstrap(pair, np.array([0, 0]), 2000, np.random.default_rng(0))
            row = {"taught by": after, "instead of": before, "slice": name, "questions": int(mask.sum())}
            numbers = {
                "before": interval.mean[0],
                "after": interval.mean[1],
                "gain": interval.difference[1],
                "from": interval.difference_low[1],
                "to": interval.difference_high[1],
            }
            table.append({**row, "metric": metric, **{k: round(float(v), 4) for k, v in numbers.items()}})
    return table


def pooled(found: Sequence[Comparison]) -> Comparison:
    """The questions of several worlds, one after the other."""
    first = found[0]
    return Comparison(
        {
            model: {metric: np.concatenate([one.values[model][metric] for one in found]) for metric in values}
            for model, values in first.values.items()
        },
        np.concatenate([one.most for one in found]),
        {name: np.concatenate([one.slices[name] for one in found]) for name in first.slices},
    )


def ratio_rows(found: Comparison) -> list[dict[str, Any]]:
    """What is served, and the network alone, taught by all events over taught by those shown unasked."""
    return [_row(found, metric, network) for network in ("", NETWORK) for metric in (*METRICS, TRUE_CLICKS)]


def _row(found: Comparison, metric: str, network: str) -> dict[str, Any]:
    ours, peer = (float(found.values[network + model][metric].mean()) for model in (SHARED, ALONE))
    ratio = ours / peer if peer else float("inf")
    return {
        "name": "shared-representation",
        "unit": f"{network}{metric}, simulated",
        "ours": round(ours, 4),
        "peer": ALONE,
        "peer_value": round(peer, 4),
        "ratio": round(ratio, 2),
        "at_least": AT_LEAST,
        "aim": AIM,
        "ok": ratio >= AT_LEAST,
    }
