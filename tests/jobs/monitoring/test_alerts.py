"""Every alert fires for what it is for, and none for a healthy service: asked of promtool."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from recsys.config import Settings
from recsys.health.problems import PROBLEM_KINDS
from recsys.jobs.monitoring.alerts import alerts
from recsys.jobs.monitoring.files import write_monitoring
from recsys.jobs.monitoring.panels import PANEL_ROWS
from recsys.service_settings import HealthSettings

BOUNDS = HealthSettings()
MINUTES = 60
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool of Debian's package prometheus is not on the PATH"
)

# A healthy service, scraped every minute: series -> values in promtool's notation.
STEADY, NONE = f"0+60x{MINUTES}", f"0+0x{MINUTES}"
REQUEST = 'route="/v1/recommend",status="200"'
HEALTHY = {
    **{f'recsys_problem{{job="recsys",code="{kind.code}"}}': NONE for kind in PROBLEM_KINDS},
    f'recsys_request_seconds_count{{job="recsys",{REQUEST}}}': STEADY,
    f'recsys_request_seconds_bucket{{job="recsys",{REQUEST},le="0.06"}}': STEADY,
    f'recsys_request_seconds_bucket{{job="recsys",{REQUEST},le="1.0"}}': STEADY,
    f'recsys_request_seconds_bucket{{job="recsys",{REQUEST},le="+Inf"}}': STEADY,
    'recsys_request_seconds_count{job="recsys",route="/readyz",status="503"}': STEADY,
    'recsys_requests_in_flight{job="recsys"}': NONE,
    'recsys_online_lag_seconds{job="recsys",source="lake"}': NONE,
    'recsys_online_lag_seconds{job="recsys",source="stream"}': f"1+0x{MINUTES}",
    'recsys_event_freshness_seconds{job="recsys",quantile="0.99"}': f"0.05+0x{MINUTES}",
    'recsys_event_bodies_turned_away_total{job="recsys"}': NONE,
    'recsys_turned_away_total{job="recsys",turns="answers"}': NONE,
    'recsys_served_records_dropped_total{job="recsys",log="slates"}': NONE,
    'recsys_background_failures_total{job="recsys",task="catalog watch"}': NONE,
}
# Alert -> what has to be otherwise for it (None: the series is gone), and the labels that it then has.
FIRING: dict[str, tuple[dict[str, str | None], dict[str, str]]] = {
    "RecsysErrors": (
        {'recsys_request_seconds_count{job="recsys",route="/v1/recommend",status="500"}': f"0+3x{MINUTES}"},
        {"job": "recsys"},
    ),
    "RecsysSlow": (
        {f'recsys_request_seconds_bucket{{job="recsys",{REQUEST},le="0.06"}}': NONE},
        {"job": "recsys"},
    ),
    "RecsysOverloaded": (
        {'recsys_turned_away_total{job="recsys",turns="answers"}': f"0+2x{MINUTES}"},
        {"job": "recsys"},
    ),
    "RecsysDown": ({'recsys_requests_in_flight{job="recsys"}': None}, {}),
    "RecsysNoRequests": (
        {f'recsys_request_seconds_count{{job="recsys",{REQUEST}}}': f"900+0x{MINUTES}"},
        {"job": "recsys"},
    ),
    "RecsysBackgroundFailures": (
        {'recsys_background_failures_total{job="recsys",task="catalog watch"}': f"0+1x{MINUTES}"},
        {"job": "recsys", "task": "catalog watch"},
    ),
    "RecsysOnlineLag": (
        {'recsys_online_lag_seconds{job="recsys",source="lake"}': f"7201+60x{MINUTES}"},
        {"job": "recsys", "source": "lake"},
    ),
    "RecsysEventsInvisible": (
        {'recsys_event_freshness_seconds{job="recsys",quantile="0.99"}': f"6+0x{MINUTES}"},
        {"job": "recsys"},
    ),
    "RecsysEventsTurnedAway": (
        {'recsys_event_bodies_turned_away_total{job="recsys"}': f"0+1x{MINUTES}"},
        {"job": "recsys"},
    ),
    "RecsysServedRecordsLost": (
        {'recsys_served_records_dropped_total{job="recsys",log="slates"}': f"0+1x{MINUTES}"},
        {"job": "recsys", "log": "slates"},
    ),
    **{
        "Recsys" + "".join(word.capitalize() for word in kind.code.split("_")): (
            {f'recsys_problem{{job="recsys",code="{kind.code}"}}': f"1+0x{MINUTES}"},
            {"job": "recsys", "code": kind.code},
        )
        for kind in PROBLEM_KINDS
    },
}


def expected(name: str) -> dict[str, Any]:
    """The alert as it fires."""
    alert = next(alert for alert in alerts(BOUNDS) if alert.name == name)
    return {
        "exp_labels": {"severity": alert.severity, **FIRING[name][1]},
        "exp_annotations": {"summary": alert.summary, "remedy": alert.remedy},
    }


def rule_test(changes: dict[str, str | None], firing: set[str]) -> dict[str, Any]:
    """A healthy service but for `changes`: after an hour exactly the alerts `firing` fire."""
    series = {name: values for name, values in {**HEALTHY, **changes}.items() if values is not None}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{MINUTES}m",
                "alertname": alert.name,
                "exp_alerts": [expected(alert.name)] if alert.name in firing else [],
            }
            for alert in alerts(BOUNDS)
        ],
    }


def promtool_on(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=120)


def run_rule_tests(folder: Path, *tests: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    """What promtool says of the written rules under these tests."""
    rules = write_monitoring(Settings(), folder).alerts.name
    document = {"rule_files": [rules], "evaluation_interval": "1m", "tests": list(tests)}
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    return promtool_on(folder, "test", "rules", "test.yml")


def test_every_alert_has_a_case() -> None:
    assert set(FIRING) == {alert.name for alert in alerts(BOUNDS)}


@promtool
def test_each_alert_fires_for_what_it_is_for_and_no_other_does(tmp_path: Path) -> None:
    cases = (rule_test(changes, {name}) for name, (changes, _) in FIRING.items())
    done = run_rule_tests(tmp_path, rule_test({}, set()), *cases)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_an_alert_that_does_not_fire_is_found_out(tmp_path: Path) -> None:
    assert run_rule_tests(tmp_path, rule_test({}, {"RecsysErrors"})).returncode != 0


@promtool
def test_the_expressions_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    queries = [query.expression for row in PANEL_ROWS for panel in row.panels for query in panel.queries]
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool_on(tmp_path, "check", "rules", "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bound_of_the_lag_is_a_setting() -> None:
    found = {alert.name: alert for alert in alerts(HealthSettings(schedule_seconds=600))}
    lag = found["RecsysOnlineLag"]
    assert lag.expression.endswith("> 1200")
