"""Ads in the order of their scores, and which of them may fill the slots."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.ads.auction.candidates import Candidates
from recsys.arrays import BoolArray, DoubleArray, IntArray

TieNumbers = npt.NDArray[np.uint64]
_WORD = 2**64 - 1


@dataclass(frozen=True, eq=False)
class Ranking:
    """The R ads that compete, the best first; a place is an index into these.

    Attributes:
        rows: into the candidates. weights, scores: (R,), see `Candidates.weights`.
        accounts, products: lists, because they are walked along one by one.
        ties: (R,) uint64; of two equal scores the lower one goes first.
    """

    rows: IntArray
    ads: IntArray
    accounts: list[int]
    products: list[int]
    bids: IntArray
    reserves: IntArray
    weights: DoubleArray
    scores: DoubleArray
    ties: TieNumbers

    def __len__(self) -> int:
        return len(self.rows)


def rank_candidates(
    candidates: Candidates, weights: DoubleArray, reserves: IntArray, competes: BoolArray, seed: int
) -> Ranking:
    """Those that compete by score from above; equal scores in an order drawn by `seed`.

    Args:
        weights, reserves, competes: (K,) each.
    """
    rows = np.flatnonzero(competes)
    scores = candidates.bid_micros[rows] * weights[rows]
    ties = tie_numbers(candidates.ad[rows], seed)
    order = _best_first(scores, ties)
    rows = rows[order]
    return Ranking(
        rows=rows,
        ads=candidates.ad[rows],
        accounts=candidates.account[rows].tolist(),
        products=candidates.product[rows].tolist(),
        bids=candidates.bid_micros[rows],
        reserves=reserves[rows],
        weights=weights[rows],
        scores=scores[order],
        ties=ties[order],
    )


def _best_first(scores: DoubleArray, ties: TieNumbers) -> IntArray:
    order = np.argsort(-scores)
    ordered = scores[order]
    if np.any(ordered[1:] == ordered[:-1]):  # seldom; sorting by two keys takes four times as long
        return np.lexsort((ties, -scores))
    return order


def tie_numbers(ad: IntArray, seed: int) -> TieNumbers:
    """(K,) a random number of each ad, which depends on nothing but the ad and the seed.

    An order drawn for all ads together would change with each ad that leaves.
    Paper: Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number Generators (SplitMix64).

    >>> bool(tie_numbers(np.array([7, 8]), 1)[1] == tie_numbers(np.array([8]), 1)[0])
    True
    """
    stream = _mixed(np.array([seed & _WORD], np.uint64))
    return _mixed(stream + ad.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mixed(words: TieNumbers) -> TieNumbers:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def admissible_places(
    ranking: Ranking,
    account_limit: int,
    removed: Collection[int],
    above: Sequence[int] = (),
    first: int = 0,
    without_account: int | None = None,
) -> Iterator[int]:
    """The places that fill slots one after the other: no product twice, no account more often than allowed.

    Args:
        removed: places that are out of the auction.
        above: places that have slots already.
        first: the place to begin at.
        without_account: whose ads are passed over.
    """
    products = {ranking.products[place] for place in above}
    slots_of: dict[int, int] = {}
    for place in above:
        slots_of[ranking.accounts[place]] = slots_of.get(ranking.accounts[place], 0) + 1
    for place in range(first, len(ranking)):
        account, product = ranking.accounts[place], ranking.products[place]
        if account == without_account or product in products or place in removed:
            continue
        taken = slots_of.get(account, 0)
        if taken >= account_limit:
            continue
        products.add(product)
        slots_of[account] = taken + 1
        yield place
