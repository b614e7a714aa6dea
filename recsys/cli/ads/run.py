"""`recsys ads run`: charges what ads cost, and keeps the budgets."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson, Log, log_format
from recsys.cli.output import print_facts, set_log_format
from recsys.config import load_settings
from recsys.processes import end_with_starter, stop_on_signals


def run(
    once: Annotated[bool, typer.Option("--once", help="Charge what is there, then exit.")] = False,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Run one charge worker: clicks, viewable impressions and purchases of ads into the books.

    `recsys start` runs one too. Several share the events among them, and one takes over from another that
    dies. Stop one with Ctrl-C or SIGTERM: it finishes its batch. Killing it loses nothing either, and nothing
    is charged twice. It logs when it is ready, then a line a minute.

    \b
    Example:
      recsys ads run
      recsys ads run --once --json
    """
    end_with_starter()
    if log is not None:
        set_log_format(log_format(log))

    from recsys.jobs.ads.charging.first_account import charge_once_there_are_ads, charge_what_waits

    settings = load_settings()
    if once:
        print_facts(charge_what_waits(settings), as_json=as_json)
        return
    charge_once_there_are_ads(settings, stop_on_signals())
