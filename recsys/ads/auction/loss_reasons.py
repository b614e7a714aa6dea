"""Why each ad that did not win did not."""

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from recsys.ads.auction.candidates import Candidates
from recsys.arrays import DoubleArray, IntArray

Reasons = npt.NDArray[np.int8]


class LossReason(IntEnum):
    """Why an ad lost; of several reasons the first of this list."""

    NONE = 0  # it won
    RESERVE = 1  # it bids less than the reserve
    SCORE = 2  # its probability or quality is 0
    MONEY = 3  # it could not pay: before the auction, or when its price was to be held
    PRODUCT = 4  # a variant of its product won
    ACCOUNT = 5  # its account has as many slots as it may
    RANK = 6  # other ads ranked before it
    STOPPED = 7  # slots were left, but too many ads before it could not pay


def reasons_before(candidates: Candidates, weights: DoubleArray, reserves: IntArray) -> Reasons:
    """(K,) int8: why an ad does not even compete; RANK for those that do.

    Args:
        weights, reserves: (K,) each.
    """
    reasons = np.full(len(candidates), LossReason.RANK, np.int8)
    reasons[~candidates.can_pay] = LossReason.MONEY
    reasons[weights == 0] = LossReason.SCORE
    reasons[candidates.bid_micros < reserves] = LossReason.RESERVE
    return reasons


def reasons_after(
    before: Reasons,
    candidates: Candidates,
    account_limit: int,
    won: Sequence[int],
    unable: Sequence[int],
    stopped: bool,
) -> Reasons:
    """(K,) int8: `before` with what became of those that competed.

    Args:
        won: rows of the winners. unable: rows of those that could not pay.
        stopped: whether slots stayed organic because too many could not pay.
    """
    reasons = before.copy()
    reasons[list(unable)] = LossReason.MONEY
    competed = reasons == LossReason.RANK
    if stopped:
        reasons[competed] = LossReason.STOPPED
    for account, count in Counter(candidates.account[list(won)].tolist()).items():
        if count >= account_limit:
            reasons[competed & (candidates.account == account)] = LossReason.ACCOUNT
    for product in candidates.product[list(won)].tolist():
        reasons[competed & (candidates.product == product)] = LossReason.PRODUCT
    reasons[list(won)] = LossReason.NONE
    return reasons
