"""A shop so small that every right result is plain to see."""

import numpy as np
import pytest

from recsys.dataset.interactions import Interactions, Vocabulary

DAY = 86_400_000_000


@pytest.fixture
def shop() -> Interactions:
    """Four users, five items; user u takes items u, u + 1, u + 2, ... day by day (beyond 5: from 1 again).

    Each of u1 .. u3 has 4 actions, u4 has 3 of which the last is a repeat of its first.
    """
    rows = [(user, (user + step - 1) % 5 + 1, step) for user in (1, 2, 3) for step in range(4)]
    rows += [(4, 4, 0), (4, 5, 1), (4, 4, 2)]
    user, item, day = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    users, items = (
        Vocabulary(("", *(f"{letter}{i}" for i in range(1, n)))) for letter, n in (("u", 5), ("i", 6))
    )
    return Interactions(
        users, items, user, item, np.full(len(user), 3), np.ones(len(user), np.float32), day * DAY
    )
