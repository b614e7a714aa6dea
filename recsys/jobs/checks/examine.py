"""All checks of a machine and a shop, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.jobs.checks import health, machine, packages, servers, shop
from recsys.jobs.checks.check import Check, warning

Probe = Callable[[Settings], Check | list[Check]]

PROBES: tuple[tuple[str, Probe], ...] = (
    ("packages", packages.python_and_packages),
    ("compute", machine.compute),
    ("text encoder", machine.text_encoder),
    ("home", machine.home_writable),
    ("rights", machine.rights),
    ("disk", machine.free_disk),
    ("redis", servers.redis),
    ("redis memory", servers.redis_memory),
    ("event stream", servers.event_stream),
    ("database", servers.database),
    ("charge worker", servers.charge_worker),
    ("data", shop.data),
    ("features", shop.features),
    ("feature registry", shop.feature_registry),
    ("production bundle", shop.production_bundle),
    ("health", health.problems),
    ("port", machine.port),
    ("api key", machine.api_key),
)


@dataclass(frozen=True)
class Examination:
    """What every check found."""

    checks: tuple[Check, ...]

    @property
    def missing(self) -> int:
        """How many things that recommending needs are not there."""
        return sum(check.state == "missing" for check in self.checks)

    def to_json(self) -> JsonObject:
        """What `recsys doctor --json` prints."""
        return {"ok": not self.missing, "checks": [asdict(check) for check in self.checks]}


def examine_shop(settings: Settings) -> Examination:
    """Runs every check; nothing is started and nothing is changed."""
    return Examination(tuple(run_checks(settings, PROBES)))


def run_checks(settings: Settings, probes: Sequence[tuple[str, Probe]]) -> list[Check]:
    """What each probe found; one that breaks is a warning and does not hide the others."""
    checks: list[Check] = []
    for name, probe in probes:
        try:
            found = probe(settings)
        except Exception as error:  # a doctor outlives what is broken; the error is shown
            found = warning(name, f"could not be checked: {type(error).__name__}: {error}", "see the cause")
        checks += found if isinstance(found, list) else [found]
    return checks
