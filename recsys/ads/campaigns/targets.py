"""Where the ads of a campaign may be shown, and to whom."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from recsys.errors import RequestError

Surface = Literal["home", "search", "category", "product"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
Match = Literal["exact", "phrase", "broad"]
MOST_KEYWORD = 80  # characters
MOST_KEYWORDS = 1000
MOST_TARGETS = 1000  # categories or items

_KEYWORD = re.compile(
    r"""(?P<negative>-)?(?:\[(?P<exact>[^\]\["]+)\]|"(?P<phrase>[^\]\["]+)"|(?P<broad>[^\]\["]+))"""
)


@dataclass(frozen=True)
class Keyword:
    """Words of a query.

    Attributes:
        match: `exact`: the query is these words; `phrase`: it has them next to each other and in this order;
            `broad`: it has all of them. Words are compared as search compares them.
        negative: the ad is not shown for such queries.
    """

    text: str
    match: Match = "broad"
    negative: bool = False


@dataclass(frozen=True)
class Targets:
    """What a request has to be about: one of `categories`, of `items` or of the positive keywords.

    With none of the three every request will do. Negative keywords, `segment` and `surfaces` narrow that.

    Attributes:
        categories: names of categories or paths; one below a path counts as the path.
        items: ids of items on whose pages the ads may be shown.
        keywords: of the query that is searched.
        segment: a predicate over what is known of the user, as segments of merchandising have it, in its
            text form; None = everybody.
        surfaces: places of the shop; none = all.
    """

    categories: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    segment: str | None = None
    surfaces: tuple[Surface, ...] = ()

    @property
    def positive_keywords(self) -> tuple[Keyword, ...]:
        """Those of which the query has to match one."""
        return tuple(keyword for keyword in self.keywords if not keyword.negative)

    @property
    def is_open(self) -> bool:
        """Whether a request may be about anything."""
        return not (self.categories or self.items or self.positive_keywords)


def parse_keyword(text: str) -> Keyword:
    """The keyword that `text` says: `[oat milk]` exact, `"oat milk"` phrase, `oat milk` broad.

    A `-` before it makes it negative.

    Raises:
        RequestError: it is none.

    >>> parse_keyword("-[oat  milk]")
    Keyword(text='oat milk', match='exact', negative=True)
    """
    found = _KEYWORD.fullmatch(text.strip())
    words = "" if found is None else " ".join(str(found[str(found.lastgroup)]).split())
    if found is None or not words.strip("-") or len(words) > MOST_KEYWORD:
        raise RequestError(
            f'{text[:MOST_KEYWORD]!r} is no keyword. Write [oat milk] for exact, "oat milk" for phrase or '
            f"oat milk for broad match, - before it for a negative one, up to {MOST_KEYWORD} characters."
        )
    match = next(name for name in get_args(Match) if found[name] is not None)
    return Keyword(words, match, found["negative"] is not None)


def keyword_text(keyword: Keyword) -> str:
    """The keyword as `parse_keyword` reads it.

    >>> keyword_text(Keyword("oat milk", "phrase", negative=True))
    '-"oat milk"'
    """
    written = {"exact": f"[{keyword.text}]", "phrase": f'"{keyword.text}"', "broad": keyword.text}
    return ("-" if keyword.negative else "") + written[keyword.match]


def parse_surface(text: str) -> Surface:
    """The surface of that name; raises RequestError if there is none."""
    for surface in SURFACES:
        if text == surface:
            return surface
    raise RequestError(f"{text[:40]!r} is no surface. Write one of: {', '.join(SURFACES)}.")
