"""`recsys ads`."""

import typer

from recsys.cli.ads import account, campaign, delivery, ledger
from recsys.cli.ads.attribution import attribution
from recsys.cli.ads.drift import drift
from recsys.cli.ads.evaluate_policy import evaluate_policy
from recsys.cli.ads.run import run
from recsys.cli.ads.simulate import simulate

app = typer.Typer(
    no_args_is_help=True,
    help="Ads: accounts, campaigns, bills, sales, the charge worker, and what another policy would earn.",
)
app.add_typer(account.app, name="account")
campaign.app.command("forecast")(delivery.forecast)
campaign.app.command("report")(delivery.report)
campaign.app.command("why-not")(delivery.why_not)
app.add_typer(campaign.app, name="campaign")
app.add_typer(ledger.app, name="ledger")
app.command("attribution")(attribution)
app.command("evaluate-policy")(evaluate_policy)
app.command("drift")(drift)
app.command()(run)
app.command("simulate")(simulate)
