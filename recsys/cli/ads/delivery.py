"""`recsys ads campaign report | why-not | forecast`: what a campaign delivered, and what it would."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.ads.given_options import takes_campaign_options
from recsys.cli.ads.options import InAccount, Which
from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings
from recsys.jobs.ads.campaign_options import CampaignOptions

if TYPE_CHECKING:
    from recsys.jobs.ads.delivery.campaign_delivery import CampaignDelivery

Picture = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw the waterfall of all days as a PNG into this file."),
]


def report(
    which: Which,
    account: InAccount = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="The first day, in the account's time zone."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day, included. Default: today.")
    ] = None,
    picture: Picture = None,
    from_log: Annotated[
        bool,
        typer.Option(
            "--from-log",
            help="Count viewable impressions, clicks, purchases and their value by events on the ads that "
            "were served; reads the log of served ads and the event lake. Default: what the books know.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report a campaign by day: requests, auctions, clicks, spend and rates. Without --from: of 7 days.

    --json has the step at which each request was lost too.

    \b
    Example:
      recsys ads campaign report summer
      recsys ads campaign report summer --from-log
      recsys ads campaign report summer --from 2026-05-01 --to 2026-05-31 --picture waterfall.png
    """
    shown = _delivery().report(which, account, first, last, picture, from_log)
    if as_json:
        print_json(shown.to_json())
        return
    currency = f", {shown.currency}" if shown.currency else ""
    title = f"{shown.campaign.name} of {shown.account.name}, days of {shown.account.time_zone}{currency}"
    print_rows(shown.to_rows(), as_json=False, title=title, strong="total")
    for gap in shown.gaps:
        note(f"warning: events are missing: {gap}")
    if shown.counted_since:
        note(f"requests, matches and auctions are counted since {shown.counted_since}: see `ads.log_days`")
    if shown.held_out:
        note(f"{shown.held_out:,} requests of held-out users are left out")
    if shown.lost_seconds:
        note(f"up to {shown.lost_seconds:.0f} s of one process's requests were lost as processes were killed")


def why_not(which: Which, account: InAccount = None, as_json: AsJson = False) -> None:
    """Tell what keeps a campaign's ads away: what is wrong with it now, and what serving saw in 24 hours.

    The first is status, review, dates, items, targets, bids and budgets; the second the step at which most
    requests were lost.

    \b
    Example:
      recsys ads campaign why-not summer
    """
    found = _delivery().why_not(which, account)
    if as_json:
        print_json(found.to_json())
        return
    seen, keeps = found.last_hours, {True: "all ads", False: "some ads"}
    rows = [
        {"step": each.step, "keeps away": keeps[each.blocks], "why": each.message} for each in found.obstacles
    ]
    if rows:
        print_rows(rows, as_json=False)
    else:
        note("nothing keeps its ads away")
    if seen.waterfall.requests == 0:
        note("no request for ads was served in the last 24 hours")
    else:
        requests, won = seen.waterfall.requests, seen.waterfall.won
        note(f"of {requests:,} requests of the last 24 hours it was shown in {won:,}")
    if seen.message is not None:
        note(f"most were lost here: {seen.message}")


@takes_campaign_options
def forecast(
    given: CampaignOptions,
    which: Annotated[
        str | None,
        typer.Argument(metavar="CAMPAIGN", help="Name or id of one that is there. Default: a new one."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Whose it is, by name or id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a campaign is to be expected to deliver a day, before it is made or changed.

    Takes the options of `create`, or a campaign and the options of `edit`. The forecast is kept: the report
    holds later days against it.

    \b
    Example:
      recsys ads campaign forecast --account acme --budget-per-day 50.00 --bid 0.40 --items 1,2,3
      recsys ads campaign forecast summer
      recsys ads campaign forecast summer --bid 0.60
    """
    from recsys.jobs.ads.delivery.campaign_forecast import forecast_campaign

    shown = forecast_campaign(load_settings(), which, account, given)
    if as_json:
        print_json(shown.to_json())
        return
    print_rows(shown.to_rows(), as_json=False, title=shown.campaign.campaign.name)
    for assumption in shown.forecast.assumptions:
        note(f"assumed: {assumption}")


def _delivery() -> "CampaignDelivery":
    from recsys.jobs.ads.delivery.campaign_delivery import CampaignDelivery

    return CampaignDelivery(load_settings())
