"""What is shown of a running service: one panel a question, with the metrics that answer it."""

from dataclasses import dataclass

OPERATIONS = "/|/livez|/readyz|/metrics"  # routes that say nothing of the answers to a shop


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and how its series are called."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes:
        unit: in Grafana's words.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]


@dataclass(frozen=True)
class PanelRow:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]


def _panel(title: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(title, unit, tuple(Query(*query) for query in queries))


def _quantiles(metric: str, selector: str = "") -> tuple[tuple[str, str], ...]:
    buckets = f"sum by (le) (rate({metric}_bucket{selector}[$__rate_interval]))"
    shares = (("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"))
    return tuple((f"histogram_quantile({share}, {buckets})", legend) for share, legend in shares)


def _most(metric: str, label: str, legend: str = "") -> tuple[str, str]:
    return f"max by ({label}) ({metric})", legend or f"{{{{{label}}}}}"


def _grown(metric: str, legend: str) -> tuple[str, str]:
    return f"sum(increase({metric}[$__rate_interval]))", legend


def _rate(metric: str, label: str, after: str = "") -> tuple[str, str]:
    return f"sum by ({label}) (rate({metric}[$__rate_interval]))", f"{{{{{label}}}}}{after}"


_ANSWERED = f'recsys_request_seconds_count{{route!~"{OPERATIONS}"}}'
_FAILED = f'recsys_request_seconds_count{{route!~"{OPERATIONS}",status=~"5.."}}'

PANEL_ROWS = (
    PanelRow(
        "Problems",
        (
            _panel("Problems", "short", _most("recsys_problem", "code")),
            _panel("Degraded slates", "reqps", _rate("recsys_degraded_slates_total", "reason")),
            _panel("Bundle in service", "short", ("recsys_bundle_info == 1", "{{bundle_id}}")),
        ),
    ),
    PanelRow(
        "Answers",
        (
            _panel("Requests", "reqps", _rate("recsys_request_seconds_count", "route")),
            _panel("Rows of batches", "reqps", _rate("recsys_batch_rows_total", "code")),
            _panel(
                "Share of 5xx",
                "percentunit",
                (f"sum(rate({_FAILED}[$__rate_interval])) / sum(rate({_ANSWERED}[$__rate_interval]))", "5xx"),
            ),
            _panel("Time of a slate", "s", *_quantiles("recsys_request_seconds", '{route="/v1/recommend"}')),
            _panel("Requests in flight", "short", ("sum(recsys_requests_in_flight)", "in flight")),
            _panel("Candidates", "short", *_quantiles("recsys_candidates")),
            _panel(
                "Cold starts and empty slates",
                "reqps",
                ("sum(rate(recsys_cold_start_slates_total[$__rate_interval]))", "cold starts"),
                ("sum(rate(recsys_empty_slates_total[$__rate_interval]))", "empty"),
            ),
            _panel("Cold starts of known ids", "percentunit", ("max(recsys_cold_start_share)", "share")),
        ),
    ),
    PanelRow(
        "Overload",
        (
            _panel("Wait of answers", "s", *_quantiles("recsys_turn_wait_seconds", '{turns="answers"}')),
            _panel("Turned away", "reqps", _rate("recsys_turned_away_total", "turns")),
            _panel("Rung of effort", "short", ("max(recsys_effort_rung)", "rung")),
        ),
    ),
    PanelRow(
        "Search",
        (
            _panel(
                "Searches",
                "reqps",
                ("sum(rate(recsys_searches_total[$__rate_interval]))", "pages"),
                ("sum(rate(recsys_empty_searches_total[$__rate_interval]))", "nothing found"),
            ),
            _panel("Time of a page", "s", *_quantiles("recsys_request_seconds", '{route="/v1/search"}')),
            _panel("Rewritten queries", "reqps", _rate("recsys_search_rewrites_total", "rewriter")),
        ),
    ),
    PanelRow(
        "Access",
        (
            _panel("Requests by key", "reqps", _rate("recsys_key_requests_total", "key")),
            _panel("Requests by role", "reqps", _rate("recsys_key_requests_total", "role")),
            _panel("Refused", "reqps", _rate("recsys_access_refused_total", "reason")),
            _panel(
                "Keys",
                "short",
                ("max(recsys_access_keys)", "known"),
                ("max(recsys_access_keys_away)", "cannot be read"),
                ("max(recsys_rate_limits_local)", "rates counted by process"),
            ),
        ),
    ),
    PanelRow(
        "Features",
        (
            _panel("Online behind accepted", "s", _most("recsys_online_lag_seconds", "source")),
            _panel("Lag of served features", "s", *_quantiles("recsys_feature_age_seconds")),
            _panel(
                "Ages",
                "s",
                ("max(recsys_materialized_age_seconds)", "last materialization"),
                ("max(recsys_newest_event_age_seconds)", "newest event"),
            ),
            _panel(
                "Memory of the online store",
                "bytes",
                ("max(recsys_store_memory_bytes)", "held"),
                ("max(recsys_store_memory_bound_bytes)", "bound"),
            ),
        ),
    ),
    PanelRow(
        "Event stream",
        (
            _panel("Events", "reqps", _rate("recsys_events_total", "verdict")),
            _panel("Time to append", "s", *_quantiles("recsys_events_append_seconds")),
            _panel("Accepted to visible", "s", _most("recsys_event_freshness_seconds", "quantile")),
            _panel("Events that wait", "short", _most("recsys_stream_lag_events", "partition")),
            _panel("Worker's last sign of life", "s", ("max(recsys_stream_worker_age_seconds)", "ago")),
            _panel("Wait for a token", "s", *_quantiles("recsys_token_wait_seconds")),
            _panel("Unknown items", "percentunit", ("max(recsys_unknown_item_share)", "of events")),
            _panel(
                "Turned away and dead letters",
                "short",
                _grown("recsys_event_bodies_turned_away_total", "bodies turned away"),
                ("max(recsys_dead_letters)", "dead letters"),
            ),
            _panel("Clock faults", "short", _most("recsys_clock_faults", "what")),
        ),
    ),
    PanelRow(
        "Ads",
        (
            _panel("Answers with ads", "reqps", _rate("recsys_ads_answers_total", "surface")),
            _panel("Sponsored items", "reqps", _rate("recsys_ads_shown_total", "surface")),
            _panel("Sponsored items by exploration", "reqps", _rate("recsys_ads_explored_total", "surface")),
            _panel("Time to choose", "s", *_quantiles("recsys_ads_choosing_seconds")),
            _panel("Degraded ads", "reqps", _rate("recsys_ads_degraded_total", "reason")),
            _panel(
                "Campaigns",
                "short",
                ("max(recsys_ads_campaigns)", "may be shown"),
                ("max(recsys_ads_campaigns_left_out)", "left out"),
            ),
            _panel(
                "Expected clicks over clicks",
                "short",
                ('max by (place) (recsys_ads_pcoc{bound="value"})', "{{place}}"),
                ('max by (place) (recsys_ads_pcoc{bound="low"})', "{{place}}, low"),
                ('max by (place) (recsys_ads_pcoc{bound="high"})', "{{place}}, high"),
            ),
        ),
    ),
    PanelRow(
        "Process",
        (
            _panel(
                "Background work",
                "short",
                _rate("recsys_background_failures_total", "task"),
                _most("recsys_background_task_failing", "task", "{{task}} fails now"),
            ),
            _panel(
                "Records not logged",
                "reqps",
                _rate("recsys_served_records_dropped_total", "log", " dropped"),
                _rate("recsys_served_records_left_out_total", "log", " outside the share"),
            ),
            _panel(
                "Bundles",
                "short",
                _grown("recsys_bundle_swaps_total", "taken into service"),
                _grown("recsys_bundles_refused_total", "refused"),
            ),
        ),
    ),
)
