"""What is too large to be believed of a shop's files."""

from dataclasses import dataclass

from recsys.config import ImportSettings


@dataclass(frozen=True)
class ReadLimits:
    """Bounds that a file must keep before its contents are believed.

    Attributes:
        line_bytes: of one line, or of one row whose quoted cells span lines.
        document_bytes: of a JSON document that is read as a whole.
        unpacked_ratio: how many times its size a file may unpack to.
        free_bytes: what any file may unpack to.
    """

    line_bytes: int = 16 << 20
    document_bytes: int = 256 << 20
    unpacked_ratio: int = 200
    free_bytes: int = 64 << 20

    def unpacked_bytes(self, packed: int) -> int:
        """How much a file of `packed` bytes may unpack to."""
        return max(self.free_bytes, packed * self.unpacked_ratio)


DEFAULT_LIMITS = ReadLimits()


def read_limits(settings: ImportSettings) -> ReadLimits:
    """The limits that the settings say."""
    return ReadLimits(settings.most_line_bytes, settings.most_document_bytes, settings.most_unpacked_ratio)
