"""Writes the dashboard and the alert rules into a folder."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from recsys.atomic import replacing
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import StoreUnavailableError
from recsys.jobs.monitoring.alerts import alert_rules
from recsys.jobs.monitoring.dashboard import grafana_dashboard

DASHBOARD_FILE = "grafana-dashboard.json"
ALERTS_FILE = "prometheus-alerts.yml"
_HEAD = "# Written by `recsys monitoring`; its bounds are those of [health] in recsys.toml.\n"


@dataclass(frozen=True)
class MonitoringFiles:
    """The files that were written."""

    dashboard: Path
    alerts: Path

    def to_json(self) -> JsonObject:
        """What `recsys monitoring --json` prints."""
        return {"dashboard": str(self.dashboard), "alerts": str(self.alerts)}


def write_monitoring(settings: Settings, folder: Path) -> MonitoringFiles:
    """Writes both files, over those of an earlier call.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    files = MonitoringFiles(folder / DASHBOARD_FILE, folder / ALERTS_FILE)
    rules = yaml.safe_dump(alert_rules(settings.health), sort_keys=False, width=110, allow_unicode=True)
    texts = {files.dashboard: json.dumps(grafana_dashboard(), indent=2) + "\n", files.alerts: _HEAD + rules}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            with replacing(file) as partial:
                partial.write_text(text, "utf-8")
    except OSError as error:
        remedy = "Make room, or choose another folder with --into."
        raise StoreUnavailableError("disk", f"write {folder} ({error})", 0.0, remedy) from error
    return files
