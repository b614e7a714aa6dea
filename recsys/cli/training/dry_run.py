"""`recsys train --dry-run`: what a training would do and need."""

from typing import TYPE_CHECKING

from recsys.cli.output import note, print_facts, print_json
from recsys.config import Settings

if TYPE_CHECKING:
    pass


def print_estimate(settings: Settings, protocol: str | None, as_json: bool) -> None:
    """Prints what `recsys train` would do and need; a few steps are tried, nothing is written."""
    from recsys.jobs.training.estimate import NOT_IN_SECONDS, estimate_training, warn_if_too_large

    estimate = estimate_training(settings, protocol)
    if as_json:
        print_json(estimate.to_json())
    else:
        title = "what `recsys train` will do; nothing was written"
        print_facts(estimate.to_table(), as_json=False, title=title)
        note(
            f"not in that time: {NOT_IN_SECONDS}; it may stop earlier, after {settings.retriever.patience} "
            "epochs without a better validation."
        )
    warn_if_too_large(estimate.peak_bytes, estimate.free_bytes)
