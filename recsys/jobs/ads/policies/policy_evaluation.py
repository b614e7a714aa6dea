"""`recsys ads evaluate-policy`: what other policies would have earned in a randomised experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.evaluation.off_policy.compare import (
    LOGGED,
    EstimationOptions,
    PolicyComparison,
    evaluate_policies,
)
from recsys.evaluation.off_policy.log import Gap, PolicyLog
from recsys.evaluation.off_policy.outcome_model import FOLDS, check_model_size
from recsys.evaluation.off_policy.policies import always, always_name
from recsys.evaluation.off_policy.tables import (
    comparison_json,
    difference_rows,
    headline,
    overlap_rows,
    value_rows,
)
from recsys.instants import as_utc, utc_now
from recsys.jobs.ads.policies.experiment_files import Experiment, ExperimentColumns, read_experiment
from recsys.jobs.ads.policies.logged_decisions import LoggedSpan, read_decisions
from recsys.jobs.ads.policies.policy_files import policy_on, read_policy_file

LOG_DAYS = 30  # of the ad log, where nothing is said
MOST_COMPARED = 100  # arms, where none is named: each is four estimates


@dataclass(frozen=True)
class PolicyQuestion:
    """What to evaluate.

    Attributes:
        experiment: its file, or the time of the home's ad log.
        arm, outcome, propensity, unit, features, at: its columns, see `ExperimentColumns`.
        gaps: `START/END` of spans in which rows were lost.
        policy: a file, see `read_policy_file`. always: arms, each as a policy of its own. Without both,
            every arm is one.
        against: what all are compared with: an arm, the name of a policy, or `as logged`. None = what was
            logged where policies are named, else the arm that was shown most.
        clip, folds, seed: see `EstimationOptions`.
    """

    experiment: Path | LoggedSpan
    arm: str
    outcome: str
    propensity: str
    unit: str | None = None
    features: tuple[str, ...] = ()
    at: str | None = None
    gaps: tuple[str, ...] = ()
    policy: Path | None = None
    always: tuple[str, ...] = ()
    against: str | None = None
    clip: float | None = None
    folds: int = FOLDS
    seed: int = 0


@dataclass(frozen=True)
class PolicyReport:
    """A comparison of policies on an experiment."""

    experiment: Experiment
    comparison: PolicyComparison

    @property
    def headline(self) -> str:
        """What was read, and how."""
        return f"{self.experiment.table.file}: {headline(self.comparison)}"

    @property
    def rows(self) -> Sequence[JsonObject]:
        """The value of each policy, for people."""
        return value_rows(self.comparison)

    @property
    def difference_rows(self) -> Sequence[JsonObject]:
        """The differences of policies, for people."""
        return difference_rows(self.comparison)

    @property
    def overlap_rows(self) -> Sequence[JsonObject]:
        """How the log covers each policy, for people."""
        return overlap_rows(self.comparison)

    @property
    def warnings(self) -> list[str]:
        """What to know before believing a value."""
        policies = self.comparison.policies
        return [f"{policy.name}: {warning}" for policy in policies for warning in policy.warnings]

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        return {
            "experiment": self.experiment.table.file,
            **comparison_json(self.comparison, self.experiment.where),
        }


def ad_log_span(since: str | None, until: str | None) -> LoggedSpan:
    """The time of the ad log that two options name: the last LOG_DAYS where they name none.

    Raises:
        ConfigError: one is no instant, or the end is not after the beginning.
    """
    now = utc_now()
    try:
        end = as_utc(datetime.fromisoformat(until)) if until else now
        start = as_utc(datetime.fromisoformat(since)) if since else end - timedelta(days=LOG_DAYS)
    except ValueError as error:
        raise ConfigError(f"--from or --to is no instant: {error}. Write 2026-01-31T12:00:00Z.") from error
    if start >= end:
        raise ConfigError(
            f"--to {end.isoformat()} is not after --from {start.isoformat()}. Name a later one."
        )
    return LoggedSpan(start, end, now)


def evaluate_experiment(question: PolicyQuestion, settings: Settings | None = None) -> PolicyReport:
    """The value of each policy by four estimators, with differences and overlap.

    Args:
        settings: of the home whose ad log is asked; a file needs none.

    Raises:
        ConfigError: an option is out of range, gaps are named without a column of instants, or `against` is
            no policy.
        DataError: a file cannot be read, its propensities are no probabilities, it says nothing of a policy,
            or the ad log lacks slots of the time.
    """
    named = _experiment_columns(question)
    file = read_policy_file(question.policy, question.arm) if question.policy else None
    context, asked = file.context if file else (), question.experiment
    if isinstance(asked, LoggedSpan):
        experiment = read_decisions(settings or Settings(), asked, named, context)
    else:
        experiment = read_experiment(asked, named, context)
    log = experiment.log
    check_model_size(log, question.folds)
    policies = [policy_on(file, experiment)] if file else []
    arms = question.always or (() if file else _every_arm(log))
    against = _reference(question, log, [policy.name for policy in policies])
    policies += [always(log, arm) for arm in dict.fromkeys(arms)]
    if against not in [LOGGED, *(policy.name for policy in policies)]:
        policies.append(always(log, against))
        against = always_name(against)
    options = EstimationOptions(question.clip, question.folds, question.seed)
    return PolicyReport(experiment, evaluate_policies(log, policies, against, options, experiment.where))


def _every_arm(log: PolicyLog) -> Sequence[str]:
    if len(log.arms) > MOST_COMPARED:
        raise ConfigError(
            f"the log has {len(log.arms)} arms; {MOST_COMPARED} are compared at most. Name those that matter "
            "by --always, or a --policy."
        )
    return log.arms


def _experiment_columns(question: PolicyQuestion) -> ExperimentColumns:
    """The columns of the experiment, with all refused that can be before it is read."""
    if question.gaps and question.at is None:
        raise ConfigError("--gap needs the column of instants: --at COLUMN.")
    if question.clip is not None and not 0 < question.clip < np.inf:
        raise ConfigError(
            f"weights cannot be clipped at --clip {question.clip:g}. Give one above 0, such as 20."
        )
    if question.folds < 2:
        raise ConfigError(f"--folds {question.folds} cannot be cross-fitted. Use 2 or more; 5 is usual.")
    return ExperimentColumns(
        arm=question.arm,
        outcome=question.outcome,
        propensity=question.propensity,
        unit=question.unit,
        features=question.features,
        at=question.at,
        gaps=tuple(parse_gap(text) for text in question.gaps),
    )


def parse_gap(text: str) -> Gap:
    """The span of time that `START/END` names.

    Raises:
        ConfigError: it is not two ISO 8601 instants in that order.
    """
    try:
        start, end = (as_utc(datetime.fromisoformat(part)) for part in text.split("/"))
    except ValueError as error:
        raise ConfigError(
            f"--gap {text!r} is not two instants. Write 2026-01-31T12:00:00Z/2026-01-31T12:05:00Z."
        ) from error
    if end < start:
        raise ConfigError(f"--gap {text!r} ends before it begins. Write the earlier instant first.")
    return Gap(text, start, end)


def _reference(question: PolicyQuestion, log: PolicyLog, policies: Sequence[str]) -> str:
    """The name of the policy that all others are compared with, or of an arm that is none of them yet."""
    given = question.against
    if given is None and (policies or question.always):
        return LOGGED
    if given is None:
        return always_name(log.arms[int(np.bincount(log.arm).argmax())])
    shown = question.always or (() if policies else log.arms)
    return always_name(given) if given in shown and given not in policies else given
