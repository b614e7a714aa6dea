"""What `recsys doctor` looks at. A check reads and asks; it starts and changes nothing.

The checks import what they look at inside their functions: a package that is missing or broken must be
reported by the doctor, not stop it.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True)
class Check:
    """One thing looked at: its state, what was found, and how to mend it."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Check:
    """The thing is there and fits."""
    return Check(name, "ok", detail)


def warning(name: str, detail: str, remedy: str) -> Check:
    """Work goes on without it, but worse or not for long."""
    return Check(name, "warning", detail, remedy)


def missing(name: str, detail: str, remedy: str) -> Check:
    """Something that recommending needs is not there."""
    return Check(name, "missing", detail, remedy)
