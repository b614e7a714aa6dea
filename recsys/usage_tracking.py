"""Reports of usage that libraries send to their makers: off, unless the user asks for them."""

import os

_OFF = {
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def turn_off_usage_tracking() -> None:
    """Sets the variables by which libraries are told to report nothing; what the user set stays.

    Programs that are started from here inherit them. Feast has no such reports any more.
    """
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
