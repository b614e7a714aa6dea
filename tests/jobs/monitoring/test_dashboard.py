"""The dashboard is one that Grafana knows, and shows the metrics that there are: all and no others."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.errors import StoreUnavailableError
from recsys.jobs.monitoring.alerts import alerts
from recsys.jobs.monitoring.dashboard import HEIGHT, WIDTH, grafana_dashboard
from recsys.jobs.monitoring.files import ALERTS_FILE, DASHBOARD_FILE
from recsys.service_settings import HealthSettings
from serving.metrics import ServiceMetrics

NAME = re.compile(r"recsys_\w+")


def expressions(dashboard: Any) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def offered_metrics() -> dict[str, str]:
    """Name of each metric of the service -> its type, as /metrics says it."""
    text = ServiceMetrics().text().decode()
    found = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    return {name: kind for name, kind in found if not name.endswith("_created")}


def series(name: str, kind: str) -> set[str]:
    """The series that a metric has."""
    return {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "histogram" else {name}


def test_grafana_knows_every_key_of_the_dashboard() -> None:
    register_default_plugins()
    dashboard = grafana_dashboard()
    known = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(dashboard)))

    def lost(ours: Any, theirs: Any, place: str) -> Iterator[str]:
        if isinstance(ours, dict):
            for key, value in ours.items():
                if key not in theirs:
                    yield f"{place}.{key}"
                else:
                    yield from lost(value, theirs[key], f"{place}.{key}")
        elif isinstance(ours, list):
            assert len(ours) == len(theirs), place
            for number, value in enumerate(ours):
                yield from lost(value, theirs[number], f"{place}[{number}]")
        elif ours != theirs:
            yield f"{place}: {ours!r} became {theirs!r}"

    assert list(lost(dashboard, known, "")) == []


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = grafana_dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert {panel["gridPos"]["w"] for panel in panels if panel["type"] != "row"} == {WIDTH}
    assert {panel["gridPos"]["h"] for panel in panels if panel["type"] != "row"} == {HEIGHT}


def test_every_metric_is_shown_and_what_is_shown_or_alerted_on_exists() -> None:
    offered = offered_metrics()
    all_series = {each for name, kind in offered.items() for each in series(name, kind)}
    shown = {name for text in expressions(grafana_dashboard()) for name in NAME.findall(text)}
    alerted = {name for alert in alerts(HealthSettings()) for name in NAME.findall(alert.expression)}
    assert shown | alerted <= all_series
    hidden = {name for name, kind in offered.items() if not series(name, kind) & shown}
    assert hidden == set()


def test_the_command_writes_both_files_and_writes_them_again(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "monitoring"
    for _ in range(2):
        words = ["monitoring", "--into", str(folder), "--json"]
        written = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert json.loads(Path(written["dashboard"]).read_text())["title"] == "recsys"
    groups = yaml.safe_load(Path(written["alerts"]).read_text())["groups"]
    assert len(groups[0]["rules"]) == len(alerts(HealthSettings()))
    assert {path.name for path in folder.iterdir()} == {DASHBOARD_FILE, ALERTS_FILE}


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, home: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="--into"):
        CliRunner().invoke(app, ["monitoring", "--into", str(tmp_path / "file")], catch_exceptions=False)
