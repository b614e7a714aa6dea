"""One peer, trained and asked, in the environment that `scripts/peers` makes: `peer_models.py NAME FOLDER K`.

FOLDER holds train.parquet and histories.parquet (user_id, item_id, at: what may be learned from, and what
was known when the test asked), written by quality_bench. Writes NAME.parquet (user_id, item_id, rank,
score) and prints CPU seconds, peak memory and examples as JSON. Imports nothing of recsys.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# The settings of the papers' and libraries' examples for data of this size; width and length are ours.
WIDTH, LENGTH, BATCH, SEED = 64, 50, 128, 0
STEPS_A_ROUND, ROUNDS, PATIENCE = 200, 25, 3  # between two looks at validation, and how many of them
Table = Any  # a pandas DataFrame
Peer = Callable[[Table, Table, int], tuple[Table, float]]  # train, histories, k -> lists, seconds


def sequential(kind: str, epochs: int, blocks: int = 2) -> Any:
    """RecTools' SASRec or BERT4Rec."""
    import torch
    from rectools.models import BERT4RecModel, SASRecModel

    torch.manual_seed(SEED)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    model = {"sasrec": SASRecModel, "bert4rec": BERT4RecModel}[kind]
    return model(
        n_blocks=blocks,
        n_heads=2,
        n_factors=WIDTH,
        session_max_len=LENGTH,
        batch_size=BATCH,
        epochs=epochs,
        deterministic=True,
        recommend_torch_device="cpu",
    )


def dataset(table: Table) -> Any:
    """RecTools' view of a table."""
    from rectools import Columns
    from rectools.dataset import Dataset

    names = {"user_id": Columns.User, "item_id": Columns.Item, "at": Columns.Datetime}
    return Dataset.construct(table.rename(columns=names).assign(**{Columns.Weight: 1.0}))


def by_sequence(kind: str) -> Peer:
    """Fits on the training part until validation no longer gets better, asks with the whole history."""

    def run(train: Table, histories: Table, k: int) -> tuple[Table, float]:
        later = histories.merge(train, how="left", on=["user_id", "item_id", "at"], indicator=True)
        later = later.loc[later["_merge"] == "left_only", ["user_id", "item_id"]]
        later = later[later["user_id"].isin(train["user_id"])]
        epochs = -(-STEPS_A_ROUND * BATCH // train["user_id"].nunique())
        data, whole = dataset(train), dataset(histories)
        model, best, lists, waited = sequential(kind, epochs), -1.0, None, 0
        start = time.process_time()
        for _ in range(ROUNDS):
            model.fit_partial(data, min_epochs=epochs, max_epochs=epochs)
            quality = ndcg(ask(model, later["user_id"].unique(), data, 10), later)
            print(f"{kind}: NDCG@10 on validation {quality:.4f}", file=sys.stderr)
            if quality > best:
                best, waited = quality, 0
                lists = ask(model, histories["user_id"].unique(), whole, k)
            waited += quality < best
            if waited == PATIENCE:
                break
        return lists, time.process_time() - start

    return run


def ask(model: Any, users: Any, data: Any, k: int) -> Table:
    """Lists for `users`, what they had left out."""
    found = model.recommend(
        users=users, dataset=data, k=k, filter_viewed=True, on_unsupported_targets="ignore"
    )
    return found[["user_id", "item_id", "rank", "score"]]


def ndcg(lists: Table, wanted: Table) -> float:
    """A plain NDCG@10, to stop by: gains found over the gains of as many places."""
    hits = lists.merge(wanted.drop_duplicates(), on=["user_id", "item_id"])
    gains = (1 / np.log2(hits["rank"] + 1)).groupby(hits["user_id"]).sum()
    most = np.cumsum(1 / np.log2(np.arange(2, 12)))
    possible = wanted.drop_duplicates().groupby("user_id").size().map(lambda n: most[min(n, 10) - 1])
    return float((gains / possible).fillna(0.0).mean())


def by_matrix(kind: str) -> Peer:
    """implicit's ALS or BPR; ALS folds the whole history in, BPR knows users by training alone."""

    def run(train: Table, histories: Table, k: int) -> tuple[Table, float]:
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking
        from scipy.sparse import csr_matrix

        users = np.unique(np.concatenate([train["user_id"], histories["user_id"]]))
        items = np.unique(train["item_id"])
        shape = (len(users), len(items))

        def matrix(table: Table) -> Any:
            table = table[table["item_id"].isin(items)].drop_duplicates(["user_id", "item_id"])
            rows = np.searchsorted(users, table["user_id"]), np.searchsorted(items, table["item_id"])
            return csr_matrix((np.ones(len(table), np.float32), rows), shape=shape)

        if kind == "als":
            model = AlternatingLeastSquares(
                WIDTH, regularization=0.05, alpha=2.0, iterations=15, random_state=SEED
            )
        else:
            model = BayesianPersonalizedRanking(WIDTH, iterations=100, random_state=SEED)
        start = time.process_time()
        model.fit(matrix(train), show_progress=False)
        seconds = time.process_time() - start
        asked = np.unique(histories["user_id"])
        rows = np.searchsorted(users, asked)
        found, scores = model.recommend(
            rows,
            matrix(histories)[rows],
            N=k,
            filter_already_liked_items=True,
            recalculate_user=kind == "als",
        )
        places = np.tile(np.arange(1, found.shape[1] + 1), len(asked))
        columns = {
            "user_id": np.repeat(asked, found.shape[1]),
            "item_id": items[found.ravel()],
            "rank": places,
            "score": scores.ravel(),
        }
        return pd.DataFrame(columns), seconds

    return run


PEERS: dict[str, Peer] = {
    "sasrec": by_sequence("sasrec"),
    "bert4rec": by_sequence("bert4rec"),
    "als": by_matrix("als"),
    "bpr": by_matrix("bpr"),
}


def speed(train: Table) -> dict[str, float]:
    """CPU seconds of SASRec's fits of one and of three epochs, one block; and the examples of an epoch."""
    counts = train.groupby("user_id").size()
    examples = int((counts[counts > 1].clip(upper=LENGTH + 1) - 1).sum())
    data, taken = dataset(train), []
    for epochs in (1, 3):
        model = sequential("sasrec", epochs, blocks=1)
        start = time.process_time()
        model.fit(data)
        taken.append(time.process_time() - start)
    return {"examples": examples, "seconds_an_epoch": (taken[1] - taken[0]) / 2}


def main(name: str, folder: Path, k: int) -> None:
    train = pd.read_parquet(folder / "train.parquet")
    if name == "speed":
        print(json.dumps(speed(train)))
        return
    found, seconds = PEERS[name](train, pd.read_parquet(folder / "histories.parquet"), k)
    found.to_parquet(folder / f"{name}.parquet", index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
