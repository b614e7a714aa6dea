"""What search learned from a shop, as files of a bundle: what matches by meaning, and the learned order.

    search_threshold.json   search_ranker.json   search_ranker.safetensors

Either may be missing: search then orders without anything learned, or by words alone.
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


def search_extras(
    threshold: MatchThreshold | None = None, ranker: SearchRanker | None = None
) -> dict[str, Callable[[Path], Any]]:
    """Bundle extras that write what there is, see `save_bundle`."""
    extras: dict[str, Callable[[Path], Any]] = {}
    if threshold is not None:
        extras[THRESHOLD] = lambda path: _write_json(path, threshold.to_json())
    if ranker is not None:
        extras[RANKER] = lambda path: _write_json(path, ranker.describe())
        extras[RANKER_ARRAYS] = lambda path: write_arrays(ranker.arrays(), path)
    return extras


def load_match_threshold(bundle: Path, manifest: Manifest) -> MatchThreshold | None:
    """The threshold of the bundle; None where it has none.

    Raises:
        ArtifactMismatchError: it cannot be read.
    """
    file = extra_file(bundle, manifest, THRESHOLD)
    return None if file is None else MatchThreshold.from_json(_read_json(file))


def load_search_ranker(bundle: Path, manifest: Manifest) -> SearchRanker | None:
    """The ranker of search of the bundle; None where it has none.

    Raises:
        ArtifactMismatchError: it cannot be read, or reads other features than today's.
    """
    file, arrays = (extra_file(bundle, manifest, name) for name in (RANKER, RANKER_ARRAYS))
    if file is None or arrays is None:
        return None
    return SearchRanker.rebuild(_read_json(file), read_arrays(arrays, manifest.files[RANKER_ARRAYS]))


def save_search_ranker(ranker: SearchRanker, folder: Path) -> None:
    """Writes a ranker beside a bundle, which never changes: into a folder that is there."""
    for name, write in search_extras(ranker=ranker).items():
        write(folder / name)


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
