"""Whether a request is what a campaign asks for: the definition, which the index has to agree with."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from recsys.ads.campaigns.targets import Surface, Targets
from recsys.ads.matching.keywords import Units, read_keyword, units_of
from recsys.rules.expression_parsing import parse_expression
from recsys.rules.expressions import Facts, NoFacts, is_true


@dataclass(frozen=True)
class AdRequest:
    """What a place for ads is about, and who looks at it.

    Attributes:
        query: what is searched; empty where nothing is.
        categories: names and paths of the page, or of the items on it.
        item_id: of the page's item; None where the page is of none.
        facts: what is known of the user.
    """

    surface: Surface
    query: str = ""
    categories: tuple[str, ...] = ()
    item_id: str | None = None
    facts: Facts = field(default_factory=NoFacts)

    @cached_property
    def units(self) -> Units:
        """The query's words."""
        return units_of(self.query)

    @cached_property
    def wider_categories(self) -> frozenset[str]:
        """The categories, and the paths above them."""
        return frozenset(with_wider(self.categories))


def with_wider(paths: Iterable[str]) -> Iterable[str]:
    """Each path and those above it.

    >>> list(with_wider(["Food/Pasta", "Wine"]))
    ['Food', 'Food/Pasta', 'Wine']
    """
    for path in paths:
        levels = path.split("/")
        for count in range(1, len(levels) + 1):
            yield "/".join(levels[:count])


def is_targeted(targets: Targets, request: AdRequest) -> bool:
    """Whether `request` is about what `targets` name, and nothing keeps it away.

    Raises:
        DataError: the segment is no expression.
    """
    if targets.surfaces and request.surface not in targets.surfaces:
        return False
    if any(read_keyword(word).is_in(request.units) for word in targets.keywords if word.negative):
        return False
    if targets.segment is not None and not is_true(parse_expression(targets.segment), request.facts):
        return False
    return (
        targets.is_open
        or not request.wider_categories.isdisjoint(targets.categories)
        or request.item_id in targets.items
        or any(read_keyword(word).is_in(request.units) for word in targets.positive_keywords)
    )
