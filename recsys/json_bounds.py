"""How deep a JSON text nests, found without parsing it: parsers and what walks their result recurse."""

import numpy as np

MAX_NESTING = 64  # arrays and objects within one another

_OPENING, _CLOSING, _QUOTE = b"[{", b"]}", b'"'
_REST = bytes(set(range(256)) - set(_OPENING + _CLOSING + _QUOTE))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(_OPENING)], _STEPS[list(_CLOSING)] = 1, -1


def json_problem(text: bytes) -> str | None:
    """Why `text` is not parsed at all; None if it is to be parsed, which does not mean that it is JSON."""
    if b"\0" in text:  # UTF-16 and UTF-32 have them, UTF-8 does not
        return "is not JSON in UTF-8: it has a byte of 0"
    # Nearly no request has that many brackets at all, and counting them takes a microsecond.
    if text.count(b"[") + text.count(b"{") > MAX_NESTING and nesting_depth(text) > MAX_NESTING:
        return f"has arrays or objects more than {MAX_NESTING} levels deep. Send a flatter one"
    return None


def nesting_depth(text: bytes) -> int:
    """How many arrays and objects lie within one another at most; brackets in strings do not count.

    >>> nesting_depth(b'{"a": [1, [2]], "b": "[[[[["}')
    3
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(text.translate(None, _REST), np.uint8)
    quoted = np.cumsum(marks == _QUOTE[0], dtype=np.int32) & 1
    return int(np.cumsum(_STEPS[marks] * (1 - quoted), dtype=np.int32).max(initial=0))
