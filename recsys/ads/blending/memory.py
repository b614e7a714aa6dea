"""What earlier pages of a visit showed: products that are not shown again, and where spacing goes on."""

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.catalog import stable_key

MOST_ORGANIC = 128  # products remembered; the oldest are forgotten first
MOST_SPONSORED = 64


@dataclass(frozen=True)
class PageMemory:
    """Earlier pages of one visit; without arguments, that there were none.

    Attributes:
        organic, sponsored: keys (`stable_key`) of products that were shown, the oldest first; the last
            MOST_ORGANIC and MOST_SPONSORED.
        since_sponsored: organic items behind the last sponsored one; None = there was no sponsored one.
    """

    organic: tuple[int, ...] = ()
    sponsored: tuple[int, ...] = ()
    since_sponsored: int | None = None

    def showed_sponsored(self, product_id: str) -> bool:
        """Whether an ad of the product was shown: then its organic copy is not shown either."""
        return bool(self.sponsored) and stable_key(product_id) in self.sponsored

    def showed(self, product_id: str) -> bool:
        """Whether the product was shown, organic or sponsored: then no ad of it is shown."""
        return stable_key(product_id) in {*self.organic, *self.sponsored}

    def after(self, shown: Iterable[tuple[str, bool]]) -> "PageMemory":
        """The memory with one page more.

        Args:
            shown: product and whether it was sponsored, from the first position.

        >>> memory = PageMemory().after([("tea", False), ("pot", True), ("cup", False)])
        >>> memory.since_sponsored, memory.showed("tea"), memory.showed_sponsored("tea"), memory.showed("jar")
        (1, True, False, False)
        """
        since = self.since_sponsored
        keys: dict[bool, list[int]] = {False: list(self.organic), True: list(self.sponsored)}
        for product_id, sponsored in shown:
            since = 0 if sponsored else None if since is None else since + 1
            keys[sponsored].append(stable_key(product_id))
        return PageMemory(_last(keys[False], MOST_ORGANIC), _last(keys[True], MOST_SPONSORED), since)


def _last(keys: list[int], most: int) -> tuple[int, ...]:
    """The last `most` different keys, each where it came last."""
    newest = list(dict.fromkeys(reversed(keys)))[:most]
    return tuple(reversed(newest))
