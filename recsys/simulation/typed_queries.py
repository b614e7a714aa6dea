"""From what is meant to what is typed: words left out, synonyms, units written another way, errors.

The tables are the shoppers' own. They know nothing of those by which a shop understands queries.
"""

from collections.abc import Sequence

import numpy as np

from recsys.simulation.habits import Habits

_SYNONYMS = (
    ("sofa", "couch"),
    ("tv", "television"),
    ("fridge", "refrigerator"),
    ("kid", "children"),
    ("bag", "purse"),
    ("trousers", "pants"),
    ("phone", "mobile"),
    ("headphones", "earphones"),
    ("cup", "mug"),
    ("rug", "carpet"),
    ("lamp", "light"),
    ("notebook", "laptop"),
    ("sneaker", "trainer"),
    ("jumper", "sweater"),
    ("soda", "pop"),
    ("soft drink", "soda"),
    ("candy", "sweets"),
    ("cookie", "biscuit"),
    ("yogurt", "yoghurt"),
    ("beef", "steak"),
    ("frozen", "frzn"),
    ("chip", "crisps"),
    ("detergent", "washing powder"),
)
_UNITS = {
    "mm": ("millimeter", "mm."),
    "cm": ("centimeter", "centimetre"),
    "m": ("meters", "metre"),
    "inch": ("in", '"'),
    "in": ("inch", '"'),
    "ft": ("feet", "foot"),
    "g": ("gram", "grams"),
    "kg": ("kilo", "kilograms"),
    "oz": ("ounce", "ounces"),
    "lb": ("pound", "lbs"),
    "ml": ("milliliters", "millilitre"),
    "l": ("liter", "litre"),
    "gal": ("gallon", "gallons"),
    "gb": ("gigabyte", "gigabytes"),
    "w": ("watt", "watts"),
    "v": ("volt", "volts"),
    "ct": ("count", "cnt"),
    "pk": ("pack", "packs"),
}
_SHORTEST = 4  # letters of a word that has errors
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def type_query(words: Sequence[str], habits: Habits, rng: np.random.Generator) -> str:
    """What somebody types who means `words`; at least one of them."""
    kept = [word for word in words if rng.random() >= habits.dropped_share] or [words[0]]
    return " ".join(_typed(word, habits, rng) for word in kept)


def _typed(word: str, habits: Habits, rng: np.random.Generator) -> str:
    number, _, unit = word.partition(" ")
    if unit in _UNITS and number[:1].isdigit():
        return _quantity(number, unit, rng) if rng.random() < habits.unit_share else word
    others = _synonyms(word)
    if others and rng.random() < habits.synonym_share:
        word = others[rng.integers(len(others))]
    if len(word) >= _SHORTEST and rng.random() < habits.typo_share:
        return misspell(word, rng)
    return word


def _quantity(number: str, unit: str, rng: np.random.Generator) -> str:
    names = _UNITS[unit]
    written = (f"{number}{unit}", f"{number} {names[0]}", f"{number} {names[1]}")
    return written[rng.integers(len(written))]


def _synonyms(word: str) -> tuple[str, ...]:
    """What else `word` is called; () where nothing is known.

    >>> _synonyms("cup"), _synonyms("soda"), _synonyms("tea")
    (('mug',), ('pop', 'soft drink'), ())
    """
    return tuple(other for pair in _SYNONYMS for one, other in (pair, pair[::-1]) if one == word)


def misspell(word: str, rng: np.random.Generator) -> str:
    """`word` with one error behind its first letter: two swapped, one lost, doubled, or of the next key."""
    place = int(rng.integers(1, len(word) - 1))
    before, letter, behind = word[:place], word[place], word[place + 1 :]
    swapped = before + behind[:1] + letter + behind[1:]
    lost, doubled = before + behind, before + letter + letter + behind
    errors = [swapped, lost, doubled, before + _beside(letter, rng) + behind]
    wrong = [error for error in errors if error != word]
    return wrong[rng.integers(len(wrong))]


def _beside(letter: str, rng: np.random.Generator) -> str:
    """A letter whose key lies beside; the same for what is on no key."""
    for row in _ROWS:
        place = row.find(letter)
        if place >= 0:
            step = 1 if place == 0 or (place < len(row) - 1 and rng.random() < 0.5) else -1
            return row[place + step]
    return letter
