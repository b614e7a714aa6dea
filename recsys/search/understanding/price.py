"""What a query says of the price: `under 20 dollars`, `$10-$20`, `100元以下`."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from recsys.amounts import MOST_MICROS

_MICROS = 1_000_000
_DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN"})
# `pounds` is a weight, and no currency here.
_CURRENCIES: Mapping[str, frozenset[str]] = {
    "$": _DOLLARS,
    "dollar": _DOLLARS,
    "dollars": _DOLLARS,
    "bucks": _DOLLARS,
    "usd": frozenset({"USD"}),
    "美元": frozenset({"USD"}),
    "€": frozenset({"EUR"}),
    "euro": frozenset({"EUR"}),
    "euros": frozenset({"EUR"}),
    "eur": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "gbp": frozenset({"GBP"}),
    "¥": frozenset({"CNY", "JPY"}),
    "yuan": frozenset({"CNY"}),
    "rmb": frozenset({"CNY"}),
    "cny": frozenset({"CNY"}),
    "元": frozenset({"CNY", "TWD", "HKD"}),
    "块钱": frozenset({"CNY", "TWD", "HKD"}),
    "块": frozenset({"CNY", "TWD", "HKD"}),
}


@dataclass(frozen=True)
class PriceRange:
    """The price that a query asks for, bounds included, and the place of the words that say so."""

    least_micros: int | None
    most_micros: int | None
    start: int
    end: int


def price_range(text: str, currency: str | None) -> PriceRange | None:
    """What the first words about a price in a folded text say; None where they name no amount of money.

    Args:
        currency: the shop's code; an amount in another one says nothing. None = unknown, any will do.

    >>> price_range("dress under $20", "USD")
    PriceRange(least_micros=None, most_micros=20000000, start=6, end=15)
    >>> price_range("pipe under 20 inches", "USD") is None
    True
    """
    for pattern in _patterns():
        for found in pattern.finditer(text):
            if _is_money(found.groupdict(), currency):
                return _range(found)
    return None


def _is_money(groups: Mapping[str, str | None], currency: str | None) -> bool:
    named = [_CURRENCIES[sign] for name, sign in groups.items() if name.startswith("sign") and sign]
    return bool(named) and (currency is None or all(currency in codes for codes in named))


def _range(found: re.Match[str]) -> PriceRange | None:
    groups = found.groupdict()
    least, most = (_micros(groups.get(name)) for name in ("least", "most"))
    if least is not None and most is not None and least > most:
        least, most = most, least
    if least is None and most is None:
        return None
    return PriceRange(least, most, found.start(), found.end())


def _micros(number: str | None) -> int | None:
    if number is None:
        return None
    return min(int(Decimal(number.replace(",", "")) * _MICROS), MOST_MICROS)


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Two bounds before one, so that the end of a range is not taken for a bound of its own."""
    before = r"(?:(?P<sign{0}>[$€£¥]|(?:usd|eur|gbp|rmb|cny) ?) ?)?"
    behind = (
        r"(?: ?(?P<sign{0}>dollars?|bucks|usd|euros?|eur|gbp|yuan|rmb|cny|美元|块钱|元|块|[$€£¥])(?![a-z]))?"
    )
    number = r"(?P<{0}>(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,9}})(?:\.[0-9]{{1,2}})?)(?![0-9.]*[0-9])(?!/)"

    def amount(name: str, signs: str) -> str:
        return before.format(signs + "a") + number.format(name) + behind.format(signs + "b")

    start = r"(?<![a-z0-9.,-])"
    least, most = amount("least", "1"), amount("most", "2")
    below = (
        r"(?:under|below|less than|cheaper than|up to|at most|no more than|max|within|"
        r"不超过|不到|低于|少于|小于)"
    )
    above = r"(?:over|above|more than|at least|no less than|starting at|高于|超过|大于|不低于)"
    or_less = r"(?: ?(?:or|and) (?:less|under|below|cheaper)(?![a-z])|以下|以内|之内|内)"
    or_more = r"(?: ?(?:or|and) (?:more|up|above|over)(?![a-z])|以上|起)"
    price = r"(?:price[ds]? |价格|售价)?"
    texts = (
        rf"{start}{price}(?:between|from) {least} (?:and|to) {most}",
        rf"{start}{price}{least} ?(?:-|~|to|到|至) ?{most}(?:之间)?",
        rf"{start}{price}{below} ?{most}",
        rf"{start}{price}{above} ?{least}",
        rf"{start}{price}{most}{or_less}",
        rf"{start}{price}{least}{or_more}",
    )
    return tuple(re.compile(text) for text in texts)
