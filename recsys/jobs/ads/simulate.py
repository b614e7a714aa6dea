"""`recsys ads simulate`: what a change of how ads are chosen, priced and paced would do."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from ctypes import c_int64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys import atomic
from recsys.errors import ConfigError
from recsys.jobs.ads.simulated_policies import read_simulated_policy
from recsys.jobs.ads.simulation_plots import simulation_plot
from recsys.progress import Advance, Progress, silent
from recsys.simulation.ads.advertisers import MarketSize, draw_market
from recsys.simulation.ads.budgets import with_budgets
from recsys.simulation.ads.comparison import PolicyComparison, compare_policies
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import DEFAULT_POLICY, SIMPLEST_POLICY, AdPolicy
from recsys.simulation.ads.run import PolicyRun, market_traffic, run_policy

MOST_DAYS, MOST_AUCTIONS = 60, 100_000_000
FEW_AUCTIONS = 50_000  # up to so many, processes would take longer to start than to work
_LOOK_SECONDS = 0.5
_answered: list[Any] = []  # of a process of the pool: the count that all of them share


@dataclass(frozen=True)
class SimulationQuestion:
    """What to simulate.

    Attributes:
        auctions: of each policy, in all days together.
        policy: a file, see `read_simulated_policy`; None = the default and the simplest policy alone.
        picture: where a PNG goes.
    """

    days: int = 7
    auctions: int = 1_000_000
    policy: Path | None = None
    seed: int = 0
    picture: Path | None = None
    size: MarketSize = field(default_factory=MarketSize)


def simulate_ads(question: SimulationQuestion, progress: Progress = silent) -> PolicyComparison:
    """The default policy, the simplest one and that of the file on the same requests, each in its process.

    Raises:
        ConfigError: days, auctions, seed or the policy cannot be.
    """
    for name, value, most in (
        ("--days", question.days, MOST_DAYS),
        ("--auctions", question.auctions, MOST_AUCTIONS),
    ):
        if not 1 <= value <= most:
            raise ConfigError(f"{name} {value} is not between 1 and {most:,}. Give a number in that range.")
    if question.seed < 0:
        raise ConfigError(f"--seed {question.seed} is below 0. Give a number from 0.")
    policies = [DEFAULT_POLICY, SIMPLEST_POLICY]
    if question.policy is not None:
        policies.append(read_simulated_policy(question.policy))
    market = draw_market(question.seed, question.size)
    market = with_budgets(market, question.auctions / question.days, question.size.large)
    with progress(f"{len(policies)} policies", len(policies) * question.auctions) as advance:
        runs = _run_all(market, policies, question, advance)
    comparison = compare_policies(market, runs)
    if question.picture is not None:
        atomic.write_bytes(question.picture, simulation_plot(comparison))
    return comparison


def _run_all(
    market: Market, policies: Sequence[AdPolicy], question: SimulationQuestion, advance: Advance
) -> list[PolicyRun]:
    if question.auctions <= FEW_AUCTIONS:
        traffic = market_traffic(market, question.days, question.auctions)
        return [run_policy(market, policy, traffic, advance) for policy in policies]
    context = multiprocessing.get_context("spawn")
    count = context.Value(c_int64, 0)
    told = 0
    with ProcessPoolExecutor(len(policies), context, _share_count, (count,)) as pool:
        waiting: list[Future[PolicyRun]] = [
            pool.submit(_run_one, market, policy, question.days, question.auctions) for policy in policies
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
