"""The panels as a dashboard of Grafana, in its JSON."""

from math import ceil

from recsys.documents import JsonObject
from recsys.jobs.monitoring.panels import PANEL_ROWS, Panel

SCHEMA_VERSION = 39
WIDTH, HEIGHT, ACROSS = 8, 7, 3  # of a panel in Grafana's grid, and how many stand side by side
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def grafana_dashboard() -> JsonObject:
    """The dashboard; who imports it chooses the data source at its top."""
    return {
        "uid": "recsys",
        "title": "recsys",
        "tags": ["recsys"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
            ]
        },
        "panels": _placed_panels(),
    }


def _placed_panels() -> list[JsonObject]:
    panels: list[JsonObject] = []
    y = 0
    for row in PANEL_ROWS:
        place = {"h": 1, "w": WIDTH * ACROSS, "x": 0, "y": y}
        panels.append({"gridPos": place, "type": "row", "title": row.title, "collapsed": False, "panels": []})
        y += 1
        for number, panel in enumerate(row.panels):
            line, column = divmod(number, ACROSS)
            place = {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": y + line * HEIGHT}
            panels.append({"gridPos": place, **_time_series(panel)})
        y += ceil(len(row.panels) / ACROSS) * HEIGHT
    return [{"id": number, **panel} for number, panel in enumerate(panels, start=1)]


def _time_series(panel: Panel) -> JsonObject:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
                "refId": chr(ord("A") + number),
            }
            for number, query in enumerate(panel.queries)
        ],
    }
