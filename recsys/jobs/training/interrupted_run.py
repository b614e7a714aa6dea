"""The run that `recsys train --resume` goes on from, found before any work is done."""

import logging
from pathlib import Path

from recsys.config import Settings
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError
from recsys.stores.registry.records import RunRecord
from recsys.stores.registry.registry import Registry
from recsys.training.pipeline import EARLY, REFITTED
from recsys.training.retriever.checkpoint import STATE_FILE
from recsys.training.retriever.loop import WITHOUT_INFLUENCE

CHECKPOINTS = (EARLY, REFITTED)  # a run's folders with checkpoints of the retriever

log = logging.getLogger(__name__)


def interrupted_run(registry: Registry, settings: Settings, kind: str) -> Path:
    """The folder of the newest run of this kind that did not end and left a checkpoint of the retriever.

    Raises:
        ArtifactNotFoundError: there is none.
        ArtifactMismatchError: it was made with other settings than those of today.
    """
    for run in registry.list_runs():
        folder = settings.paths.runs / run.run_id
        left = any((folder / part / STATE_FILE).exists() for part in CHECKPOINTS)
        if run.kind == kind and run.status != "finished" and left:
            check_same_settings(run, settings)
            log.info("going on from %s", run.run_id)
            return folder
    raise ArtifactNotFoundError(
        f"no {kind} run broke off with a checkpoint under {settings.paths.runs}. Run without --resume."
    )


def move_checkpoints(interrupted: Path, run_dir: Path) -> None:
    """Moves what the run in `interrupted` left into the folder of the one that goes on."""
    for folder in CHECKPOINTS:
        if (interrupted / folder).exists():
            (interrupted / folder).replace(run_dir / folder)


def check_same_settings(run: RunRecord, settings: Settings) -> None:
    """Makes sure that a run was made with today's settings of text and network.

    Raises:
        ArtifactMismatchError: one differs.
    """
    today = settings.model_dump(mode="json", include={"text", "retriever"})
    for section, values in today.items():
        before = run.settings.get(section, {})
        for name in values.keys() - WITHOUT_INFLUENCE:
            if name in before and before[name] != values[name]:
                raise ArtifactMismatchError(
                    f"the run {run.run_id!r} was of {section}.{name} = {before[name]!r}, and today it is "
                    f"{values[name]!r}. Set it back, or run without --resume."
                )
