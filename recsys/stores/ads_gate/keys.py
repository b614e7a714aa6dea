"""The names of the gate's keys. Those of one account share a hash slot, so that one script may use them."""

from recsys.ads.pacing.budget_gate import UserCap

PREFIX = "recsys:ads"


def account_keys(account_id: str) -> tuple[str, str, str]:
    """The keys of an account, in the order that every script of it takes them.

    The first is a hash: `generation`, and `spent NAME` and `held NAME` of each level. The second is a hash of
    holds: id -> cost and names of levels. The third is a sorted set: ids of holds by when they end.

    >>> account_keys("acc_1")
    ('recsys:ads:{acc_1}:levels', 'recsys:ads:{acc_1}:holds', 'recsys:ads:{acc_1}:ends')
    """
    stem = f"{PREFIX}:{{{account_id}}}"
    return f"{stem}:levels", f"{stem}:holds", f"{stem}:ends"


def seen_key(cap: UserCap) -> str:
    """The key of what a user saw of a campaign: a sorted set of holds by when they were served."""
    return f"{PREFIX}-seen:{{{cap.user_id}}}:{cap.campaign_id}"
