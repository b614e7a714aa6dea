"""`recsys ads`."""

import typer

from recsys.cli.ads.evaluate_policy import evaluate_policy

app = typer.Typer(no_args_is_help=True, help="Ads: what another policy would have earned.")
app.callback()(lambda: None)  # or Typer makes a group of one command that command
app.command("evaluate-policy")(evaluate_policy)
