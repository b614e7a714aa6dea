"""Logs and target policies of any kind, for properties."""

import numpy as np
from hypothesis import strategies as st

from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.policies import TargetPolicy


@st.composite
def logs(draw: st.DrawFn) -> tuple[PolicyLog, TargetPolicy, TargetPolicy]:
    """A log, the policy that wrote it, and a target; every arm was shown and can be anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arms, rows = draw(st.integers(1, 4)), draw(st.integers(8, 60))
    behaviour, target = (rng.dirichlet(np.full(arms, 2.0), rows) * 0.9 + 0.1 / arms for _ in range(2))
    arm = np.concatenate([np.arange(arms), rng.integers(0, arms, rows - arms)])
    unit = [0, 1, *rng.integers(0, rows, rows - 2).tolist()] if draw(st.booleans()) else None
    binary = draw(st.booleans())
    log = policy_log(
        [str(each) for each in arm.tolist()],
        rng.integers(0, 2, rows).astype(np.float64) if binary else rng.normal(3.0, 2.0, rows),
        behaviour[np.arange(rows), arm],
        unit,
        rng.normal(size=(rows, draw(st.integers(0, 3)))),
    )
    return log, TargetPolicy("behaviour", behaviour), TargetPolicy("target", target)
