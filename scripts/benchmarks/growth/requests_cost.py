"""Prints what a recommendation costs in a process that has this home's bundle: ms of its CPU, the median."""

import json
import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from recsys.config import load_settings
from recsys.funnel.requests import RecommendRequest
from recsys.instants import utc_now
from recsys.jobs.recommend.answers import ask_storefront
from recsys.search.storefront import Storefront

WARM_UP, REQUESTS, BLOCK = 40, 400, 20
USERS = 1000  # the smallest shop has as many


def request_cost(storefront: Storefront) -> float:
    """Milliseconds of CPU a request, of users drawn at random: the median of blocks."""
    numbers = np.random.default_rng(0).integers(1, USERS, WARM_UP + REQUESTS)
    taken = []
    for first in range(0, len(numbers), BLOCK):
        before = time.process_time()
        _ask(storefront, [f"u{each}" for each in numbers[first : first + BLOCK].tolist()])
        taken.append((time.process_time() - before) / BLOCK)
    return 1e3 * median(taken[WARM_UP // BLOCK :])


def _ask(storefront: Storefront, users: Sequence[str]) -> None:
    for user in users:
        slate = storefront.recommender.recommend(RecommendRequest("growth", user), utc_now())
        if slate.degraded:
            raise RuntimeError(f"not a full answer for {user}: {slate.degraded}")


if __name__ == "__main__":
    print(json.dumps({"milliseconds": ask_storefront(load_settings(), None, request_cost)}))
