"""What the cells of a column look like: instants, money, numbers, lists, HTML."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from recsys.arrays import Column
from recsys.ingest.raw.time_cells import as_instant
from recsys.ingest.raw.written_numbers import read_number
from recsys.instants import to_micros

_LOOKED_AT = 500  # distinct cells of a column: enough to tell how it is written
_MOST = 0.95  # of the cells have to fit
_FROM, _UNTIL = (to_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (1990, 2100))
_COUNT_UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # by digits, one less before 2001
_CLOCKS = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    ", %H:%M:%S",
    " %H:%M:%S %z",
)
_CHINESE_CLOCKS = ("", " %H:%M", " %H:%M:%S", "%H时%M分", "%H时%M分%S秒", " %H时%M分%S秒")
_DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y"),
    *("%B %d, %Y", "%d-%b-%Y", "%b %d %Y", "%a, %d %b %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"),
)
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "CNY", "￥": "CNY", "元": "CNY", "$": "USD", "₹": "INR", "₩": "KRW"}
_HTML = re.compile(r"</?(p|br|div|ul|li|b|strong|span|a|h\d)\b[^>]*>", re.IGNORECASE)
_SEPARATORS = ("|", ">", ";")


@dataclass(frozen=True)
class WrittenTime:
    """How a column writes instants: the keys of `time` in a mapping, and why."""

    keys: Mapping[str, str]
    why: str


@dataclass(frozen=True)
class WrittenMoney:
    """How a column writes amounts: the keys `decimal` and `strip`, the currency if a sign tells, and why."""

    keys: Mapping[str, str]
    currency: str | None
    why: str


def written_time(cells: Column) -> WrittenTime | None:
    """How the cells write instants between 1990 and 2100; None if they do not, or not all in one way."""
    texts = [str(text) for text in pa.array(cells).unique().to_pylist()[:_LOOKED_AT]]
    if not texts:
        return None
    lengths = {len(text) for text in texts if text.isdigit()}
    if all(re.fullmatch(r"\d{9,19}(\.\d+)?", text) for text in texts) and lengths != {14}:
        return _counted(texts)
    plain_numbers = any(text.isdigit() and len(text) not in (8, 14) for text in texts)
    if not plain_numbers and _instants(texts) is not None:
        zone = "in UTC where it names no zone" if any(":" in text for text in texts) else "a day, in UTC"
        return WrittenTime({}, f'such as {texts[0]}, {zone}; else add zone = "Europe/Paris"')
    return _formatted(texts)


def _counted(texts: Sequence[str]) -> WrittenTime | None:
    digits = max(len(text.partition(".")[0]) for text in texts)
    unit = next(unit for length, unit in _COUNT_UNITS.items() if digits <= length)
    if _instants(texts, unit=unit) is None:
        return None
    return WrittenTime({"unit": unit}, f"such as {texts[0]}: {digits} digits, counted since 1970")


def _formatted(texts: Sequence[str]) -> WrittenTime | None:
    """The pattern that fits; of two that differ in day and month the one whose dates lie closer together."""
    fits: list[tuple[int, str]] = []
    for form in _patterns(texts[0]):
        instants = _instants(texts, form=form)
        if instants is not None:
            fits.append((int(np.ptp(instants)), form))
    if not fits:
        return None
    fits.sort(key=lambda fit: fit[0])
    why = f"such as {texts[0]}"
    if len(fits) > 1:
        why += f'; it could be "{fits[1][1]}" too, but then the dates lie further apart'
    return WrittenTime({"format": fits[0][1]}, f'{why}; in UTC, else add zone = "Europe/Paris"')


def _patterns(text: str) -> Iterator[str]:
    if "年" in text:
        yield from (f"%Y年%m月%d日{clock}" for clock in _CHINESE_CLOCKS)
    for date in _DATES:
        for clock in _CLOCKS:
            yield date + clock


def _instants(texts: Sequence[str], unit: str = "iso", form: str | None = None) -> "np.ndarray | None":
    """Microseconds of the texts if nearly all are instants between 1990 and 2100."""
    parsed = as_instant(pa.array(texts, pa.string()), unit, form)
    good = parsed.ok & (parsed.values >= _FROM) & (parsed.values < _UNTIL)
    return parsed.values[good] if good.mean() >= _MOST else None


def written_money(texts: Sequence[str]) -> WrittenMoney | None:
    """How the texts write amounts; None if they are no numbers, whatever sign they have."""
    texts = texts[:_LOOKED_AT]
    signs = sorted({sign for text in texts for sign in re.findall(r"[^\d.,'’\s()+\-−–]+", text)})
    if len(signs) > 3 or any(len(sign) > 4 for sign in signs):
        return None
    strip = "".join(signs)
    plain = [_without(text, signs) for text in texts]
    decimal = _decimal_mark(plain)
    read = [read_number(text, decimal) for text in plain]
    if not texts or sum(number is not None for number in read) < _MOST * len(texts):
        return None
    keys = ({"decimal": decimal} if decimal else {}) | ({"strip": strip} if strip else {})
    named = [_SIGNS.get(sign, sign if re.fullmatch(r"[A-Z]{3}", sign) else "") for sign in signs]
    return WrittenMoney(keys, next(filter(None, named), None), f"such as {texts[0]}")


def is_number(texts: Sequence[str]) -> bool:
    """Whether nearly all texts are numbers as programs write them."""
    looked = texts[:_LOOKED_AT]
    numbers = sum(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text) is not None for text in looked)
    return bool(looked) and numbers >= _MOST * len(looked)


def list_separator(texts: Sequence[str]) -> str | None:
    """The mark between the elements where many cells are lists, such as `Comedy|Drama`."""
    looked = texts[:_LOOKED_AT]
    counts = {mark: sum(mark in text for text in looked) for mark in _SEPARATORS}
    mark = max(counts, key=lambda each: counts[each])
    return mark if looked and counts[mark] >= 0.2 * len(looked) else None


def has_markup(texts: Sequence[str]) -> bool:
    """Whether some cells are HTML."""
    return any(_HTML.search(text) for text in texts[:_LOOKED_AT])


def _without(text: str, signs: Sequence[str]) -> str:
    for sign in signs:
        text = text.replace(sign, "")
    return text.strip()


def _decimal_mark(texts: Sequence[str]) -> str | None:
    """`,` or `.` where commas make it necessary to say so; None where points are decimal points."""
    with_comma = [text for text in texts if "," in text]
    if not with_comma:
        return None
    both = [text for text in with_comma if "." in text]
    if both:
        return "," if sum(text.rfind(",") > text.rfind(".") for text in both) > len(both) / 2 else "."
    groups = all(re.fullmatch(r"[-(]?\d{1,3}(,\d{3})+\)?", text) for text in with_comma)
    return "." if groups else ","
