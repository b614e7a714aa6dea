"""Where every row went: rows in = kept + duplicates + cancelled + quarantined."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.cleaning.clean import CANCELLATION_REASONS, DUPLICATE_REASONS


@dataclass
class RowCounts:
    """Rows of one canonical table.

    Attributes:
        reasons: rows that were not kept, by reason.
        blanked: cells that could not be read and were left empty, by column.
        files: rows read, by file.
    """

    rows: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    blanked: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)

    def count_rows(self, file: str, rows: int) -> None:
        """`rows` more were read from `file`."""
        self.rows += rows
        self.files[file] += rows

    def count_rejected(self, reasons: Mapping[str, int]) -> None:
        """Rows by reason that were not kept."""
        self.reasons.update(reasons)

    def count_blanked(self, cells: Mapping[str, int]) -> None:
        """Cells by column that were left empty."""
        self.blanked.update({name: count for name, count in cells.items() if count})

    def empty_files(self) -> list[str]:
        """Files that were read and have no rows."""
        return [file for file, rows in self.files.items() if not rows]

    def report(self, name: str, examples: Mapping[str, str]) -> JsonObject:
        """The counts as report.json has them, with an example of each reason.

        Raises:
            DataError: a row is missing from it, which is a fault of this package.
        """
        duplicates = sum(self.reasons[reason] for reason in DUPLICATE_REASONS)
        cancelled = sum(self.reasons[reason] for reason in CANCELLATION_REASONS)
        quarantined = self.reasons.total() - duplicates - cancelled
        if self.rows != self.kept + duplicates + cancelled + quarantined:
            raise DataError(
                f"{name}: {self.rows} rows in, but {self.kept} kept + {duplicates} duplicates + "
                f"{cancelled} cancelled + {quarantined} quarantined. This is a fault of the import: "
                "nothing was changed; please report it."
            )
        return {
            "rows": self.rows,
            "kept": self.kept,
            "duplicates": duplicates,
            "cancelled": cancelled,
            "quarantined": quarantined,
            "reasons": dict(self.reasons.most_common()),
            "examples": dict(examples),
            "blanked": dict(self.blanked),
            "files": dict(self.files),
        }
