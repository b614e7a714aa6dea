"""A bundle goes to another home and another database as one file, and nothing else comes in by that way."""

import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import Settings, load_settings
from recsys.dataset.interactions import Histories
from recsys.errors import ArtifactError, ArtifactMismatchError, ConfigError
from recsys.jobs.promotion.transfer import export_bundle, import_bundle
from recsys.models.bundle import Bundle
from recsys.stores.bundles.bundles import load_bundle, save_bundle
from recsys.stores.registry.records import EvaluationRecord
from recsys.stores.registry.registry import Registry
from tests.postgres import fresh_database, running_postgres
from tests.tiny_bundle import NOW, tiny_bundle

TEST = EvaluationRecord("keep", "time-split", 1200, {"ndcg@10": 0.14, "novelty": float("inf")}, "better", NOW)
CARD = "# Tea for two\n"


def trained_home(folder: Path, bundle_id: str = "tea-1") -> Settings:
    """A home with a trained and tested bundle."""
    settings = Settings(home=folder, root=folder)
    bundle = tiny_bundle(bundle_id)
    path = save_bundle(bundle, settings.paths.bundles)
    with Registry.open(settings) as registry:
        run = registry.start_run("train", {"retriever": {"width": 8}}, "abc123", "train-1")
        registry.register(bundle.manifest, path, run, changed_by="ann")
        registry.finish_run(run, {"ndcg@10": 0.25})
        registry.record_evaluation(bundle_id, TEST)
    report = settings.paths.reports / bundle_id
    report.mkdir(parents=True)
    (report / "card.json").write_text("{}")
    (report / "model-card.md").write_text(CARD)
    return settings


def scores(bundle: Bundle) -> np.ndarray:
    """What the network says of a user who had bread and then cheese."""
    histories = Histories(
        items=np.array([[0, 0, 1, 3]]),
        kinds=np.array([[0, 0, 3, 6]]),
        at_seconds=np.array([[0, 0, 10, 20]]) + 1_700_000_000,
        request_at_seconds=np.full(1, 1_700_000_100),
    )
    return bundle.retriever.user_vectors(histories) @ bundle.retriever.item_vectors().T


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty second home, with a database of its own of each kind."""
    settings = Settings(home=tmp_path / "elsewhere", root=tmp_path)
    if request.param == "sqlite":
        return settings
    address = fresh_database(request.getfixturevalue("server"))
    return settings.model_copy(update={"database_url": SecretStr(address)})


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    file = tmp_path / "tea.zip"
    export_bundle(trained_home(tmp_path / "here"), "tea-1", file)
    return file


def test_a_bundle_is_the_same_in_the_other_home_and_database(exported: Path, elsewhere: Settings) -> None:
    here = Settings(home=exported.parent / "here", root=exported.parent)
    record = import_bundle(elsewhere, exported).record
    assert (record.bundle_id, record.stage, record.path) == (
        "tea-1",
        "candidate",
        elsewhere.paths.bundles / "tea-1",
    )
    assert record.evaluations == {"keep": TEST}
    assert record.metrics == {"ndcg@10": 0.25, "recall@10": 0.5}
    assert record.created_at == NOW
    with Registry.open(here) as mine, Registry.open(elsewhere) as theirs:
        assert theirs.run("train-1") == mine.run("train-1")
        [change] = theirs.history("tea-1")
        assert (change.action, change.to_stage) == ("register", "candidate")
        assert change.changed_by.endswith("(imported)")
        assert theirs.production() is None
        theirs.promote("tea-1")
    before, after = load_bundle(here.paths.bundles / "tea-1"), load_bundle(record.path)
    np.testing.assert_array_equal(scores(before), scores(after))
    assert (elsewhere.paths.reports / "tea-1" / "model-card.md").read_text() == CARD


def test_what_is_here_already_is_told_and_nothing_changes(exported: Path, elsewhere: Settings) -> None:
    import_bundle(elsewhere, exported)
    with pytest.raises(ArtifactError, match=r"'tea-1' is in this registry already \(candidate, at .*tea-1\)"):
        import_bundle(elsewhere, exported)
    with Registry.open(elsewhere) as registry:
        assert len(registry.history()) == 1


def test_a_registered_bundle_whose_files_are_elsewhere_gets_them(exported: Path, elsewhere: Settings) -> None:
    record = import_bundle(elsewhere, exported).record
    shutil.rmtree(record.path)
    assert import_bundle(elsewhere, exported).record == record
    assert load_bundle(record.path)


def test_an_import_that_was_cut_off_before_it_was_registered_goes_on(
    exported: Path, elsewhere: Settings
) -> None:
    here = exported.parent / "here" / "bundles" / "tea-1"
    shutil.copytree(here, elsewhere.paths.bundles / "tea-1")
    assert import_bundle(elsewhere, exported).record.stage == "candidate"


def test_another_bundle_of_the_same_id_is_told(exported: Path, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other", root=tmp_path)
    save_bundle(tiny_bundle("tea-1", {"ranking_v1": "another"}), other.paths.bundles)
    with pytest.raises(ArtifactError, match="another bundle of the id 'tea-1'"):
        import_bundle(other, exported)


def test_a_run_that_made_two_bundles_is_kept_once(tmp_path: Path) -> None:
    here = trained_home(tmp_path / "here")
    second = tiny_bundle("tea-2")
    path = save_bundle(second, here.paths.bundles)
    with Registry.open(here) as registry:
        registry.register(second.manifest, path, "train-1")
    elsewhere = Settings(home=tmp_path / "elsewhere", root=tmp_path)
    for bundle_id in ("tea-1", "tea-2"):
        export_bundle(here, bundle_id, tmp_path / f"{bundle_id}.zip")
        assert import_bundle(elsewhere, tmp_path / f"{bundle_id}.zip").record.run_id == "train-1"


# -- what does not come in ----------------------------------------------------------------------------


Entries = dict[str, bytes]


def rewritten(file: Path, change: Callable[[Entries], None], compress: int = zipfile.ZIP_STORED) -> Path:
    """The archive with other entries."""
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(file, "w", compress) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file


def changed_json(name: str, **values: object) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        entries[name] = json.dumps(json.loads(entries[name]) | values).encode()

    return change


def assert_nothing_came(elsewhere: Path) -> None:
    assert not (elsewhere / "bundles").exists() or not any((elsewhere / "bundles").iterdir())
    with Registry.open(Settings(home=elsewhere, root=elsewhere)) as registry:
        assert registry.list_bundles() == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: e.update({"../../evil": b"x"}), r"it has '\.\./\.\./evil'"),
        (lambda e: e.update({"/etc/evil": b"x"}), r"it has '/etc/evil'"),
        (lambda e: e.update({"bundle/sub/evil": b"x"}), "bundle/sub/evil is not in its manifest"),
        (lambda e: e.update({"bundle/sub/sub/evil": b"x"}), r"it has 'bundle/sub/sub/evil'"),
        (lambda e: e.update({"bundle/.hidden": b"x"}), r"it has 'bundle/\.hidden'"),
        (lambda e: e.update({"bundle/code.pkl": b"x"}), "code.pkl is not in its manifest"),
        (lambda e: e.update({"bundle/retriever.safetensors": b"x"}), "was changed since it was written"),
        (lambda e: e.pop("bundle/items.parquet"), "items.parquet cannot be read"),
        (lambda e: e.pop("bundle/manifest.json"), "manifest.json is missing"),
        (lambda e: e.pop("recsys-bundle.json"), "its entries are not those of an export"),
        (
            changed_json("bundle/manifest.json", format=1),
            r"format 1; this version reads 2\. Run `recsys train`",
        ),
        (changed_json("bundle/manifest.json", bundle_id="other"), "its manifest names 'other'"),
        (changed_json("recsys-bundle.json", format=9), r"format 9 by recsys .*Install that version"),
        (changed_json("recsys-bundle.json", bundle_id="../evil"), "bundle_id: .*pattern"),
        (changed_json("recsys-bundle.json", more=1), "more: "),
    ],
)
def test_what_is_not_an_exported_bundle_leaves_nothing(
    change: Callable[[Entries], None], told: str, exported: Path, tmp_path: Path
) -> None:
    elsewhere = Settings(home=tmp_path / "elsewhere", root=tmp_path)
    with pytest.raises(ArtifactError, match=told):
        import_bundle(elsewhere, rewritten(exported, change))
    assert_nothing_came(elsewhere.paths.home)
    assert not list(tmp_path.rglob("evil"))


def test_a_compressed_archive_is_not_unpacked(exported: Path, tmp_path: Path) -> None:
    file = rewritten(exported, lambda entries: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ArtifactMismatchError, match="its entries are not those of an export"):
        import_bundle(Settings(home=tmp_path / "elsewhere", root=tmp_path), file)


def test_a_link_in_an_archive_becomes_a_plain_file(exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported, "a") as archive:
        link = zipfile.ZipInfo("report/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    elsewhere = Settings(home=tmp_path / "elsewhere", root=tmp_path)
    import_bundle(elsewhere, exported)
    placed = elsewhere.paths.reports / "tea-1" / "link"
    assert not placed.is_symlink()
    assert placed.read_text() == "/etc/passwd"


@pytest.mark.parametrize("keep", [0, 1, 1000, -1, -30])
def test_a_file_that_was_cut_off_leaves_nothing(keep: int, exported: Path, tmp_path: Path) -> None:
    exported.write_bytes(exported.read_bytes()[:keep])
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(ArtifactMismatchError, match="is no exported bundle, or damaged"):
        import_bundle(Settings(home=elsewhere, root=tmp_path), exported)
    assert_nothing_came(elsewhere)


def test_a_flipped_bit_is_found_wherever_it_is_or_the_bundle_is_whole(exported: Path, tmp_path: Path) -> None:
    """Only bits that say when or by what an entry was packed mean nothing to a bundle."""
    whole, refused, places = exported.read_bytes(), 0, 25
    original = Settings(home=exported.parent / "here").paths.bundles
    for place in range(60, len(whole), len(whole) // places):
        exported.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        elsewhere = Settings(home=tmp_path / f"elsewhere-{place}", root=tmp_path)
        try:
            import_bundle(elsewhere, exported)
        except ArtifactError:
            refused += 1
            assert_nothing_came(elsewhere.home)
            continue
        for path in (each for each in elsewhere.paths.bundles.rglob("*") if each.is_file()):
            assert path.read_bytes() == (original / path.relative_to(elsewhere.paths.bundles)).read_bytes()
    assert refused >= places - 3


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "elsewhere", root=tmp_path)
    for path in (tmp_path / "missing.zip", tmp_path):
        with pytest.raises(ArtifactError, match="cannot be read"):
            import_bundle(elsewhere, path)


def test_a_damaged_bundle_is_not_exported(tmp_path: Path) -> None:
    here = trained_home(tmp_path / "here")
    (here.paths.bundles / "tea-1" / "items.parquet").write_bytes(b"x")
    with pytest.raises(ArtifactMismatchError, match="was changed"):
        export_bundle(here, "tea-1", tmp_path / "tea.zip")
    assert not (tmp_path / "tea.zip").exists()


def test_an_export_replaces_no_file(exported: Path) -> None:
    before = exported.read_bytes()
    with pytest.raises(ConfigError, match="is there already"):
        export_bundle(Settings(home=exported.parent / "here", root=exported.parent), "tea-1", exported)
    assert exported.read_bytes() == before


def test_a_bundle_without_run_and_tests_goes_too(tmp_path: Path) -> None:
    here = Settings(home=tmp_path / "here", root=tmp_path)
    bundle = tiny_bundle("plain")
    with Registry.open(here) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, here.paths.bundles))
    export_bundle(here, "plain", tmp_path / "plain.zip")
    record = import_bundle(
        here.model_copy(update={"home": tmp_path / "elsewhere"}), tmp_path / "plain.zip"
    ).record
    assert (record.run_id, dict(record.evaluations)) == (None, {})


def test_the_commands_say_where_to_go_on(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_home(home)
    done = CliRunner().invoke(app, ["models", "export", "tea-1", str(tmp_path / "tea.zip"), "--json"])
    assert json.loads(done.stdout)["bundle"] == "tea-1"
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "second"))
    shown = CliRunner().invoke(app, ["models", "import", str(tmp_path / "tea.zip")])
    assert "recsys models promote tea-1" in shown.stderr
    assert load_settings().paths.bundles == tmp_path / "second" / "bundles"
    [row] = json.loads(CliRunner().invoke(app, ["models", "list", "--json"]).stdout)
    assert row["evaluations"]["keep"]["metrics"]["ndcg@10"] == TEST.metrics["ndcg@10"]
