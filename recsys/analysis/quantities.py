"""Numbers and units as canonical terms: `5-1/2 in.` is `5.5 inch`, and `1.5升` is `1500ml`."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_LONGEST_NUMBER = 18  # digits; longer ones are identifiers


@dataclass(frozen=True)
class Unit:
    """A unit of measure.

    Attributes:
        code: its term, `inch`.
        names: how it is written, folded; a name in `close` only where no space stands before it.
        base: the code of the unit that quantities are given in.
        factor: how many of `base` one of it is.
    """

    code: str
    names: tuple[str, ...]
    base: str
    factor: Fraction
    close: tuple[str, ...] = ()


def _unit(names: str, base: str = "", factor: int | str = 1, close: str = "") -> Unit:
    code, *others = names.split()
    return Unit(code, (code, *others), base or code, Fraction(factor), tuple(close.split()))


UNITS = (
    _unit("mm millimeter millimeters millimetre millimetres 毫米"),
    _unit("cm centimeter centimeters centimetre centimetres 厘米 公分", "mm", 10),
    _unit("m meter meters metre metres mtr 米 公尺", "mm", 1000),
    _unit("km kilometer kilometers kilometre kilometres 公里 千米", "mm", 1_000_000),
    _unit("inch inches in 英寸 吋 寸", close="\" ''"),
    _unit("ft feet foot 英尺 尺", "inch", 12, close="'"),
    _unit("yd yard yards yds 码", "inch", 36),
    _unit("mg milligram milligrams 毫克", "g", "1/1000"),
    _unit("g gram grams gm gr 克"),
    _unit("kg kilogram kilograms kilo kilos kgs 公斤 千克", "g", 1000),
    _unit("oz ounce ounces 盎司"),
    _unit("lb lbs pound pounds 磅", "oz", 16),
    _unit("ton tons tonne tonnes 吨"),
    _unit("ml milliliter milliliters millilitre millilitres 毫升"),
    _unit("cl centiliter centiliters centilitre centilitres", "ml", 10),
    _unit("l liter liters litre litres ltr 升 公升", "ml", 1000),
    _unit("floz fl.oz fl-oz"),
    _unit("pint pints pt 品脱", "floz", 16),
    _unit("quart quarts qt", "floz", 32),
    _unit("gal gallon gallons 加仑", "floz", 128),
    _unit("cup cups 杯"),
    _unit("kb kilobyte kilobytes"),
    _unit("mb megabyte megabytes 兆"),
    _unit("gb gigabyte gigabytes"),
    _unit("tb terabyte terabytes"),
    _unit("w watt watts 瓦"),
    _unit("kw kilowatt kilowatts 千瓦", "w", 1000),
    _unit("volt volts v 伏"),
    _unit("amp amps ampere amperes 安", close="a"),
    _unit("mah 毫安 毫安时"),
    _unit("hz hertz 赫兹"),
    _unit("ghz gigahertz"),
    _unit("btu btus"),
    _unit("lumen lumens lm 流明"),
    _unit("kelvin", close="k"),
    _unit("psi"),
    _unit("degree degrees deg 度", close="°"),
    _unit("qm sqm m2", close="㎡"),
    _unit("sqft ft2"),
    _unit("pack packs pk pks 包"),
    _unit("count ct cnt"),
    _unit("piece pieces pc pcs 件 片 个 只 支 张"),
    _unit("set sets 套"),
    _unit("pair pairs 双 对"),
    _unit("roll rolls 卷"),
    _unit("sheet sheets"),
    _unit("dozen"),
    _unit("mp megapixel megapixels"),
    _unit("year years yr yrs 岁 年"),
)
# Names that mean no unit where no number stands before them.

_AMBIGUOUS = frozenset(["in", "m", "g", "l", "w", "v", "gr", "gm", "pt", "ct", "mb", "deg"])
_AFTER_OF = {"pack": "pack", "packs": "pack", "set": "set", "sets": "set", "box": "pack", "case": "pack"}
PACK_WORDS = frozenset(_AFTER_OF)
PACK_OF = "|".join(_AFTER_OF)  # a pattern


@functools.cache
def _by_name() -> Mapping[str, Unit]:
    return {name: unit for unit in UNITS for name in (*unit.names, *unit.close)}


@functools.cache
def unit_words() -> Mapping[str, str]:
    """The code of each word that names a unit wherever it stands.

    >>> unit_words()["inches"], unit_words().get("in")
    ('inch', None)
    """
    return {
        name: unit.code
        for unit in UNITS
        for name in unit.names
        if name.isascii() and name.isalnum() and name not in _AMBIGUOUS
    }


@functools.cache
def context_words() -> frozenset[str]:
    """Words that mean another thing beside a number."""
    names = {name for unit in UNITS for name in (*unit.names, *unit.close)}
    return frozenset(names | PACK_WORDS | {"of", "x", "by", "fl", "sq", "ounce", "ounces", "ft", "feet", "m"})


@functools.cache
def _unit_after() -> re.Pattern[str]:
    """What may follow a number as its unit."""
    spaced = [name for unit in UNITS for name in unit.names if name.isascii()]
    written = [name for unit in UNITS for name in unit.names if not name.isascii()]
    close = [name for unit in UNITS for name in unit.close]

    def any_of(names: list[str]) -> str:
        return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))

    return re.compile(
        r"[ -]?(?:(?P<two>(?:fl|sq)[. ]{0,2}(?:oz|ounces?|ft|feet|m))"
        rf"|(?P<word>{any_of(spaced)}))(?![a-z0-9])\.?"
        rf"| ?(?P<written>{any_of(written)})(?!月)"
        rf"|(?P<close>{any_of(close)})(?![a-z0-9])"
    )


@dataclass(frozen=True)
class UnitFound:
    """A unit behind a number: what it is, and the places of its name in the folded text."""

    unit: Unit
    start: int
    end: int


_IN_BETWEEN = re.compile(r"\s+\d")  # `2 in 1` is no length


def unit_at(text: str, place: int) -> UnitFound | None:
    """The unit that stands at `place` of a folded text, behind a number; None where there is none."""
    found = _unit_after().match(text, place)
    if found is None:
        return None
    name = found.group(found.lastgroup or "")
    if found.lastgroup == "two":
        name = {"flo": "floz", "sqf": "sqft", "sqm": "sqm"}[re.sub("[. ]", "", name)[:3]]
    elif name == "in" and _IN_BETWEEN.match(text, found.end()):
        return None
    return UnitFound(_by_name()[name], found.start(found.lastgroup or ""), found.end())


def unit_of_pack(word: str) -> Unit:
    """The unit of `pack of 2`, `set of 4`."""
    return _by_name()[_AFTER_OF[word]]


@functools.lru_cache(maxsize=1 << 14)
def quantity_term(number: str, unit: Unit) -> str:
    """The canonical term of a number with its unit, in the unit's base.

    >>> quantity_term("5.5", _by_name()["in"]), quantity_term("1.5", _by_name()["升"])
    ('5.5inch', '1500ml')
    """
    if len(number) > _LONGEST_NUMBER:
        return number + unit.base
    return number_term(Fraction(number) * unit.factor) + unit.base


def number_term(value: Fraction) -> str:
    """A number as a term: without zeros behind the point; as a fraction where it has no end.

    >>> number_term(Fraction(11, 2)), number_term(Fraction(16, 3)), number_term(Fraction(4))
    ('5.5', '16/3', '4')
    """
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    digits = str((value * 10**places).numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


@functools.lru_cache(maxsize=1 << 14)
def canonical_number(text: str) -> str:
    """The term of a number as it was written: `1,000`, `5.50`, `5-1/2`; long ones as they are.

    >>> [canonical_number(each) for each in ("1,000", "5.50", "5-1/2", "1/2", "007", "4006381333931")]
    ['1000', '5.5', '5.5', '0.5', '007', '4006381333931']
    """
    plain = text.replace(",", "")
    if len(plain) > _LONGEST_NUMBER or (plain[:1] == "0" and plain.isdigit()):
        return plain
    if plain.isdigit():
        return plain
    whole, _, fraction = plain.replace("-", " ").rpartition(" ")
    if "/" not in fraction and "." not in fraction:
        return plain
    return number_term(Fraction(fraction if "/" in fraction else "0" + fraction) + int(whole or 0))
