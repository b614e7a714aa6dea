"""`recsys ads`."""

import typer

from recsys.cli.ads import account, campaign, ledger
from recsys.cli.ads.attribution import attribution
from recsys.cli.ads.evaluate_policy import evaluate_policy

app = typer.Typer(
    no_args_is_help=True,
    help="Ads: advertisers' accounts, their campaigns, bills and sales, and what another policy would earn.",
)
app.add_typer(account.app, name="account")
app.add_typer(campaign.app, name="campaign")
app.add_typer(ledger.app, name="ledger")
app.command("attribution")(attribution)
app.command("evaluate-policy")(evaluate_policy)
