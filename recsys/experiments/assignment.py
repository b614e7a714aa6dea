"""Which arm of an experiment somebody is in: a hash of salt and unit, so that nothing has to be remembered.

Paper: Tang et al. 2010, Overlapping Experiment Infrastructure, KDD (a salt an experiment, so that arms of
different experiments are independent).
"""

import hashlib

from recsys.errors import RequestError

MILLION = 1_000_000
_DRAWS = 2**64


def assignment_unit(user_id: str | None, session_id: str | None) -> str:
    """Who is assigned: the user, else the session. A user and a session of the same id differ.

    Raises:
        RequestError: neither is known.

    >>> assignment_unit("u7", "s1"), assignment_unit(None, "s1")
    ('user:u7', 'session:s1')
    """
    if user_id is not None:
        return f"user:{user_id}"
    if session_id is not None:
        return f"session:{session_id}"
    raise RequestError("neither user_id nor session_id is given. Send one, else nobody can be assigned.")


def request_unit(request_id: str) -> str:
    """Who asks where nobody is known: the one answer, so that its events are still told apart from others'.

    >>> request_unit("r1")
    'request:r1'
    """
    return f"request:{request_id}"


def draw_unit(salt: str, unit: str) -> int:
    """A number below 2^64 that depends on nothing but salt and unit: BLAKE2b of the unit, keyed by the salt.

    Args:
        salt: of the experiment, at most 64 bytes.

    >>> draw_unit("a", "user:u7") == draw_unit("a", "user:u7") != draw_unit("b", "user:u7")
    True
    """
    digest = hashlib.blake2b(unit.encode(), key=salt.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def is_below_share(salt: str, unit: str, share_ppm: int) -> bool:
    """Whether the unit is among the share, given in millionths; who is stays so when the share grows.

    >>> is_below_share("a", "user:u7", 0), is_below_share("a", "user:u7", 1_000_000)
    (False, True)
    """
    return draw_unit(salt, unit) * MILLION < share_ppm * _DRAWS
