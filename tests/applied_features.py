"""A home to which the feature repository is applied, without waiting for `feast apply` each time.

That takes seconds and always says the same: a registry goes along where it is copied, see
`recsys.stores.features.feast_registry`. The first test of a run applies, the others copy.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

import feast

from recsys.config import Settings
from recsys.stores.features.offline import APPLIED_FILE, OfflineFeatures
from recsys.stores.locks import wait_for_lock


def apply_features(settings: Settings) -> None:
    """Does what `OfflineFeatures.apply` does."""
    paths, kept = settings.paths, _kept_folder(settings)
    kept.mkdir(exist_ok=True)
    with wait_for_lock(kept / "lock"):
        if not (kept / APPLIED_FILE).exists():
            OfflineFeatures(settings).apply()
            shutil.copyfile(paths.feast_registry, kept / "registry.db")
            shutil.copyfile(paths.features / APPLIED_FILE, kept / APPLIED_FILE)
    paths.features.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept / "registry.db", paths.feast_registry)
    shutil.copyfile(kept / APPLIED_FILE, paths.features / APPLIED_FILE)


def _kept_folder(settings: Settings) -> Path:
    """A folder for what these declarations, this code and this Feast give."""
    seen = hashlib.sha256(f"{feast.__version__} {settings.feature_repo.resolve()}".encode())
    root = Path(__file__).parent.parent
    files = [*settings.feature_repo.glob("*.*"), *(root / "recsys").glob("*.py")]
    for file in sorted([*files, *(root / "recsys" / "stores" / "features").glob("*.py")]):
        seen.update(file.read_bytes())
    return Path(tempfile.gettempdir()) / f"recsys-tests-applied-{seen.hexdigest()[:16]}"
