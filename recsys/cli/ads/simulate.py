"""`recsys ads simulate`: what a change would do, on simulated shoppers whose tastes are known."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings

Days = Annotated[int, typer.Option(help="How many days, from a Monday on.")]
Auctions = Annotated[int, typer.Option(help="Of each policy, in all days together.")]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        help="A TOML or JSON file that says what changes. Default: the default and the simplest alone."
    ),
]
Seed = Annotated[int, typer.Option(help="Of shoppers, advertisers and chance.")]
Picture = Annotated[
    Path | None, typer.Option(help="A PNG to write: the spend of one budget, and the calibration.")
]


def simulate(
    days: Days = 7,
    auctions: Auctions = 1_000_000,
    policy: PolicyOption = None,
    seed: Seed = 0,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """What a change of auction, prices or pacing would do, on simulated shoppers whose tastes are known.

    The default policy is what `[ads]` of the settings says, so what runs. It, the simplest one (the budget in
    equal parts over the hours, bids as they are) and that of --policy answer the same requests with the same
    chance. Intervals are over days.

    \b
    Example:
      recsys ads simulate --days 7 --auctions 1000000 --picture simulation.png
      recsys ads simulate --days 7 --auctions 200000 --policy first-price.toml
    """
    from recsys.jobs.ads.simulation.simulate import SimulationQuestion, simulate_ads

    found = simulate_ads(SimulationQuestion(days, auctions, policy, seed, picture), load_settings().ads, bars)
    if as_json:
        print_json(found.to_json())
        return
    note(found.headline)
    print_rows(found.rows, as_json=False, title="means over days with 95% intervals")
    if differences := found.difference_rows:
        print_rows(differences, as_json=False, title="differences on the same requests")
    for line in found.verdicts:
        note(line)
