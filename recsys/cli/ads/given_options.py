"""The options that say what a campaign is: the same ones where it is made, changed and forecast."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from recsys.cli.ads import options
from recsys.jobs.ads.campaign_options import CampaignOptions, read_item_ids

GIVEN = "given"  # the parameter in whose place they are


def _campaign_options(
    name: options.Name = None,
    pricing: options.Pricing = None,
    bid: options.Bid = None,
    target_roas: options.Roas = None,
    most_clicks: options.MostClicks = False,
    max_bid: options.MaxBid = None,
    budget_per_day: options.BudgetPerDay = None,
    budget_total: options.BudgetTotal = None,
    start: options.Start = None,
    end: options.End = None,
    target: options.Targets = None,
    keywords: options.Keywords = None,
    placement: options.Placements = None,
    quality_floor: options.QualityFloor = None,
    cap: options.Cap = None,
    never_beside: options.NeverBeside = None,
    items: options.Items = None,
    line: options.LineName = None,
    line_bid: options.LineBid = None,
    line_budget_per_day: options.LineBudgetPerDay = None,
    line_budget_total: options.LineBudgetTotal = None,
) -> CampaignOptions:
    return CampaignOptions(
        name=name,
        pricing=pricing,
        bid=bid,
        target_roas=target_roas,
        most_clicks=most_clicks,
        max_bid=max_bid,
        budget_per_day=budget_per_day,
        budget_total=budget_total,
        start=start,
        end=end,
        targets=target or None,
        keywords=keywords or None,
        placements=placement or None,
        quality_floor=quality_floor,
        cap=cap,
        never_beside=never_beside or None,
        items=read_item_ids(items) if items else None,
        line=line,
        line_bid=line_bid,
        line_budget_per_day=line_budget_per_day,
        line_budget_total=line_budget_total,
    )


def takes_campaign_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with these options in the place of its parameter `given`, which gets what they say."""
    of_campaign = inspect.signature(_campaign_options, eval_str=True).parameters

    @functools.wraps(command)
    def run(**values: Any) -> None:
        given = _campaign_options(**{name: values.pop(name) for name in of_campaign})
        command(**{GIVEN: given}, **values)

    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(command, eval_str=True).parameters.values():
        parameters += of_campaign.values() if each.name == GIVEN else [each]
    # Typer reads the signature, and options need no order.
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
