"""`recsys train --dry-run`: what a training would do and need."""

from dataclasses import replace

from recsys.cli.output import note, print_facts, print_json
from recsys.config import Settings


def print_estimate(settings: Settings, protocol: str | None, as_json: bool) -> None:
    """Prints what `recsys train` would do and need; a few steps are tried, nothing is written."""
    from recsys.jobs.training.estimate import NOT_IN_SECONDS, estimate_training, warn_if_too_large

    estimate = estimate_training(settings, protocol)
    largest = estimate.largest
    if as_json:
        print_json(estimate.to_json())
    else:
        title = "what `recsys train` will do; nothing was written"
        print_facts(estimate.to_table(), as_json=False, title=title)
        note(
            f"not in that time: {NOT_IN_SECONDS}; it may stop earlier, after {settings.retriever.patience} "
            "epochs without a better validation."
        )
    more = largest.peak_bytes - estimate.process_bytes  # what this process holds is not free
    warn_if_too_large(replace(largest, peak_bytes=more), estimate.free_bytes)
