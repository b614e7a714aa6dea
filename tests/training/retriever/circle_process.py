"""One process of a training run over the circle: `circle_process.py RUN_DIR ACCUMULATE [KILLED_AT_STEP]`.

Alone, or started several times by torchrun. The first process writes the run's losses and metrics and a
hash of the weights as JSON to stdout. With KILLED_AT_STEP it kills itself after that many steps.
"""

import faulthandler
import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.progress import Advance
from recsys.training.retriever.distributed import process_group
from recsys.training.retriever.loop import train_retriever
from recsys.training.retriever.workers import run_worker, stop_workers
from tests.training.retriever.circle import cycle, data_of, hit_rate, model_of, settings


@contextmanager
def killed_at(step: int, label: str, total: int | None) -> Iterator[Advance]:
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        if step and done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    yield advance


def main(run_dir: Path, accumulate: int, step: int) -> None:
    with process_group() as processes:
        if not processes.is_leader:
            run_worker(processes)
            return
        log = cycle()
        section = settings(accumulate=accumulate, checkpoint_steps=4)
        model, data = model_of(log, section, clock=True), data_of(log)
        curves = train_retriever(
            model,
            data,
            section,
            run_dir,
            hit_rate(data),
            progress=lambda label, total: killed_at(step, label, total),
            processes=processes,
        )
        stop_workers(processes)
    weights = hashlib.sha256(model.item_vectors().tobytes()).hexdigest()
    epochs = [{"loss": epoch.loss, **epoch.metrics} for epoch in curves.epochs]
    sys.stdout.write(json.dumps({"epochs": epochs, "weights": weights}))


if __name__ == "__main__":
    faulthandler.dump_traceback_later(60)  # a process that waits for another says where
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
