"""What simulated shoppers are like: every knob of the traffic, with its default."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationError

from recsys.errors import ConfigError
from recsys.settings_section import Section


class Habits(Section):
    """Knobs of the simulation. Two runs with equal habits, catalog and start are equal.

    The truth, for shopper u, item i and position p (from 1), at some day:

        attraction(u, i) = sigmoid(-3.5 + taste_slope cos(taste_u, vector_i) + appeal_i - (gap_ui / 2)^2)
        p_click(u, i, p) = p^-position_exponent attraction(u, i)

    where gap_ui is how far the item's price is from what u likes to pay, in standard deviations of the
    logarithm of the prices of its category. On a page of search, for a need q,

        attraction(u, q, i) = sigmoid(the same + relevance_slope (relevance(q, i) - relevance_middle))
    """

    seed: int = Field(0, ge=0)
    shoppers: int = Field(1000, ge=1)
    sessions_per_day: float = Field(1.0, gt=0, description="of a shopper, on average")
    pages: float = Field(2.0, ge=1, description="slates seen in a session, on average")
    slate: int = Field(10, ge=1, le=100, description="items a page shows")
    search_share: float = Field(0.3, ge=0, le=1, description="of pages that begin with a search")
    search_sessions: float = Field(0.0, ge=0, le=1, description="of sessions that use the shop's search")
    needs: int = Field(300, ge=1, description="different things that people search for")
    need_exponent: float = Field(
        1.0, ge=0, description="of Zipf: need r is asked for with weight r^-exponent"
    )
    need_focus: float = Field(2.0, ge=0, description="how much more a need near the taste is had")
    relevance_slope: float = Field(6.0, ge=0, description="0 = what was searched for does not matter")
    relevance_middle: float = Field(0.9, ge=0, le=1, description="relevance that changes nothing")
    second_page: float = Field(0.2, ge=0, le=1, description="of searches that go on to a second page")
    filter_share: float = Field(0.1, ge=0, le=1, description="of searches within the category of the need")
    shuffled_share: float = Field(
        0.0, ge=0, le=1, description="of first pages that are shown in random order"
    )
    suggest_share: float = Field(0.3, ge=0, le=1, description="of searches that look at suggestions")
    dropped_share: float = Field(0.1, ge=0, le=1, description="of words of a need that are not typed")
    synonym_share: float = Field(0.1, ge=0, le=1, description="of words with a synonym that it stands for")
    unit_share: float = Field(0.3, ge=0, le=1, description="of quantities that are written another way")
    typo_share: float = Field(0.03, ge=0, le=1, description="of typed words that have an error")
    position_exponent: float = Field(0.7, ge=0, description="position p is examined with chance p^-exponent")
    taste_slope: float = Field(5.0, ge=0, description="0 = everybody likes the same")
    interests: int = Field(3, ge=1, description="items that a taste is mixed from")
    drift: float = Field(0.05, ge=0, le=1, description="of a taste that a day changes")
    cart_share: float = Field(0.5, ge=0, le=1, description="of clicks, times the root of the attraction")
    purchase_share: float = Field(0.6, ge=0, le=1, description="of carts")
    cancel_share: float = Field(0.03, ge=0, le=1, description="of purchases")
    bot_share: float = Field(0.005, ge=0, lt=1, description="of shoppers that are machines")
    bot_views: int = Field(600, ge=1, description="of a machine's visit, ten a second")
    duplicate_share: float = Field(0.01, ge=0, le=1, description="of events that are sent twice")
    late_share: float = Field(0.01, ge=0, le=1, description="of events that come minutes to two days late")
    skewed_share: float = Field(0.02, ge=0, le=1, description="of shoppers whose clock is wrong")
    skew_seconds: float = Field(120.0, ge=0, description="standard deviation of a wrong clock")


def parse_habits(given: Sequence[str], **options: float) -> Habits:
    """Habits of `NAME=VALUE` texts, beside options that have a name of their own.

    >>> parse_habits(["drift=0.1"], seed=3).drift
    0.1

    Raises:
        ConfigError: a text is no NAME=VALUE, there is no such habit, or it cannot have that value.
    """
    values: dict[str, Any] = dict(options)
    for pair in given:
        name, mark, value = pair.partition("=")
        if not mark:
            raise ConfigError(f"--habit {pair!r} is no NAME=VALUE. Write for example --habit drift=0.1.")
        values[name] = value
    try:
        return Habits.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"habit {name!r}: {first['msg']} (got {first['input']!r}). "
            f"There are: {', '.join(Habits.model_fields)}."
        ) from error
