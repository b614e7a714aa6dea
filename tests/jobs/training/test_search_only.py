"""A catalog without events: imported, made a bundle by `recsys train --search-only`, and asked."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from recsys.catalog import Item
from recsys.cli.app import app
from recsys.config import Settings, load_settings
from recsys.dataset.catalog_rows import items_of
from recsys.errors import ArtifactMismatchError, DataError
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.health.judge import judge
from recsys.instants import to_micros, utc_now
from recsys.jobs.checks.observe import HomeObserver, lake_facts
from recsys.jobs.indexes.thresholds import JudgedFile
from recsys.jobs.training.parent_bundle import open_parent
from recsys.jobs.training.train import run_training, train_and_promote
from recsys.models.bundle_update import ItemChange
from recsys.progress import silent
from recsys.service_settings import ServingSettings
from recsys.stores.bundles.bundles import load_bundle
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.registry import Registry
from tests.encoders.tiny_models import save_bert
from tests.fake_world import ShopFeatures

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CATALOG = """
name = "kitchen"

[items]
files = "products.csv"
id = "sku"
title = "name"
category = "group"
category_path = ["department", "group"]
product_id = "model"
first_at = "listed"
price = "price"
"""
EVENTS = """
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "orders.csv"
user = "user"
item = "sku"
kind = "purchase"
time = "at"
"""
PRODUCTS = """\
sku,name,department,group,model,listed,price
pan-20,steel pan small,Home,Pans,pan,2026-01-05,20
pan-24,steel pan large,Home,Pans,pan,2026-01-05,24
pot-1,steel pot,Home,Pots,,2026-02-01,30
tea-1,green tea,Food,Tea/Coffee,,,4
tea-2,black tea,Food,Tea/Coffee,,soon,5
"""
ORDERS = "user,sku,at\n" + "".join(
    f"u{user},{sku},2026-02-{10 + user}T10:00:00Z\n"
    for user, sku in ((1, "tea-2"), (2, "tea-2"), (3, "pot-1"))
)


def write_shop(folder: Path, mapping: str, **files: str) -> None:
    """A shop's folder with an encoder, its files and its mapping; nothing is imported."""
    (folder / "files").mkdir(parents=True)
    for name, text in files.items():
        (folder / "files" / f"{name}.csv").write_text(text)
    (folder / "shop.toml").write_text(mapping)
    words = sorted({word for line in PRODUCTS.splitlines() for word in line.split(",")[1].split()})
    save_bert(folder / "bert", words)
    shutil.copytree(
        ROOT / "feature_repo", folder / "feature_repo", ignore=shutil.ignore_patterns("__pycache__")
    )


def typed(folder: Path, patch: pytest.MonkeyPatch, *words: str) -> Result:
    """What a command did in the shop's folder; fails with its output where it failed."""
    patch.chdir(folder)
    patch.setenv("RECSYS_HOME", str(folder / "home"))
    patch.setenv("RECSYS_TEXT__ENCODER", str(folder / "bert"))
    patch.setenv("RECSYS_RETRIEVER__WIDTH", "16")
    patch.setenv("RECSYS_RETRIEVER__TEXT_WIDTH", "8")
    patch.delenv("REDIS_URL", raising=False)
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def json_of(folder: Path, patch: pytest.MonkeyPatch, *words: str) -> Any:
    return json.loads(typed(folder, patch, *words, "--json").stdout)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop that has a catalog and no events, with a bundle of it."""
    folder = tmp_path_factory.mktemp("catalog")
    write_shop(folder, CATALOG, products=PRODUCTS)
    with pytest.MonkeyPatch.context() as patch:
        typed(folder, patch, "data", "import", "--mapping", "shop.toml", "--source", "files")
        typed(folder, patch, "features", "build")
        typed(folder, patch, "train", "--search-only")
    return folder


@pytest.fixture
def settings(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    typed(catalog, monkeypatch, "config")  # the environment
    return load_settings()


@pytest.mark.slow
def test_a_catalog_alone_is_imported_with_its_fields(settings: Settings) -> None:
    items = {item.item_id: item for item in items_of(load_items(settings.paths))}
    assert len(items) == 5
    pan = items["pan-24"]
    assert (pan.product_id, pan.category_path) == ("pan", "Home/Pans")
    assert pan.first_at == datetime(2026, 1, 5, tzinfo=UTC)
    assert (items["pot-1"].product_id, items["tea-1"].first_at) == (None, None)
    assert items["tea-1"].category_path == "Food/Tea-Coffee"
    assert items["tea-2"].first_at is None, "'soon' is no instant"


@pytest.mark.slow
def test_reports_of_it_say_that_there_are_no_events(
    catalog: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = json_of(catalog, monkeypatch, "data", "stats")
    assert (stats["facts"]["events"], stats["facts"]["items"], stats["kinds"]) == (0, 5, [])
    built = json_of(catalog, monkeypatch, "features", "build")
    assert built["item_content"] == 5
    assert built["user_history"] == built["item_engagement"] == 0
    checks = {row["name"]: row for row in doctor(catalog, monkeypatch)}
    assert checks["data"]["state"] == "ok"
    assert checks["data"]["detail"] == "kitchen: 5 items, a catalog without events"
    assert checks["features"]["state"] == "ok"
    assert checks["production bundle"]["state"] == "ok"
    assert lake_facts(settings.paths).newest_event_at is None, "data without events does not grow old"


def doctor(catalog: Path, patch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    patch.chdir(catalog)
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    rows: list[dict[str, str]] = found if isinstance(found, list) else found["checks"]
    return rows


@pytest.mark.slow
def test_its_features_go_online_and_nothing_is_wrong_with_it(
    catalog: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(catalog, monkeypatch, "up")
    try:
        OfflineFeatures(settings).materialize(utc_now())
        assert json_of(catalog, monkeypatch, "stream", "run", "--once") == {"events": 0}
        observer = HomeObserver(settings)
        facts = observer.look(to_micros(utc_now()))
        observer.close()
        assert judge(facts, settings.health, 90) == ()
        slate = json_of(catalog, monkeypatch, "recommend", "ann", "-k", "5")
        assert (len(slate["items"]), slate["degraded"]) == (5, [])
    finally:
        typed(catalog, monkeypatch, "down")


@pytest.mark.slow
def test_its_bundle_says_what_it_is_and_carries_the_fields(
    catalog: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = json_of(catalog, monkeypatch, "models", "list")
    assert row["stage"] == "production"
    shown = json_of(catalog, monkeypatch, "models", "show", row["bundle_id"])
    assert (shown["search_only"], shown["users"], shown["items"]) == (True, 0, 5)
    bundle = load_bundle(Path(shown["path"]), None)
    assert bundle.ranker is None
    assert bundle.text_vectors.shape == (6, 16)
    place = bundle.items.vocabulary.index("pan-20")
    assert bundle.items.products[place] == "pan"
    assert bundle.items.category_paths[place] == "Home/Pans"
    assert bundle.items.first_at[place] == to_micros(datetime(2026, 1, 5, tzinfo=UTC))
    assert "for search" in typed(catalog, monkeypatch, "models", "card", row["bundle_id"]).stdout


@pytest.mark.slow
def test_it_recommends_by_context_and_in_the_order_of_the_catalog(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids(*words: str) -> list[str]:
        return [row["item_id"] for row in json_of(catalog, monkeypatch, "recommend", *words)["items"]]

    assert ids("--diversity", "0") == ["pan-20", "pan-24", "pot-1", "tea-1", "tea-2"]
    assert ids("somebody", "--diversity", "0", "-k", "2") == ["pan-20", "pan-24"]
    assert set(ids("--context-category", "Tea/Coffee", "-k", "2")) == {"tea-1", "tea-2"}
    assert "tea-1" not in ids("--context-item", "tea-1")
    assert set(ids("--category-path", "Home")) == {"pan-20", "pan-24", "pot-1"}
    assert set(ids("--filters", '{"product_ids": ["pan"], "price_max_micros": 20000000}')) == {"pan-20"}
    assert ids("--filters", '{"first_at_min": "2026-01-20T00:00:00Z"}') == ["pot-1"]
    similar = json_of(catalog, monkeypatch, "similar", "pan-20", "-k", "4")
    assert len(similar["items"]) == 4


@pytest.mark.slow
def test_a_history_and_a_changed_item_are_no_problem_for_it(settings: Settings) -> None:
    with Registry.open(settings) as registry:
        record = registry.production()
    assert record is not None
    bundle = load_bundle(record.path, None)
    features = ShopFeatures({"ann": [("tea-1", "view", NOW - timedelta(days=1))]})
    recommender = Recommender(bundle, features, ServingSettings(diversity=0.0))
    slate = recommender.recommend(RecommendRequest("r", "ann", k=5), NOW)
    assert not slate.cold_start
    assert len(slate.items) == 5
    change = ItemChange(
        Item("cup", "steel cup", "steel cup", category_path="Home/Cups", at=NOW), np.ones(16, np.float32) / 4
    )
    live = recommender.with_changes([change], 1)
    assert "cup" in [item.item_id for item in live.recommend(RecommendRequest("r", k=6), NOW).items]


@pytest.mark.slow
def test_judged_pairs_decide_from_where_on_an_item_matches_by_meaning(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = {"pan-20": "steel pan small", "pot-1": "steel pot", "tea-1": "green tea", "tea-2": "black tea"}
    rows = [
        f"{query},{item},{int(set(query.split()) <= set(title.split()))}"
        for query in ("tea", "black tea", "green tea", "steel", "steel pan", "pan", "pot", "small")
        for item, title in titles.items()
    ]
    judgments = catalog / "judged.csv"
    judgments.write_text("\n".join(["query,item_id,grade", *rows]))
    options = ("train", "--search-only", "--fit-threshold", str(judgments))
    trained = json_of(catalog, monkeypatch, *options)
    shown = json_of(catalog, monkeypatch, "models", "show", trained["bundle"])
    assert shown["match_threshold"]["source"] == "judged pairs"
    assert "fitted by judged pairs" in typed(catalog, monkeypatch, "models", "show", trained["bundle"]).stdout
    by_shop = json_of(catalog, monkeypatch, "models", "list")[-1]["bundle_id"]
    assert (
        json_of(catalog, monkeypatch, "models", "show", by_shop)["match_threshold"]["source"]
        == "pieces of titles"
    )


@pytest.mark.slow
def test_judged_pairs_of_one_kind_are_refused_before_anything_is_trained(
    catalog: Path, settings: Settings, tmp_path: Path
) -> None:
    judgments = tmp_path / "judged.csv"
    judgments.write_text("query,item_id,grade\nsteel,pan-20,1\nsteel,pot-1,1\npan,pan-24,1\n")
    before = len(list(settings.paths.bundles.iterdir()))
    with pytest.raises(DataError, match="and both kinds are needed"):
        train_and_promote(settings, None, silent, search_only=True, fit_threshold=JudgedFile(judgments))
    assert len(list(settings.paths.bundles.iterdir())) == before


def test_options_of_the_judged_file_need_it(home: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--search-only", "--relevant-from", "2"])
    assert done.exit_code == 2
    assert "say how to read it" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_what_learns_of_users_says_that_there_is_nothing_to_learn(settings: Settings) -> None:
    with pytest.raises(DataError, match=r"is a catalog without events.*recsys train --search-only"):
        run_training(settings, None, silent)


@pytest.mark.slow
def test_a_shop_with_events_gets_its_popularity_and_training_does_not_go_on_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, items = CATALOG.split("[items]")
    mapping = f"{head}{EVENTS}\n[items]{items}"
    write_shop(tmp_path, mapping, products=PRODUCTS, orders=ORDERS)
    typed(tmp_path, monkeypatch, "data", "import", "--mapping", "shop.toml", "--source", "files")
    trained = json_of(tmp_path, monkeypatch, "train", "--search-only")
    assert (trained["search only"], trained["users"], trained["stage"]) == (True, 3, "production")
    slate = json_of(tmp_path, monkeypatch, "recommend", "--diversity", "0", "-k", "2")
    assert [row["item_id"] for row in slate["items"]] == ["tea-2", "pot-1"], "2 purchases, 1 purchase"
    settings = load_settings()
    with Registry.open(settings) as registry:
        record = registry.production()
    shop = open_shop(settings.paths)
    split: Any = None
    with pytest.raises(ArtifactMismatchError, match="is for search only: its network was never trained"):
        open_parent(settings, record, shop, split, OfflineFeatures(settings))


@pytest.mark.parametrize(
    "option",
    [["--protocol", "all"], ["--incremental"], ["--dry-run"], ["--resume"], ["--test-from", "2026-01-01"]],
)
def test_options_about_learning_do_not_go_with_it(home: Path, option: list[str]) -> None:
    done = CliRunner().invoke(app, ["train", "--search-only", *option])
    assert done.exit_code == 2
    assert "learns nothing of users" in " ".join(done.stderr.replace("│", " ").split())
