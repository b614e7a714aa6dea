"""Where each thing of a shop lies on disk."""

import os
from dataclasses import dataclass
from pathlib import Path

LIVE = "live"  # the folder of events that came by the stream
CHANGED_ROWS = "changed.parquet"
OTHERS = 0o077  # the bits of a file's mode that let other accounts in


def keep_private() -> None:
    """Lets no other account read what this process and those it starts write: 0700 and 0600.

    Every entry point calls it first: a home holds what users did, and passwords.
    """
    os.umask(os.umask(OTHERS) | OTHERS)


@dataclass(frozen=True)
class HomePaths:
    """The folders and files of one work directory; nothing is created by asking."""

    home: Path

    @property
    def data(self) -> Path:
        """Canonical items.parquet, users.parquet, dataset.json, report.json and quarantine/."""
        return self.home / "data"

    @property
    def shop(self) -> Path:
        """The shop's id; it goes along where the home is copied or moved."""
        return self.home / "shop.json"

    @property
    def cursor_key(self) -> Path:
        """The secret that the cursors of search's pages are signed with."""
        return self.home / "cursor.key"

    @property
    def ads_key(self) -> Path:
        """The secret that the tokens of ads and pages are signed with."""
        return self.home / "ads.key"

    @property
    def search_indexes(self) -> Path:
        """Working copies of indexes of words, one a process that serves."""
        return self.home / "search"

    @property
    def search_rankers(self) -> Path:
        """Orders of search that were learned, one folder each; the newest counts, with any bundle."""
        return self.home / "search_rankers"

    @property
    def lake(self) -> Path:
        """Events by day: `day=YYYY-MM-DD/*.parquet`."""
        return self.home / "lake" / "events"

    @property
    def features(self) -> Path:
        """Feature rows, one folder a view: Feast's offline sources."""
        return self.home / "features"

    def feature_rows(self, view: str) -> Path:
        """The Parquet file that holds the rows of one feature view."""
        return self.features / view / "rows.parquet"

    def changed_rows(self, view: str) -> Path:
        """Beside `feature_rows`: rows that a build added since; of equal entity and instant these count."""
        return self.features / view / CHANGED_ROWS

    def row_files(self, view: str) -> list[Path]:
        """Those of the two that are there."""
        return [file for file in (self.feature_rows(view), self.changed_rows(view)) if file.exists()]

    @property
    def without_test(self) -> Path:
        """A home of its own in which no test has begun, for the features that a training reads."""
        return self.home / "without-test"

    @property
    def feast_registry(self) -> Path:
        """Feast's registry file."""
        return self.home / "registry.db"

    @property
    def redis(self) -> Path:
        """The embedded server's data, log and `server.json`."""
        return self.home / "redis"

    @property
    def database(self) -> Path:
        """SQLite file of runs and bundles, unless DATABASE_URL is set."""
        return self.home / "recsys.db"

    @property
    def text_vectors(self) -> Path:
        """Text vectors by encoder and content hash."""
        return self.home / "text_vectors"

    @property
    def image_vectors(self) -> Path:
        """Image vectors by encoder and content hash."""
        return self.home / "image_vectors"

    @property
    def encoders(self) -> Path:
        """Text encoders that were trained, distilled, prepared or exported here, one folder each."""
        return self.home / "encoders"

    @property
    def runs(self) -> Path:
        """Checkpoints and learning curves, one folder a run."""
        return self.home / "runs"

    @property
    def bundles(self) -> Path:
        """Trained bundles, a folder each."""
        return self.home / "bundles"

    @property
    def working(self) -> Path:
        """Copies of bundles' search indexes, one for each running process that changes its own."""
        return self.home / "working"

    @property
    def served(self) -> Path:
        """Slates that were served, as rotating JSON lines."""
        return self.home / "served"

    @property
    def ad_log(self) -> Path:
        """Sponsored slots that were served, a file a process and day, and which files there were."""
        return self.home / "ads"

    @property
    def click_drift(self) -> Path:
        """What was measured last of the probabilities that ads were served with."""
        return self.home / "click-drift.json"

    @property
    def live(self) -> Path:
        """Events that came by the stream, by day: an import leaves them alone."""
        return self.home / "lake" / LIVE

    @property
    def item_log(self) -> Path:
        """Versions of items that came by the stream; an import leaves them alone."""
        return self.home / "lake" / "items"

    @property
    def user_log(self) -> Path:
        """What users told the shop by the stream."""
        return self.home / "lake" / "users"

    @property
    def stream(self) -> Path:
        """What the workers remember: state.db and the locks of partitions."""
        return self.home / "stream"

    @property
    def charging(self) -> Path:
        """The locks of charge workers."""
        return self.home / "charging"

    @property
    def tuning(self) -> Path:
        """What a trial of `recsys tune` needs while it runs; nothing is left when it ends."""
        return self.home / "tuning"

    @property
    def reports(self) -> Path:
        """Reports of evaluations, a folder a bundle."""
        return self.home / "reports"
