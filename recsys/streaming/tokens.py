"""Read-your-writes tokens: which offset of which partitions an answer has to have seen."""

import re
from collections.abc import Iterable, Mapping

from recsys.errors import RequestError

Offsets = Mapping[int, int]  # partition -> offset
TOKEN_PATTERN = r"^[0-9]{1,4}:[0-9]{1,19}(,[0-9]{1,4}:[0-9]{1,19})*$"
_TOKEN = re.compile(TOKEN_PATTERN)


def offsets_of(rows: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The largest offset of each partition among (partition, offset) pairs.

    >>> offsets_of([(0, 7), (3, 1), (0, 9)])
    {0: 9, 3: 1}
    """
    largest: dict[int, int] = {}
    for partition, offset in rows:
        largest[partition] = max(offset, largest.get(partition, 0))
    return largest


def encode_token(offsets: Offsets) -> str:
    """`partition:offset`, joined by commas.

    >>> encode_token({3: 1, 0: 9})
    '0:9,3:1'
    """
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))


def parse_token(token: str, partitions: int) -> dict[int, int]:
    """What `encode_token` wrote.

    Args:
        partitions: of users; the catalog's is numbered behind them.

    Raises:
        RequestError: it is not a token of this service.
    """
    remedy = "Give back what POST /v1/events answered."
    if not _TOKEN.fullmatch(token):
        raise RequestError(
            f"token {ascii(token)[:100]} is not partition:offset[,partition:offset...]. {remedy}"
        )
    pairs = [part.split(":") for part in token.split(",")]
    offsets = offsets_of((int(partition), int(offset)) for partition, offset in pairs)
    if max(offsets) > partitions:
        raise RequestError(
            f"token {ascii(token)[:100]} names partition {max(offsets)}; the last is {partitions}. {remedy}"
        )
    return offsets
