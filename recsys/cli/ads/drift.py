"""`recsys ads drift`: whether the probabilities that ads were served with come true."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_json, print_rows
from recsys.config import load_settings


def drift(
    days: Annotated[
        float | None,
        typer.Option(min=0.05, help="How many days to look back. Default: health.click_drift_days."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the clicks that the ad log expected with those that came: PCOC, 1 is right.

    Services show what was measured last; `recsys refresh` measures too.

    \b
    Example:
      recsys ads drift --days 7
    """
    from recsys.jobs.clicks.drift import measure_click_drift

    found = measure_click_drift(load_settings(), days)
    if as_json:
        print_json(found.to_json())
    else:
        print_rows(found.rows, as_json=False, title=f"expected clicks over clicks, last {found.days:g} days")
