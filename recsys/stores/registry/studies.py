"""Studies of `recsys tune` by Optuna, and where its tables are.

Optuna keeps Alembic's revision of its own tables under the same name as the registry keeps its own, so the
two must not share a schema: on SQLite studies are a file beside the registry's (`recsys-studies.db`), on
PostgreSQL a schema (`studies`) of the same database. `optuna-dashboard` and `optuna storage` read both.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import URL

from recsys.config import Settings
from recsys.distribution import install_command
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.progress import Progress, silent
from recsys.stores.registry.database import (
    BUSY_SECONDS,
    database_errors,
    database_url,
    make_folder,
    open_engine,
    shown_address,
)
from recsys.training.tuning.records import State, StudyRecord, TrialRecord
from recsys.tuning_space import Space

SCHEMA = "studies"
METRIC = "ndcg@10"
_SETUP = "setup"
_FEWEST_FOR_IMPORTANCE = 4  # complete trials

Report = Callable[[float], None]
Objective = Callable[[Mapping[str, Any], Report], float]


@dataclass(frozen=True)
class Pruning:
    """A trial is given up when its validation is below the median of others at the same epoch.

    Attributes:
        full_trials: run to their end before any is given up. full_epochs: of a trial before it may be.
    """

    full_trials: int = 5
    full_epochs: int = 1


class Study:
    """A named search for better settings, which goes on where it stopped.

    The sampler is seeded anew for each trial by its number, so that a study that was interrupted asks the
    same as one that was not.
    """

    def __init__(
        self, optuna: ModuleType, storage: Any, study: Any, seed: int, pruning: Pruning, url: URL
    ) -> None:
        self._optuna = optuna
        self._storage = storage
        self._study = study
        self._seed = seed
        self._pruning = pruning
        self._url = url

    @classmethod
    def open(
        cls,
        settings: Settings,
        name: str,
        setup: str,
        *,
        seed: int,
        pruning: Pruning | None = None,
    ) -> "Study":
        """The study `name`, begun or taken up again.

        Args:
            setup: what makes scores comparable (data, split, settings that are not tuned); kept with it.

        Raises:
            ConfigError: Optuna is not installed, or the study has another setup.
            StoreUnavailableError: the database did not answer.
        """
        optuna = load_optuna()
        url = _home(settings)
        with _asking(url, f"open the study {name!r}"):
            storage = optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False), engine_kwargs=_engine_options(url)
            )
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
            found = study.user_attrs.get(_SETUP)
            if found is None:
                study.set_user_attr(_SETUP, setup)
        if found not in (None, setup):
            storage.remove_session()
            storage.engine.dispose()
            raise ConfigError(
                f"the study {name!r} was made on other data, another split or other settings, so its scores "
                "cannot be compared with new ones. Name another by --study."
            )
        return cls(optuna, storage, study, seed, pruning or Pruning(), url)

    def close(self) -> None:
        """Closes the connections; a trial that runs elsewhere is not touched."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def __enter__(self) -> "Study":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(
        self,
        space: Space,
        objective: Objective,
        trials: int,
        *,
        first: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        progress: Progress = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> StudyRecord:
        """Runs `trials` more trials, or as many as begin within `timeout` seconds.

        A trial whose settings do not go together (ConfigError) has failed, and the study goes on.

        Args:
            first: settings to try before any other, if no trial of the study has ended with them.
        """
        started = clock()
        with _asking(self._url, "run a trial"), progress("tune", trials) as advance:
            if first and not self._tried(first):
                self._study.enqueue_trial(dict(first))
            for _ in range(trials):
                if timeout is not None and clock() - started > timeout:
                    break
                self._one(space, objective)
                advance(1)
        return self.record()

    def record(self) -> StudyRecord:
        """The study as it stands."""
        with _asking(self._url, "read a study"):
            trials = tuple(_record(trial) for trial in self._study.trials)
            importance = self._importance()
        return StudyRecord(self._study.study_name, METRIC, trials, importance)

    def _one(self, space: Space, objective: Objective) -> None:
        waiting = self._optuna.trial.TrialState.WAITING
        begun = sum(trial.state != waiting for trial in self._study.get_trials(deepcopy=False))
        self._study.sampler = self._optuna.samplers.TPESampler(seed=self._seed + begun)
        self._study.pruner = self._optuna.pruners.MedianPruner(
            n_startup_trials=self._pruning.full_trials, n_warmup_steps=self._pruning.full_epochs
        )

        def run_trial(trial: Any) -> float:
            values = {name: _suggest(trial, name, space) for name in space}
            epochs = 0

            def report(value: float) -> None:
                nonlocal epochs
                trial.report(value, epochs)
                epochs += 1
                if trial.should_prune():
                    raise self._optuna.TrialPruned(f"below the median after epoch {epochs}")

            return objective(values, report)

        self._study.optimize(run_trial, n_trials=1, catch=(ConfigError,))

    def _tried(self, values: Mapping[str, Any]) -> bool:
        """Whether a trial with these settings has ended or waits for its turn."""
        states = self._optuna.trial.TrialState
        ended = (states.COMPLETE, states.PRUNED, states.WAITING)
        return any(
            trial.state in ended
            and all(
                {**trial.system_attrs.get("fixed_params", {}), **trial.params}.get(name) == value
                for name, value in values.items()
            )
            for trial in self._study.trials
        )

    def _importance(self) -> Mapping[str, float]:
        done = self._study.get_trials(states=(self._optuna.trial.TrialState.COMPLETE,))
        if len(done) < _FEWEST_FOR_IMPORTANCE or len({trial.value for trial in done}) == 1:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}


def studies_url(settings: Settings) -> URL:
    """Where studies are: a file beside the registry's, or the registry's own PostgreSQL database."""
    url = database_url(settings)
    if url.get_backend_name() != "sqlite":
        return url
    path = Path(str(url.database))
    return url.set(database=str(path.with_name(f"{path.stem}-studies.db")))


def _home(settings: Settings) -> URL:
    url = studies_url(settings)
    make_folder(url)
    if url.get_backend_name() != "sqlite":
        engine = open_engine(url)
        try:
            with database_errors(url, f"make the schema {SCHEMA}"), engine.begin() as connection:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        finally:
            engine.dispose()
    return url


def _engine_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    return {"connect_args": {"options": f"-csearch_path={SCHEMA}"}, "pool_pre_ping": True}


@contextmanager
def _asking(url: URL, operation: str) -> Iterator[None]:
    """Translates Optuna's errors of the database, and keeps Optuna from printing what is ours to show."""
    import optuna

    before, started = optuna.logging.get_verbosity(), time.monotonic()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings(), database_errors(url, operation):
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    except optuna.exceptions.StorageInternalError as error:
        raise StoreUnavailableError(
            "the database",
            operation,
            time.monotonic() - started,
            f"Studies are at {shown_address(url)} ({str(error).splitlines()[0]}). `recsys doctor` checks it.",
        ) from error
    finally:
        optuna.logging.set_verbosity(before)


def load_optuna() -> ModuleType:
    """The package.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(f"Optuna is not installed. Run `{install_command('tune')}`.") from error
    found: ModuleType = optuna
    return found


def _suggest(trial: Any, name: str, space: Space) -> Any:
    span = space[name]
    if span.choices is not None:
        return trial.suggest_categorical(name, list(span.choices))
    if span.whole:
        return trial.suggest_int(name, span.low, span.high, log=span.log)
    return _short(trial.suggest_float(name, span.low, span.high, log=span.log))


def _short(value: Any) -> Any:
    """Four digits are as many as a setting needs, and people read them in a file."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _record(trial: Any) -> TrialRecord:
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    return TrialRecord(
        number=trial.number,
        state=names.get(trial.state.name, "running"),
        values={name: _short(value) for name, value in trial.params.items()},
        score=trial.value if trial.state.name == "COMPLETE" else None,
        epochs=tuple(value for _, value in sorted(trial.intermediate_values.items())),
        seconds=trial.duration.total_seconds() if trial.duration else None,
    )
