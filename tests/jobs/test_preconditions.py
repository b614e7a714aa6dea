"""What is made sure of before work: each obstacle is named with its remedy, and nothing is made or left."""

import json
import os
import socket
from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.errors import ArtifactNotFoundError, ConfigError, StoreUnavailableError
from recsys.jobs.preconditions import (
    check_feature_repository,
    check_file_writable,
    check_folder_writable,
    check_online_store,
    check_package,
    check_port_free,
    check_program,
    check_text_encoder,
)

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", ["new.toml", "folder/below/new.toml", "there.toml"])
def test_a_file_that_can_be_written_is_neither_made_nor_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.toml").write_text("a = 1\n")
    before = contents(tmp_path)
    check_file_writable(tmp_path / name, "--out")
    assert contents(tmp_path) == before
    assert (tmp_path / "there.toml").read_text() == "a = 1\n"


def test_a_path_that_cannot_be_a_file_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=rf"--out {tmp_path} is a folder\. Name a file"):
        check_file_writable(tmp_path, "--out")
    with pytest.raises(ConfigError, match=r"--out .*file/out\.toml cannot be written: .*file is no folder"):
        check_file_writable(tmp_path / "file" / "out.toml", "--out")
    with pytest.raises(ConfigError, match=r"no folder .*absent\. Make it"):
        check_file_writable(tmp_path / "absent" / "out", "--rankings", makes_folders=False)


def test_a_relative_path_is_judged_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_file_writable(Path("out.parquet"), "--rankings", makes_folders=False)
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="is no folder"):
        check_file_writable(Path("taken/out.parquet"), "--rankings")


def test_a_file_that_is_read_is_not_replaced_under_whatever_name(tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("id\n")
    (tmp_path / "link.csv").symlink_to(items)
    with pytest.raises(ConfigError, match="is the file that is read"):
        check_file_writable(tmp_path / "link.csv", "--to", sources=(items,))
    check_file_writable(tmp_path / "items.parquet", "--to", sources=(items,))


def test_a_read_only_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    if os.geteuid() == 0:  # to whom nothing is read-only but a disk that is mounted so
        monkeypatch.setattr(os, "access", lambda path, mode: path != place)
    with pytest.raises(ConfigError, match=r"place is read-only"):
        check_file_writable(place / "out", "--out")
    with pytest.raises(ConfigError, match=r"Set RECSYS_HOME"):
        check_folder_writable(place / "reports")


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    check_folder_writable(tmp_path / "a" / "b")
    assert not contents(tmp_path)
    (tmp_path / "a").write_text("")
    with pytest.raises(ConfigError, match=r"a/b cannot be written: .*a is no folder\. Set RECSYS_HOME"):
        check_folder_writable(tmp_path / "a" / "b")


def test_the_feature_repository_of_this_checkout_is_fine() -> None:
    check_feature_repository(Settings(root=ROOT))


def test_a_feature_repository_that_lacks_or_is_broken_is_told(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / "home")
    with pytest.raises(ConfigError, match=r"feature_store\.yaml does not exist\. Run in a shop\'s folder"):
        check_feature_repository(settings)
    repository = tmp_path / "feature_repo"
    repository.mkdir()
    for broken in ("project: [\n", "", "project: shop\nprovider: 7\n"):
        (repository / "feature_store.yaml").write_text(broken)
        with pytest.raises(ConfigError, match=r"feature_store\.yaml cannot be read: .* Mend it"):
            check_feature_repository(settings)
    (repository / "feature_store.yaml").write_text((ROOT / "feature_repo" / "feature_store.yaml").read_text())
    (repository / "views.py").write_text("views = [\n")
    with pytest.raises(ConfigError, match=r"views\.py cannot be used: .*never closed"):
        check_feature_repository(settings)


def test_redis_that_was_never_started_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="Run `recsys up`"):
        check_online_store(Settings(root=ROOT, home=tmp_path))


def test_redis_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but nothing listens
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        with pytest.raises(StoreUnavailableError, match="ping"):
            check_online_store(Settings(root=ROOT, home=tmp_path, redis_url=url))


def test_a_port_that_something_listens_at_is_named_with_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=rf":{port}: process {os.getpid()} \(.*RECSYS_SERVING__PORT"):
            check_port_free("127.0.0.1", port)
    check_port_free("127.0.0.1", port)


def test_packages_and_programs_that_lack_are_named() -> None:
    check_package("json", "--lora", "Install it.")
    with pytest.raises(ConfigError, match=r"--lora needs no_such_package, .*Run `pip install x`"):
        check_package("no_such_package", "--lora", "Run `pip install x`.")
    check_program("python")
    with pytest.raises(ConfigError, match="no-such-program does not exist"):
        check_program("no-such-program")


def test_an_encoder_that_is_gone_is_told_only_where_texts_were_encoded(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings = settings.model_copy(
        update={"text": settings.text.model_copy(update={"encoder": str(tmp_path / "gone")})}
    )
    check_text_encoder(settings)
    (settings.paths.text_vectors / "gone-mean-64").mkdir(parents=True)
    with pytest.raises(ArtifactNotFoundError, match="gone"):
        check_text_encoder(settings)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 8}))
    check_text_encoder(settings)
