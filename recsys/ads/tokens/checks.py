"""What is wrong with a token whose signature is right."""

from datetime import datetime

from recsys.errors import InvalidTokenError, TokenExpiredError
from recsys.instants import CLOCK_TOLERANCE, SECOND, to_micros


def check_origin(found: tuple[int, str], wanted: tuple[int, str]) -> None:
    """Refuses a token of another version or shop.

    Args:
        found, wanted: version and shop id, of the token and of this service.

    Raises:
        InvalidTokenError: they differ.
    """
    if found[0] != wanted[0]:
        raise InvalidTokenError(
            f"token: it is of version {found[0]}, and this service reads {wanted[0]}. Ask for the page again."
        )
    if found[1] != wanted[1]:
        raise InvalidTokenError(
            f"token: it is of shop {found[1]!r}, and this is {wanted[1]!r}. Send it to the shop that gave it."
        )


def check_age(made_at: datetime, now: datetime, most_age_seconds: int) -> None:
    """Refuses a token that is too old, or of a time to come.

    Raises:
        TokenExpiredError: it is older than `most_age_seconds`.
        InvalidTokenError: it was made more than ten minutes after `now`.
    """
    age = to_micros(now) - to_micros(made_at)
    if age < -CLOCK_TOLERANCE:
        raise InvalidTokenError(
            f"token: it was made at {made_at.isoformat()}, and it is {now.isoformat()}. Set the clocks right."
        )
    if age > most_age_seconds * SECOND:
        raise TokenExpiredError(
            f"token: it is {age // SECOND} seconds old, and counts for {most_age_seconds}. "
            "Ask for the page again."
        )
