"""`recsys ads`."""

import typer

from recsys.cli.ads import account, campaign, ledger
from recsys.cli.ads.drift import drift
from recsys.cli.ads.evaluate_policy import evaluate_policy

app = typer.Typer(
    no_args_is_help=True,
    help="Ads: advertisers' accounts, their campaigns and bills, and what another policy would have earned.",
)
app.add_typer(account.app, name="account")
app.add_typer(campaign.app, name="campaign")
app.add_typer(ledger.app, name="ledger")
app.command("evaluate-policy")(evaluate_policy)
app.command("drift")(drift)
