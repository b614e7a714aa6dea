"""Alert rules of Prometheus: one for each problem, and for errors, latency, lag, losses and silence."""

from dataclasses import dataclass
from typing import Literal

from recsys.documents import JsonObject
from recsys.health.problems import PROBLEM_KINDS, ProblemKind
from recsys.jobs.monitoring.panels import OPERATIONS
from recsys.service_settings import HealthSettings

ERROR_SHARE = 0.01
TURNED_AWAY_SHARE = 0.01
SLOW_SECONDS = 0.5  # of a slate, the 99th percentile
INVISIBLE_SECONDS = 5.0  # from accepted to visible, the 99th percentile


@dataclass(frozen=True)
class Alert:
    """One alert rule.

    Attributes:
        minutes: how long the expression has to be true.
    """

    name: str
    expression: str
    minutes: int
    severity: Literal["critical", "warning"]
    summary: str
    remedy: str


def alerts(bounds: HealthSettings) -> tuple[Alert, ...]:
    """Every alert."""
    return (*map(_problem_alert, PROBLEM_KINDS), *_service_alerts(), *_data_alerts(bounds))


def alert_rules(bounds: HealthSettings) -> JsonObject:
    """The rule file of Prometheus, to be written as YAML."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": f"{alert.minutes}m",
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "remedy": alert.remedy},
        }
        for alert in alerts(bounds)
    ]
    return {"groups": [{"name": "recsys", "rules": rules}]}


def _problem_alert(kind: ProblemKind) -> Alert:
    name = "".join(word.capitalize() for word in kind.code.split("_"))
    return Alert(
        f"Recsys{name}",
        f'max by (job, code) (recsys_problem{{code="{kind.code}"}}) == 1',
        minutes=1 if kind.stops else 5,
        severity="critical" if kind.stops else "warning",
        summary=kind.meaning,
        remedy=kind.remedy,
    )


def _service_alerts() -> tuple[Alert, ...]:
    answered = f'recsys_request_seconds_count{{route!~"{OPERATIONS}"}}'
    failed = f'recsys_request_seconds_count{{route!~"{OPERATIONS}",status=~"5.."}}'
    buckets = 'rate(recsys_request_seconds_bucket{route="/v1/recommend"}[5m])'
    return (
        Alert(
            "RecsysErrors",
            f"sum by (job) (rate({failed}[5m])) / sum by (job) (rate({answered}[5m])) > {ERROR_SHARE}",
            5,
            "critical",
            f"More than {ERROR_SHARE:.0%} of the answers are 5xx.",
            "Look at the service's log under the request ids, and at /readyz.",
        ),
        Alert(
            "RecsysSlow",
            f"histogram_quantile(0.99, sum by (job, le) ({buckets})) > {SLOW_SECONDS}",
            5,
            "warning",
            f"One slate in a hundred takes more than {SLOW_SECONDS:g} s.",
            "Run more services behind a balancer, or lower serving.candidates.",
        ),
        Alert(
            "RecsysOverloaded",
            f"sum by (job) (rate(recsys_turned_away_total[5m])) / sum by (job) (rate({answered}[5m]))"
            f" > {TURNED_AWAY_SHARE}",
            5,
            "warning",
            f"More than {TURNED_AWAY_SHARE:.0%} of the requests are turned away, as their turn is too late.",
            "Run more services behind a balancer; until then answers are simpler, see `degraded`.",
        ),
        Alert(
            "RecsysDown",
            "absent(recsys_requests_in_flight)",
            2,
            "critical",
            "No service of recsys is scraped.",
            "Start it, and look at the targets of Prometheus: with an API key it asks for it.",
        ),
        Alert(
            "RecsysNoRequests",
            f"sum by (job) (increase({answered}[15m])) == 0",
            15,
            "warning",
            "The service runs and nothing is asked of it.",
            "Look whether the shop still calls it.",
        ),
        Alert(
            "RecsysBackgroundFailures",
            "sum by (job, task) (increase(recsys_background_failures_total[15m])) > 0",
            1,
            "warning",
            "Work in the background failed; it is tried again.",
            "The service's log has the traceback.",
        ),
    )


def _data_alerts(bounds: HealthSettings) -> tuple[Alert, ...]:
    late = 2 * bounds.schedule_seconds
    return (
        Alert(
            "RecsysOnlineLag",
            f"max by (job, source) (recsys_online_lag_seconds) > {late:g}",
            5,
            "warning",
            f"What was imported or accepted is not online after {late:g} s.",
            "Run `recsys refresh`, and look whether `recsys stream run` works.",
        ),
        Alert(
            "RecsysEventsInvisible",
            f'max by (job) (recsys_event_freshness_seconds{{quantile="0.99"}}) > {INVISIBLE_SECONDS}',
            5,
            "warning",
            f"One event in a hundred takes more than {INVISIBLE_SECONDS:g} s until it is visible.",
            "Run one more `recsys stream run`.",
        ),
        Alert(
            "RecsysEventsTurnedAway",
            "sum by (job) (increase(recsys_event_bodies_turned_away_total[10m])) > 0",
            1,
            "critical",
            "Events are turned away because too many wait.",
            "Run one more `recsys stream run`, or raise stream.max_lag.",
        ),
        Alert(
            "RecsysServedRecordsLost",
            "sum by (job, log) (increase(recsys_served_records_dropped_total[10m])) > 0",
            1,
            "warning",
            "Records of what was served were not written.",
            "Make room, and look at the rights of the folder `served` in the home.",
        ),
    )
