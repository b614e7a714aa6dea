"""A shop's folder: settings, feature repository, mapping, and what `bentoml serve` needs there."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys import DISTRIBUTION, __version__
from recsys.atomic import creating_folder
from recsys.config import load_settings
from recsys.distribution import carried_folder
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError, RecsysError, StoreUnavailableError
from recsys.ingest.guess.lines import toml_value
from recsys.ingest.guess.mapping import GuessedMapping, guess_mapping
from recsys.ingest.guess.roles import EVENTS
from recsys.ingest.guess.sheets import read_sheet
from recsys.ingest.mapping.files import template_text
from recsys.jobs.data.check import ImportCheck, check_files
from recsys.progress import Progress, silent
from recsys.settings_sources import FEATURE_REPO, SETTINGS_FILE

MAPPING_FILE = "mapping.toml"
CHECKED_ROWS = 1000
_FILES_FOLDER = "files"

_SETTINGS = """\
# Settings of this shop; `recsys config` prints those in effect, `recsys config --example` all there are.

[import]  # what `recsys refresh` imports; paths are from the folder of this file
mapping = "{mapping}"
source = {source}
"""
_PROJECT = """\
# What `bentoml serve` and `bentoml build` read in this folder.
[tool.bentoml.build]
service = "serving.service:Recommender"
include = ["/{repository}/", "/{settings}", "/{mapping}", "/pyproject.toml"]
exclude = ["**/__pycache__/"]

[tool.bentoml.build.python]
packages = ["{distribution}=={version}"]
lock_packages = false
"""
_IGNORED = ".recsys*/\n__pycache__/\n"


@dataclass(frozen=True)
class CheckedRows:
    """What an import makes of the first rows of the shop's files.

    Attributes:
        looked_at: how many rows of each file were read at most.
        events: how many of them are events; None where the shop has none, only a catalog.
        rejected: "table: reason" -> rows of the sample that are set aside.
        problem: why an import would fail, or None.
    """

    looked_at: int
    events: int | None
    rejected: Mapping[str, int]
    warnings: Sequence[str]
    problem: str | None


@dataclass(frozen=True)
class NewShop:
    """A folder that was made, and what was found in the shop's files.

    Attributes:
        source: the folder of the files. files: what each is taken for; empty where none were given.
        checked: None where no files were given.
        moved_from: the newest event, where a historic log is moved to this week.
    """

    folder: Path
    source: Path
    files: Mapping[str, str]
    checked: CheckedRows | None
    moved_from: datetime | None

    @property
    def steps(self) -> tuple[str, ...]:
        """The commands that follow, in the shop's folder; a catalog alone has nothing to learn from users."""
        alone = self.checked is not None and self.checked.events is None
        return "recsys refresh", "recsys train " + ("--search-only" if alone else "--promote"), "recsys start"

    @property
    def problem(self) -> str | None:
        """What has to be mended in the mapping before an import, if files were given."""
        return self.checked.problem if self.checked else None

    def to_json(self) -> JsonObject:
        """What `recsys init --json` prints."""
        return {
            "folder": str(self.folder),
            "source": str(self.source),
            "files": self.files,
            "checked": asdict(self.checked) if self.checked else None,
            "moved_from": self.moved_from,
        }


def init_shop(folder: Path, files: Sequence[Path], now: datetime, progress: Progress = silent) -> NewShop:
    """Makes a shop's folder, whole or not at all; with `files`, their mapping is guessed and tried on them.

    The files stay where they are: the settings name their folder.

    Args:
        files: of the shop; a folder means the files in it. None: the mapping is the template.

    Raises:
        ConfigError: `folder` is there and not empty.
        DataError: a file is missing or no table of rows.
        StoreUnavailableError: the folder cannot be written.
    """
    _check_empty(folder)
    folder = folder.resolve()
    paths = _listed(files)
    source = Path(os.path.commonpath([path.parent for path in paths])) if paths else folder / _FILES_FOLDER
    guessed = _guessed(paths, source, folder.name, now) if paths else None
    try:
        _write_folder(folder, source, guessed)
    except OSError as error:
        raise StoreUnavailableError(
            "disk", f"write {folder} ({error.strerror or error})", 0.0, "Name a folder that can be written."
        ) from error
    if guessed is None:
        return NewShop(folder, source, {}, None, None)
    checked = _checked(folder, source, guessed, now, progress)
    return NewShop(folder, source, guessed.files, checked, guessed.moved_from)


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file. Name a folder that is new or empty.")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if there:
        shown = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")
        raise ConfigError(f"{folder} is not empty (it has {shown}). Name a folder that is new or empty.")


def _listed(files: Sequence[Path]) -> list[Path]:
    """The files themselves, those of folders included."""
    found: dict[Path, None] = {}
    for path in files:
        if not path.exists():
            raise DataError(f"there is no file {path}. Name the files of the shop behind --from.")
        inside = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
        found.update(dict.fromkeys(each.resolve() for each in inside if not each.name.startswith(".")))
    return list(found)


def _guessed(paths: Sequence[Path], source: Path, name: str, now: datetime) -> GuessedMapping:
    return guess_mapping([read_sheet(path, source) for path in paths], name, str(source), now)


def _write_folder(folder: Path, source: Path, guessed: GuessedMapping | None) -> None:
    shown = _FILES_FOLDER if guessed is None else str(source)
    with creating_folder(folder) as draft:
        shutil.copytree(
            carried_folder(FEATURE_REPO),
            draft / FEATURE_REPO,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        )
        if guessed is None:
            (draft / _FILES_FOLDER).mkdir()
        names = {"repository": FEATURE_REPO, "settings": SETTINGS_FILE, "mapping": MAPPING_FILE}
        settings = _SETTINGS.format(mapping=MAPPING_FILE, source=toml_value(shown))
        project = _PROJECT.format(**names, distribution=DISTRIBUTION, version=__version__)
        for file, text in (
            (SETTINGS_FILE, settings),
            (MAPPING_FILE, template_text() if guessed is None else guessed.text),
            ("pyproject.toml", project),
            (".gitignore", _IGNORED),
        ):
            (draft / file).write_text(text, "utf-8")


def _checked(
    folder: Path, source: Path, guessed: GuessedMapping, now: datetime, progress: Progress
) -> CheckedRows:
    """The guessed mapping tried on the first rows of its files."""
    if guessed.missing:
        return CheckedRows(0, 0, {}, (), f"{MAPPING_FILE} lacks {'; '.join(guessed.missing)}")
    settings = load_settings({}, start=folder)
    try:
        found = check_files(
            settings.paths, str(folder / MAPPING_FILE), source, CHECKED_ROWS, now, progress, settings.import_
        )
    except RecsysError as error:  # the folder is there, and its mapping is for a person to mend
        return CheckedRows(CHECKED_ROWS, 0, {}, (), str(error))
    return _counted(found, has_events=EVENTS in guessed.files.values())


def _counted(found: ImportCheck, has_events: bool) -> CheckedRows:
    sample = found.sample
    rejected = Counter(f"{row.table}: {row.reason}" for row in sample.rejected)
    warnings = [str(warning.get("message", warning)) for warning in sample.warnings]
    events = len(sample.events) if has_events else None
    return CheckedRows(found.rows, events, dict(rejected), warnings, found.problem)
