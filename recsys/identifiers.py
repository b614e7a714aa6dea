"""What an id may be: the one rule for the files of an import and for live events."""

import re

MOST_CHARACTERS = 256
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
WHOLE = re.compile(r"^(-?[0-9]+)\.0+$")
IS_LIST = "is a list, not one id"
IS_OBJECT = "is an object, not one id; name one of its fields by a dotted path"
LIST_TEXT = re.compile(r'^\[\s*"[\s\S]*\]$')  # as JSON writes them
OBJECT_TEXT = re.compile(r'^\{("[\s\S]*)?\}$')
_PLAIN = re.compile(
    rf"[!-\-/-~]{{1,{MOST_CHARACTERS}}}"
)  # letters and signs of ASCII without the point: nearly all
HAS_CONTROL = "has a control character in it"
TOO_LONG = f"has more than {MOST_CHARACTERS} characters"


def trimmed_identifier(text: str) -> str:
    """`text` without the blanks around it; a whole number loses the decimals that some programs write.

    Raises:
        ValueError: it cannot be an id; the message says why, without the name and the value.

    >>> trimmed_identifier(" sku-7 "), trimmed_identifier("12358.0")
    ('sku-7', '12358')
    """
    if _PLAIN.fullmatch(text) and text[0] not in "[{":
        return text
    trimmed = text.strip()
    if not trimmed:
        raise ValueError("is empty")
    if len(trimmed) > MOST_CHARACTERS:
        raise ValueError(TOO_LONG)
    if CONTROL.search(trimmed) or "\x1f" in text:  # which strip() takes for a blank
        raise ValueError(HAS_CONTROL)
    if LIST_TEXT.search(trimmed) or OBJECT_TEXT.search(trimmed):
        raise ValueError(IS_LIST if trimmed[0] == "[" else IS_OBJECT)
    return WHOLE.sub(r"\1", trimmed)
