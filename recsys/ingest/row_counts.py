"""Where every row went: rows in = kept + duplicates + cancelled + quarantined."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.cleaning.clean import CANCELLATION_REASONS, DUPLICATE_REASONS
from recsys.ingest.cleaning.filters import DUPLICATE
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.rejections import RowRejections
from recsys.ingest.warnings import ImportWarnings


@dataclass(frozen=True)
class RowFate:
    """What came of the rows of one batch: which are rejected, how many are kept, what was made of cells."""

    rejections: RowRejections
    kept: int
    notes: CellNotes


@dataclass
class RowCounts:
    """Rows of one canonical table.

    Attributes:
        reasons: rows that were not kept, by reason.
        notes: what was made of cells.
        files: rows read, by file.
    """

    rows: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: CellNotes = field(default_factory=CellNotes)
    files: Counter[str] = field(default_factory=Counter)

    def count_batch(self, batch: RawBatch, fate: RowFate) -> None:
        """The rows of `batch` were read."""
        for file, rows in batch.rows_by_file():
            self.rows += rows
            self.files[file] += rows
        self.kept += fate.kept
        self.count_rejected(fate.rejections.counts())
        self.count_rejected(Counter(bad.reason for bad in batch.malformed))
        self.notes.update(fate.notes)

    def count_rejected(self, reasons: Mapping[str, int]) -> None:
        """Rows by reason that were not kept."""
        self.reasons.update(reasons)

    def count_repeated(self, rows: Mapping[str, int]) -> None:
        """Rows by file that say the same as another one: duplicates that need no quarantine."""
        for file, count in rows.items():
            self.rows += count
            self.files[file] += count
        self.count_rejected({DUPLICATE: sum(rows.values())} if rows else {})

    def warn_of_empty_files(self, name: str, warnings: ImportWarnings) -> None:
        """Says which files of the table `name` have no rows."""
        for file, rows in self.files.items():
            if not rows:
                warnings.add("empty_file", f"{file} ({name}) has no rows. Was it written to its end?")

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
            **self.notes.report(),
            "files": dict(self.files),
        }
