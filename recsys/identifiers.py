"""What an id may be: the one rule for the files of an import and for live events."""

import re

MOST_CHARACTERS = 256
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
HAS_CONTROL = "has a control character in it"
TOO_LONG = f"has more than {MOST_CHARACTERS} characters"


def trimmed_identifier(text: str) -> str:
    """`text` without the blanks around it.

    Raises:
        ValueError: it cannot be an id; the message says why, without the name and the value.

    >>> trimmed_identifier(" sku-7 ")
    'sku-7'
    """
    trimmed = text.strip()
    if not trimmed:
        raise ValueError("is empty")
    if len(trimmed) > MOST_CHARACTERS:
        raise ValueError(TOO_LONG)
    if CONTROL.search(trimmed):
        raise ValueError(HAS_CONTROL)
    return trimmed
