"""`recsys ads`."""

import typer

from recsys.cli.ads import account, campaign, delivery, ledger
from recsys.cli.ads.evaluate_policy import evaluate_policy

app = typer.Typer(
    no_args_is_help=True,
    help="Ads: advertisers' accounts, their campaigns and bills, and what another policy would have earned.",
)
app.add_typer(account.app, name="account")
campaign.app.command("forecast")(delivery.forecast)
campaign.app.command("report")(delivery.report)
campaign.app.command("why-not")(delivery.why_not)
app.add_typer(campaign.app, name="campaign")
app.add_typer(ledger.app, name="ledger")
app.command("evaluate-policy")(evaluate_policy)
