"""What search learned from a shop, as files: what matches by meaning, in a bundle; the order, beside it.

search_threshold.json   search_ranker.json   search_ranker.safetensors
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.models.manifest import Manifest
from recsys.search.match_threshold import MatchThreshold
from recsys.search.relevance.ranker import SearchRanker
from recsys.stores.bundles.bundles import extra_file
from recsys.stores.bundles.files import read_arrays, write_arrays

THRESHOLD, RANKER, RANKER_ARRAYS = "search_threshold.json", "search_ranker.json", "search_ranker.safetensors"


def threshold_extra(threshold: MatchThreshold) -> dict[str, Callable[[Path], Any]]:
    """The bundle extra that writes it, see `save_bundle`."""
    return {THRESHOLD: lambda path: _write_json(path, threshold.to_json())}


def load_match_threshold(bundle: Path, manifest: Manifest) -> MatchThreshold | None:
    """The threshold of the bundle; None where it has none.

    Raises:
        ArtifactMismatchError: it cannot be read.
    """
    file = extra_file(bundle, manifest, THRESHOLD)
    return None if file is None else MatchThreshold.from_json(_read_json(file))


def save_search_ranker(ranker: SearchRanker, folder: Path) -> None:
    """Writes a ranker beside a bundle, which never changes: into a folder that is there."""
    _write_json(folder / RANKER, ranker.describe())
    write_arrays(ranker.arrays(), folder / RANKER_ARRAYS)


def read_search_ranker(folder: Path) -> SearchRanker:
    """What `save_search_ranker` wrote.

    Raises:
        ArtifactMismatchError: it cannot be read, or reads other features than today's.
    """
    return SearchRanker.rebuild(_read_json(folder / RANKER), read_arrays(folder / RANKER_ARRAYS))


def _write_json(path: Path, document: JsonObject) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _read_json(path: Path) -> JsonObject:
    try:
        found: JsonObject = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactMismatchError(f"{path} cannot be read: {error}. Train again.") from error
    return found
