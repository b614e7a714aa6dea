"""`recsys ads`."""

import typer

from recsys.cli.ads import account, campaign

app = typer.Typer(no_args_is_help=True, help="Ads: advertisers' accounts and their campaigns.")
app.add_typer(account.app, name="account")
app.add_typer(campaign.app, name="campaign")
