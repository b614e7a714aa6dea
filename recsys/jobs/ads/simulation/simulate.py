"""`recsys ads simulate`: what a change of how ads are chosen, priced and paced would do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recsys import atomic
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.jobs.ads.simulation.simulated_policies import read_simulated_policy
from recsys.jobs.ads.simulation.simulation_runs import run_policies
from recsys.progress import Progress, silent
from recsys.service_settings import AdsSettings
from recsys.simulation.ads.advertisers import MarketSize, draw_market
from recsys.simulation.ads.budgets import with_budgets
from recsys.simulation.ads.comparison import PolicyComparison, compare_policies
from recsys.simulation.ads.policy import default_policy, simplest_policy
from recsys.simulation.ads.tables import (
    comparison_json,
    difference_rows,
    headline,
    measure_rows,
    verdict_lines,
)

MOST_DAYS, MOST_AUCTIONS = 60, 100_000_000


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


@dataclass(frozen=True)
class SimulationReport:
    """Policies beside each other."""

    comparison: PolicyComparison

    @property
    def headline(self) -> str:
        """What was simulated."""
        return headline(self.comparison)

    @property
    def rows(self) -> Sequence[JsonObject]:
        """Each measure of each policy, for people."""
        return measure_rows(self.comparison)

    @property
    def difference_rows(self) -> Sequence[JsonObject]:
        """The differences of policies, for people."""
        return difference_rows(self.comparison)

    @property
    def verdicts(self) -> Sequence[str]:
        """Which policy is better on what, in a sentence a pair."""
        return verdict_lines(self.comparison)

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        return comparison_json(self.comparison)


def simulate_ads(
    question: SimulationQuestion, settings: AdsSettings, progress: Progress = silent
) -> SimulationReport:
    """The default policy, the simplest one and that of the file on the same requests, each in its process.

    Args:
        settings: of the home: what they say of auctions and exploration is the default policy.

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
    default = default_policy(settings)
    policies = [default, simplest_policy(default)]
    if question.policy is not None:
        policies.append(read_simulated_policy(question.policy, default))
    market = draw_market(question.seed, question.size)
    market = with_budgets(market, question.auctions / question.days, question.size.large)
    with progress(f"{len(policies)} policies", len(policies) * question.auctions) as advance:
        runs = run_policies(market, policies, question.days, question.auctions, advance)
    comparison = compare_policies(market, runs)
    if question.picture is not None:
        from recsys.jobs.ads.simulation.simulation_plots import (
            simulation_plot,  # it brings the evaluation's libraries
        )

        atomic.write_bytes(question.picture, simulation_plot(comparison))
    return SimulationReport(comparison)
