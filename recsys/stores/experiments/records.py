"""Experiments as rows, and changes of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import RowMapping

from recsys.documents import JsonObject
from recsys.experiments.experiment import Experiment
from recsys.instants import as_utc


@dataclass(frozen=True)
class ExperimentChange:
    """Who changed what, and when.

    Attributes:
        version: of the experiment after it.
        before, after: its document; before it was created None.
    """

    name: str
    version: int
    before: JsonObject | None
    after: JsonObject
    changed_by: str
    changed_at: datetime
    remark: str

    def to_json(self) -> JsonObject:
        """The change as it is printed."""
        return dict(vars(self))


def experiment_of(row: RowMapping) -> Experiment:
    """The experiment of a row of `experiments`."""
    return Experiment(**{name: value for name, value in row.items() if name != "changed_by"})


def experiment_values(experiment: Experiment) -> JsonObject:
    """What is stored of an experiment beside its name and who changed it."""
    return {
        "salt": experiment.salt,
        "share_ppm": experiment.share_ppm,
        "starts_at": experiment.starts_at,
        "ends_at": experiment.ends_at,
    }


def experiment_document(experiment: Experiment) -> JsonObject:
    """The experiment as its history keeps it."""
    ends_at = experiment.ends_at
    return {
        "name": experiment.name,
        "salt": experiment.salt,
        "share_ppm": experiment.share_ppm,
        "starts_at": as_utc(experiment.starts_at).isoformat(),
        "ends_at": None if ends_at is None else as_utc(ends_at).isoformat(),
    }
