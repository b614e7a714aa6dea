"""A bundle on disk is whole, verified, and gives back the very same numbers."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file

from recsys.columns import RANKING_FEATURES
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import ArtifactError, ArtifactMismatchError, ArtifactNotFoundError
from recsys.models.bundle import Bundle
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.orders import (
    COSINES,
    FUSION,
    NEIGHBOURS_AND_TEXT,
    NO_HISTORY,
    OWN_ACTIONS,
    PRIOR,
    RANKER,
    RECENT_POPULARITY,
    REPEATS_KEPT,
    REQUEST_KINDS,
    SIMILAR,
)
from recsys.models.ranker import CALIBRATED_KINDS
from recsys.models.signals import SIGNALS, SignalTables
from recsys.stores.bundles.bundles import (
    ARRAY_NAMES,
    extra_file,
    load_bundle,
    load_manifest,
    new_bundle_id,
    save_bundle,
    verify_bundle,
)
from recsys.stores.bundles.files import file_sha256
from tests.models.test_orders import choice
from tests.tiny_bundle import tiny_bundle

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SERVICES = {"retrieval_v1": "a1", "ranking_v1": "b2"}


class Line(torch.nn.Module):
    """The least network that can describe itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, 2)
        self.tied = self.linear  # shares its tensors, which safetensors alone would refuse

    def describe(self) -> dict[str, Any]:
        return {"width": self.linear.in_features}

    @classmethod
    def rebuild(cls, description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> "Line":
        network = cls(description["width"])
        network.load_state_dict(tensors)
        return network


def catalog(ids: tuple[str, ...] = ("a", "b", "c")) -> ItemTable:
    rows = len(ids) + 1
    return ItemTable(
        vocabulary=Vocabulary(("", *ids)),
        titles=("", *(f"Käse {name} 奶酪" for name in ids)),
        categories=("",) * rows,
        brands=("", *("brand",) * len(ids)),
        price_micros=np.arange(-1, rows - 1),
        available=np.arange(rows) > 1,
        attributes=("{}",) * rows,
    )


def bundle(
    rng: np.random.Generator, *, ranker: bool = True, bundle_id: str = "shop-1", **changes: Any
) -> Bundle:
    items = changes.pop("items", catalog())
    rows = len(items)
    manifest = Manifest(
        bundle_id=bundle_id,
        created_at=NOW,
        dataset="shop",
        protocol="all",
        repeats=True,
        services=SERVICES,
        data_start=NOW,
        data_end=NOW,
        users=2,
        items=rows - 1,
        encoder="minilm",
        settings={"retriever": {"width": 8}},
        metrics={"recall@10": 0.1 + 0.2, "of_nothing": float("nan")},
    )
    arrays: dict[str, Any] = {
        "item_vectors": rng.normal(size=(rows, 4)).astype(np.float32),
        "text_vectors": rng.normal(size=(rows, 6)).astype(np.float32),
        "popularity": rng.random(rows).astype(np.float32),
        "neighbours": rng.integers(0, rows, (rows, 2)),
        "neighbour_scores": rng.random((rows, 2)).astype(np.float32),
        "cosine_neighbours": rng.integers(0, rows, (rows, 2)),
        "cosine_scores": rng.random((rows, 2)).astype(np.float32),
        "text_neighbours": rng.integers(0, rows, (rows, 2)),
        "text_scores": rng.random((rows, 2)).astype(np.float32),
        "word_neighbours": rng.integers(0, rows, (rows, 2)),
        "word_scores": rng.random((rows, 2)).astype(np.float32),
        "item_events": rng.integers(0, 9, rows).astype(np.float32),
    }
    arrays |= {name: changes.pop(name) for name in ARRAY_NAMES if name in changes}
    parts: dict[str, Any] = {
        "manifest": manifest,
        "items": items,
        "retriever": Line(3),
        "text_vectors": arrays["text_vectors"],
        "signal_tables": SignalTables.from_arrays(arrays),
        "fusion": Line(4),
        "ranker": Line(5) if ranker else None,
    }
    return Bundle(**(parts | changes))


def load(path: Path, **options: Any) -> Bundle:
    return load_bundle(path, retriever=Line, fusion=Line, ranker=Line, **options)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def saved(rng: np.random.Generator, tmp_path: Path) -> Path:
    return save_bundle(bundle(rng), tmp_path)


def test_a_reloaded_bundle_is_equal_bit_for_bit(rng: np.random.Generator, tmp_path: Path) -> None:
    first = bundle(rng)
    second = load(save_bundle(first, tmp_path))
    for name in ARRAY_NAMES:
        ours, theirs = first.arrays()[name], second.arrays()[name]
        assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
    for ours, theirs in ((first.retriever, second.retriever), (first.ranker, second.ranker)):
        assert ours is not None
        assert theirs is not None
        for name, tensor in ours.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name])
    assert second.items.vocabulary == first.items.vocabulary
    assert (second.items.titles, second.items.brands) == (first.items.titles, first.items.brands)
    assert second.items.price_micros.tolist() == [-1, 0, 1, 2]
    assert second.items.available.tolist() == [False, False, True, True]
    assert second.manifest.metrics["recall@10"] == 0.1 + 0.2
    assert np.isnan(second.manifest.metrics["of_nothing"])
    assert second.manifest.created_at == NOW


def test_the_real_networks_answer_the_same_after_reload(tmp_path: Path) -> None:
    first = tiny_bundle()
    second = load_bundle(save_bundle(first, tmp_path))
    histories = Histories(
        items=np.array([[0, 0, 1, 2], [4, 3, 2, 1], [0, 0, 0, 0]]),
        kinds=np.array([[0, 0, 3, 6], [3, 3, 4, 6], [0, 0, 0, 0]]),
        at_seconds=np.array([[0, 0, 10, 20], [5, 6, 7, 8], [0, 0, 0, 0]]) + 1_700_000_000,
        request_at_seconds=np.full(3, 1_700_000_100),
    )
    for ours, theirs in (
        (first.retriever.user_vectors(histories), second.retriever.user_vectors(histories)),
        (first.retriever.item_vectors(), second.retriever.item_vectors()),
    ):
        assert ours.tobytes() == theirs.tobytes()
    features = np.random.default_rng(1).normal(size=(5, len(RANKING_FEATURES))).astype(np.float32)
    features[0, 0] = np.nan
    assert first.ranker is not None
    assert second.ranker is not None
    assert first.ranker.probability(features).tobytes() == second.ranker.probability(features).tobytes()


def test_which_titles_are_ids_and_which_texts_are_missing_is_kept(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    first = bundle(rng)
    titled, missing = np.array([True, True, False, True]), np.array([True, False, True, False])
    first = replace(first, items=replace(first.items, titled=titled)).with_arrays(text_missing=missing)
    second = load(save_bundle(first, tmp_path))
    assert second.items.words_of_titles == (*first.items.titles[:2], "", first.items.titles[3])
    assert second.signal_tables.text_missing.tolist() == missing.tolist()


def test_products_paths_and_first_instants_are_kept(rng: np.random.Generator, tmp_path: Path) -> None:
    known = {
        "products": ("", "p", "p", ""),
        "category_paths": ("", "Home/Pots", "", "Home"),
        "first_at": np.array([0, 5, 0, 7]),
    }
    first = bundle(rng, items=replace(catalog(), **known))
    items = load(save_bundle(first, tmp_path)).items
    assert (items.products, items.category_paths) == (known["products"], known["category_paths"])
    assert items.first_at.tolist() == [0, 5, 0, 7]


def test_the_order_of_each_kind_of_request_is_kept(rng: np.random.Generator, tmp_path: Path) -> None:
    nothing = float("nan")  # what too few questions tell
    untold = {"value": nothing, "baseline_value": nothing, "difference": nothing, "low": nothing}
    orders = {
        REPEATS_KEPT: choice(OWN_ACTIONS, rejected=(FUSION, PRIOR)),
        SIMILAR: choice(NEIGHBOURS_AND_TEXT, **untold, high=nothing, questions=0),
    }
    first = bundle(rng)
    first = replace(first, manifest=first.manifest.model_copy(update={"orders": orders}))
    second = load(save_bundle(first, tmp_path))
    assert second.manifest.orders[REPEATS_KEPT] == orders[REPEATS_KEPT]
    assert np.isnan(second.manifest.orders[SIMILAR].difference)
    for kind in REQUEST_KINDS[:2]:
        assert second.order_of(kind) == OWN_ACTIONS
    assert (second.order_of(SIMILAR), second.order_of(NO_HISTORY)) == (NEIGHBOURS_AND_TEXT, RECENT_POPULARITY)


def test_a_bundle_of_an_earlier_version_answers_as_before(tmp_path: Path) -> None:
    """No orders in its manifest, one calibration, fewer signals, nothing of missing texts or item cosines."""
    shape = replace(initial_fusion(4, repeats=True).shape, own_counts=False, item_cosine=False)
    today = tiny_bundle(fusion=Fusion(shape).eval())
    assert today.ranker is not None
    today.ranker.calibration.copy_(torch.tensor([[0.5, -2.0]]).repeat(CALIBRATED_KINDS, 1))
    path = save_bundle(today, tmp_path)
    description = json.loads((path / "description.json").read_text())
    for name in ("own_counts", "item_cosine"):
        del description["fusion"]["shape"][name]
    (path / "description.json").write_text(json.dumps(description))
    tensors = load_file(path / "ranker.safetensors")
    save_file(tensors | {"calibration": tensors["calibration"][0].clone()}, path / "ranker.safetensors")
    arrays = load_file(path / "arrays.safetensors")
    for name in ("text_missing", "cosine_neighbours", "cosine_scores"):
        del arrays[name]
    save_file(arrays, path / "arrays.safetensors")
    manifest = json.loads((path / "manifest.json").read_text())
    for name in ("orders", "no_ranker", "shown_labels"):
        del manifest[name]
    manifest["files"] = {name: file_sha256(path / name) for name in manifest["files"]}
    (path / "manifest.json").write_text(json.dumps(manifest))

    old = load_bundle(path)
    signals = np.random.default_rng(1).random((5, len(SIGNALS))).astype(np.float32)
    features = np.random.default_rng(1).normal(size=(5, len(RANKING_FEATURES))).astype(np.float32)
    assert old.ranker is not None
    assert old.fusion.score(signals).tobytes() == today.fusion.score(signals).tobytes()
    for kind in range(CALIBRATED_KINDS):
        ours, theirs = (each.ranker.probability(features, kind) for each in (today, old) if each.ranker)
        assert ours.tobytes() == theirs.tobytes()
    assert [old.order_of(kind) for kind in REQUEST_KINDS] == [RANKER, RANKER, RECENT_POPULARITY, COSINES]


def test_neighbours_of_8_bytes_as_earlier_bundles_hold_them_are_read_as_4(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    path = save_bundle(bundle, tmp_path)
    arrays = load_numpy(path / "arrays.safetensors")
    assert {arrays[name].dtype for name in arrays if name.endswith("neighbours")} == {np.dtype(np.int32)}
    wide = {name: rows.astype(np.int64) if rows.dtype == np.int32 else rows for name, rows in arrays.items()}
    save_numpy(wide, path / "arrays.safetensors")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["arrays.safetensors"] = file_sha256(path / "arrays.safetensors")
    (path / "manifest.json").write_text(json.dumps(manifest))
    loaded = load_bundle(path)
    for name, rows in loaded.arrays().items():
        assert rows.dtype == bundle.arrays()[name].dtype
        np.testing.assert_array_equal(rows, bundle.arrays()[name])


def test_a_bundle_without_a_ranker_has_none_after_reload(rng: np.random.Generator, tmp_path: Path) -> None:
    path = save_bundle(bundle(rng, ranker=False), tmp_path)
    assert load(path).ranker is None
    assert not (path / "ranker.safetensors").exists()


@settings(max_examples=25, deadline=None)
@given(
    titles=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=0, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_titles_and_any_float_bits_survive(
    titles: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    items = replace(catalog(tuple(str(i) for i in range(len(titles)))), titles=("", *titles))
    bits = rng.integers(0, 2**32, (len(items), 3), dtype=np.uint32).view(
        np.float32
    )  # NaN, infinities and all
    first = bundle(rng, items=items, item_vectors=bits)
    second = load(save_bundle(first, tmp_path_factory.mktemp("bundle")))
    assert second.items.titles == first.items.titles
    assert second.item_vectors.tobytes() == bits.tobytes()


def test_writing_to_a_loaded_array_leaves_the_file_alone(saved: Path) -> None:
    loaded = load(saved)
    loaded.item_vectors[1] = 99.0
    assert not (load(saved).item_vectors == 99.0).any()


def test_the_manifest_lists_the_hash_of_every_other_file(saved: Path) -> None:
    files = load_manifest(saved).files
    assert set(files) == {path.name for path in saved.iterdir()} - {"manifest.json"}
    assert all(len(digest) == 64 for digest in files.values())


def test_nothing_in_a_bundle_is_a_pickle(saved: Path) -> None:
    assert {path.suffix for path in saved.iterdir()} == {".json", ".safetensors", ".parquet"}
    for path in saved.iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK"))  # pickle, and torch's zip of pickles


@pytest.mark.parametrize(
    "name",
    [
        "arrays.safetensors",
        "retriever.safetensors",
        "ranker.safetensors",
        "items.parquet",
        "description.json",
    ],
)
def test_one_changed_byte_is_refused_by_the_name_of_its_file(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(ArtifactMismatchError, match=name):
        load(saved)


def test_a_truncated_and_a_missing_file_are_refused(saved: Path) -> None:
    os.truncate(saved / "arrays.safetensors", 100)
    with pytest.raises(ArtifactMismatchError, match=r"arrays\.safetensors was changed"):
        load(saved)
    (saved / "arrays.safetensors").unlink()
    with pytest.raises(ArtifactMismatchError, match=r"arrays\.safetensors cannot be read"):
        load(saved)


def test_another_format_is_refused_before_its_fields_are_read(saved: Path) -> None:
    (saved / "manifest.json").write_text(json.dumps({"format": 99, "unheard_of": True}))
    with pytest.raises(ArtifactMismatchError, match="format 99; this version reads 2"):
        load(saved)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 2}'])
def test_a_manifest_that_makes_no_sense_is_refused(saved: Path, content: str) -> None:
    (saved / "manifest.json").write_text(content)
    with pytest.raises(ArtifactMismatchError, match=r"recsys train"):
        load(saved)


def test_no_bundle_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="recsys models list"):
        load_manifest(tmp_path / "none")


def test_services_of_today_are_accepted_and_more_of_them_too(saved: Path) -> None:
    verify_bundle(saved, SERVICES | {"another": "c3"})


def test_a_service_with_another_schema_names_both_hashes_and_the_remedy(saved: Path) -> None:
    with pytest.raises(ArtifactMismatchError, match=r"'ranking_v1'.*b2.*zz.*recsys train"):
        load(saved, expected=SERVICES | {"ranking_v1": "zz"})
    with pytest.raises(ArtifactMismatchError, match="no such service"):
        load(saved, expected={"retrieval_v1": "a1"})


@settings(max_examples=50, deadline=None)
@given(dataset=st.text(max_size=200))
def test_any_data_set_gives_an_id_that_can_be_saved(dataset: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", new_bundle_id(dataset, NOW))


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "", ".hidden", "a/b", "a\\b", "x" * 101, "a\n"])
def test_names_that_lead_elsewhere_are_refused(rng: np.random.Generator, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="not a valid name for a bundle"):
        save_bundle(bundle(rng, bundle_id=name), tmp_path)
    with pytest.raises(ArtifactError, match="not a valid name for a file"):
        save_bundle(bundle(rng), tmp_path, extras={name: Path.touch})
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_lists_a_file_elsewhere_is_refused(saved: Path) -> None:
    document = json.loads((saved / "manifest.json").read_text())
    document["files"]["../../secret"] = "0" * 64
    (saved / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="not a valid name for a file"):
        load(saved)


def test_a_bundle_is_never_overwritten(saved: Path, rng: np.random.Generator) -> None:
    before = (saved / "manifest.json").read_bytes()
    with pytest.raises(ArtifactError, match="exists already"):
        save_bundle(bundle(rng), saved.parent)
    assert (saved / "manifest.json").read_bytes() == before


def test_a_write_that_fails_leaves_nothing_behind(rng: np.random.Generator, tmp_path: Path) -> None:
    def full_disk(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArtifactError, match="No space left on device"):
        save_bundle(bundle(rng), tmp_path, extras={"index.faiss": full_disk})
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_while_writing_leaves_no_bundle(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; "
        "from recsys.stores.bundles.bundles import save_bundle; from tests.tiny_bundle import tiny_bundle; "
        "save_bundle(tiny_bundle(), Path(sys.argv[1]), extras={'index': lambda path: os._exit(9)})"
    )
    root = Path(__file__).parents[3]
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root, check=False)
    assert killed.returncode == 9
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    assert load_bundle(save_bundle(tiny_bundle(), tmp_path)).manifest.bundle_id == "shop-1"


def test_an_extra_file_is_hashed_verified_and_found(rng: np.random.Generator, tmp_path: Path) -> None:
    path = save_bundle(bundle(rng), tmp_path, extras={"index.faiss": lambda file: file.write_bytes(b"index")})
    manifest = load(path).manifest
    found = extra_file(path, manifest, "index.faiss")
    assert found is not None
    assert found.read_bytes() == b"index"
    assert extra_file(path, manifest, "other.bin") is None
    found.write_bytes(b"indeX")
    with pytest.raises(ArtifactMismatchError, match=r"index\.faiss"):
        load(path)


def test_arrays_of_another_catalog_are_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    with pytest.raises(ArtifactMismatchError, match="popularity has 9 rows for 4 items"):
        save_bundle(bundle(rng, popularity=np.zeros(9, np.float32)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_neighbour_list_survives(rng: np.random.Generator, tmp_path: Path) -> None:
    none = np.zeros((4, 0))
    first = bundle(rng, neighbours=none.astype(np.int64), neighbour_scores=none.astype(np.float32))
    assert load(save_bundle(first, tmp_path)).signal_tables.co_occurrence.index.shape == (4, 0)
