"""quality: recsys beside other recommenders on one split of one shop, all items ranked, seen ones removed.

Everything is trained in this run, on the same training part, each in a process of its own. Peers get the
split as Parquet and give lists back as Parquet; ranx scores all of them, ours and the baselines' too. For
whom a peer has no list, a newcomer mostly, what is popular takes its place.
`--home` names a home with an imported shop, `--protocol` the split,
`--peers` some of them only.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ranx import Qrels, Run
from ranx import evaluate as score_by_ranx

from recsys.arrays import DoubleArray
from recsys.cli.output import bars, note, print_rows
from recsys.config import Settings, load_settings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.shop import Shop
from recsys.dataset.split import histories_before
from recsys.evaluation.baselines import Popularity, RecentPopularity
from recsys.evaluation.compare import VALIDATION_CHOOSES
from recsys.evaluation.intervals import paired_bootstrap
from recsys.jobs.training.evaluate import run_evaluation
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.registry import Registry

ROOT = Path(__file__).parents[3]
PLACES = 100
PEERS = {"sasrec": "SASRec", "bert4rec": "BERT4Rec", "als": "ALS", "bpr": "BPR"}
AT_LEAST, AIM = 1.0, 1.1
# Peers learn from the training part and choose by validation; what is served of ours learned from both.
OURS = VALIDATION_CHOOSES


@dataclass(frozen=True)
class Made:
    """One model's lists and what they cost, in seconds of CPU; no cost where nothing was trained."""

    lists: pa.Table
    seconds: float | None = None
    peak_mb: float | None = None


def rows() -> list[dict[str, Any]]:
    """One row a peer: NDCG@10 of ours and of the peer, and the quotient."""
    settings = load_settings()
    shop = open_shop(settings.paths)
    protocol = os.environ.get("RECSYS_BENCH_PROTOCOL") or shop.default_protocol
    cases, made = _ours(settings, shop, protocol)
    split = shop.split(protocol, settings.evaluation)
    popular = made[RecentPopularity.name if RecentPopularity.name in made else Popularity.name].lists
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        folder = Path(name)
        export(split.train, folder / "train.parquet")
        _, seen = histories_before(shop.interactions, cases)
        export(shop.interactions.take(np.sort(seen)), folder / "histories.parquet")
        for peer in os.environ.get("RECSYS_BENCH_PEERS", ",".join(PEERS)).split(","):
            title = PEERS[peer]
            note(f"training {title} ...")
            cost = run_peer(peer, folder, PLACES)
            lists = filled(pq.read_table(folder / f"{peer}.parquet"), popular)
            made[title] = Made(lists, cost["seconds"], cost["peak_mb"])
    scores = {model: _scores(shop.interactions, cases, one.lists) for model, one in made.items()}
    _print(made, scores, f"{shop.info.name}, {protocol}, {len(cases)} cases, seen removed, scored by ranx")
    ours = float(scores[OURS]["ndcg@10"].mean())
    return [
        _row(ours, model, float(found["ndcg@10"].mean()))
        for model, found in scores.items()
        if model not in (OURS, "recsys")
    ]


def run_peer(peer: str, folder: Path, k: int) -> dict[str, float]:
    """What `peer_models.py` says of one peer's run in its own environment, made where it is missing."""
    subprocess.run([ROOT / "scripts" / "peers"], check=True)
    python = ROOT / os.environ.get("RECSYS_PEERS", ".recsys-peers") / "bin" / "python"
    script = Path(__file__).with_name("peer_models.py")
    ended = subprocess.run(
        [python, script, peer, folder, str(k)], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _ours(settings: Settings, shop: Shop, protocol: str) -> tuple[EvalCases, dict[str, Made]]:
    """The cases asked, and the lists of a bundle trained now, of its network alone and of the baselines."""
    note("training recsys ...")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "recsys.cli.app", "train", "--protocol", protocol, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    with Registry.open(settings) as registry:
        record = registry.get(json.loads(output)["bundle"])
    evaluation = run_evaluation(settings, shop, record.path, False, bars, record)
    users, items = shop.interactions.users, shop.interactions.items
    lists = {model: found.table(users, items) for model, found in evaluation.rankings.items()}
    rest = {model: Made(found) for model, found in lists.items() if model not in ("recsys", "fusion")}
    return evaluation.cases, {"recsys": Made(lists["recsys"], seconds, used.ru_maxrss / 1024), **rest}


def filled(lists: pa.Table, popular: pa.Table) -> pa.Table:
    """`lists`, and what is popular for the users that a peer has none for, as a shop would do."""
    without = pc.invert(pc.is_in(popular["user_id"], value_set=pc.unique(lists["user_id"])))
    names = ["user_id", "item_id", "rank"]
    return pa.concat_tables(
        [lists.select(names), popular.filter(without).select(names)], promote_options="permissive"
    )


def export(actions: Interactions, path: Path) -> None:
    """Writes user_id, item_id and at, in order."""
    users, items = pa.array(actions.users.ids), pa.array(actions.items.ids)
    table = {
        "user_id": users.take(pa.array(actions.user_index)),
        "item_id": items.take(pa.array(actions.item_index)),
        "at": pa.array(actions.at, pa.timestamp("us")),
    }
    pq.write_table(pa.table(table), path)


def _scores(interactions: Interactions, cases: EvalCases, lists: pa.Table) -> dict[str, DoubleArray]:
    """HR@10 and NDCG@10 of every case by ranx; a case without a list has 0."""
    users, items = interactions.users.ids, interactions.items.ids
    wanted = {
        users[user]: {items[item]: 1 for item in cases.targets_of(case)}
        for case, user in enumerate(cases.user_index.tolist())
    }
    found: dict[str, dict[str, float]] = {user: {} for user in wanted}
    for user, item, place in zip(
        *(lists[name].to_pylist() for name in ("user_id", "item_id", "rank")), strict=True
    ):
        if user in found:
            found[user][item] = 1.0 / place  # the order, which equal scores would leave open
    qrels = Qrels(wanted)
    run = Run({user: scored or {"": 0.0} for user, scored in found.items()})
    names = {"hr@10": "hit_rate@10", "ndcg@10": "ndcg@10"}
    score_by_ranx(qrels, run, list(names.values()))
    return {
        name: np.array([run.scores[metric][user] for user in wanted], np.float64)
        for name, metric in names.items()
    }


def _print(made: Mapping[str, Made], scores: Mapping[str, Mapping[str, DoubleArray]], title: str) -> None:
    """One table of quality, of the paired difference of recsys from each, and of cost."""
    matrix = np.stack([found["ndcg@10"] for found in scores.values()], axis=1)
    place = list(scores).index(OURS)
    intervals = paired_bootstrap(matrix, np.full(matrix.shape[1], place), 2000, np.random.default_rng(0))
    table = [
        {
            "model": model,
            "hr@10": round(float(found["hr@10"].mean()), 4),
            "ndcg@10": round(float(found["ndcg@10"].mean()), 4),
            "we lead by": round(-float(intervals.difference[column]), 4),
            "from": round(-float(intervals.difference_high[column]), 4),
            "to": round(-float(intervals.difference_low[column]), 4),
            "train CPU s": round(made[model].seconds or 0.0, 1),
            "peak MB": round(made[model].peak_mb or 0.0),
        }
        for column, (model, found) in enumerate(scores.items())
    ]
    print_rows(table, as_json=False, title=title)


def _row(ours: float, peer: str, value: float) -> dict[str, Any]:
    ratio = ours / value if value else float("inf")
    return {
        "name": "quality",
        "unit": "NDCG@10",
        "ours": round(ours, 4),
        "peer": peer,
        "peer_value": round(value, 4),
        "ratio": round(ratio, 2),
        "at_least": AT_LEAST,
        "aim": AIM,
        "ok": ratio >= AT_LEAST,
    }
