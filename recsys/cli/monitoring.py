"""`recsys monitoring`: a dashboard for Grafana and alert rules for Prometheus."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_facts
from recsys.config import load_settings


def monitoring(
    into: Annotated[Path, typer.Option(help="The folder to write into.")], as_json: AsJson = False
) -> None:
    """Write a Grafana dashboard and Prometheus alert rules for the metrics of the service.

    Nothing is sent and nothing else is changed. docs/monitoring.md says how both are used.

    \b
    Example:
      recsys monitoring --into monitoring
    """
    from recsys.jobs.monitoring.files import write_monitoring

    print_facts(write_monitoring(load_settings(), into).to_json(), as_json=as_json)
