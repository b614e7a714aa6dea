"""Runs of simulated policies, each in a process of its own."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from ctypes import c_int64
from typing import Any

from recsys.progress import Advance
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.run import PolicyRun, market_traffic, run_policy

FEW_AUCTIONS = 50_000  # up to so many, processes would take longer to start than to work
_LOOK_SECONDS = 0.5
_answered: list[Any] = []  # of a process of the pool: the count that all of them share


def run_policies(
    market: Market, policies: Sequence[AdPolicy], days: int, auctions: int, advance: Advance
) -> list[PolicyRun]:
    """The run of each policy, in their order; `advance` is told of the auctions of all of them."""
    if auctions <= FEW_AUCTIONS:
        traffic = market_traffic(market, days, auctions)
        return [run_policy(market, policy, traffic, advance) for policy in policies]
    context = multiprocessing.get_context("spawn")
    count = context.Value(c_int64, 0)
    told = 0
    with ProcessPoolExecutor(len(policies), context, _share_count, (count,)) as pool:
        waiting: list[Future[PolicyRun]] = [
            pool.submit(_run_one, market, policy, days, auctions) for policy in policies
        ]
        while True:
            done = not wait(waiting, _LOOK_SECONDS).not_done
            advance(count.value - told)
            told = count.value
            if done or any(future.done() and future.exception() for future in waiting):
                return [future.result() for future in waiting]


def _share_count(count: Any) -> None:
    _answered[:] = [count]


def _run_one(market: Market, policy: AdPolicy, days: int, auctions: int) -> PolicyRun:
    def advance(requests: int) -> None:
        with _answered[0].get_lock():
            _answered[0].value += requests

    return run_policy(market, policy, market_traffic(market, days, auctions), advance)
