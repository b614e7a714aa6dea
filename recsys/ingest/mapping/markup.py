"""The text of HTML, as shops keep descriptions."""

import re
from html.parser import HTMLParser

_HIDDEN = {"script", "style"}
_WRITTEN_BREAK = re.compile(r"(\\r)?\\n")  # the two characters that WooCommerce exports for a line break
_INSIDE_A_WORD = {"a", "abbr", "b", "del", "em", "font", "i", "ins", "mark", "small", "span", "strong"}
_INSIDE_A_WORD |= {"sub", "sup", "u", "wbr"}


def plain_text(markup: str) -> str:
    """The text of HTML: no tags, scripts or styles, entities as their characters, one blank between words.

    A line break that is written as `\\n` is a blank too.

    >>> plain_text("<p>Soft &amp; light</p><ul><li>linen</li></ul>")
    'Soft & light linen'
    """
    reader = _TextOfMarkup()
    reader.feed(_WRITTEN_BREAK.sub(" ", markup))
    reader.close()
    return " ".join("".join(reader.pieces).split())


class _TextOfMarkup(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _HIDDEN
        self._separate(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        self._separate(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)

    def _separate(self, tag: str) -> None:
        if tag not in _INSIDE_A_WORD:
            self.pieces.append(" ")
