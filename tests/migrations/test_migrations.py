"""Revisions lead from an empty database to today's tables and back, on SQLite and PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from recsys.config import Settings
from recsys.distribution import carried_folder
from recsys.errors import ConfigError
from recsys.stores.access import tables as access_tables
from recsys.stores.ads import ledger_tables, traffic_tables
from recsys.stores.ads import tables as ads_tables
from recsys.stores.ads.delivery import tables as delivery_tables
from recsys.stores.experiments import tables as experiment_tables
from recsys.stores.registry import tables as registry_tables
from recsys.stores.registry.database import Tables, database_url, open_engine
from recsys.stores.registry.migrations import (
    downgrade_database,
    migration_transaction,
    read_revisions,
    upgrade_database,
)
from recsys.stores.registry.registry import Registry
from recsys.stores.rules import tables as rule_tables

ROOT = Path(__file__).parents[2]
TABLES = {
    *("runs", "bundles", "evaluations", "stage_changes", "access_keys"),
    *("ads_accounts", "ads_campaigns", "ads_lines", "ads_line_items", "ads_audit"),
    *("ads_ledger_entries", "ads_ledger_legs", "ads_charges", "ads_budgets", "ads_charge_leases"),
    *("ads_delivery_processes", "ads_delivery_requests", "ads_delivery_steps", "ads_forecasts"),
    *("ads_gate_generation", "ads_own_users", "ads_invalid_events", "ads_purchase_slots"),
    *("experiments", "experiment_changes"),
    *("rule_set", "rules", "segments", "synonym_sets", "synonyms", "hidden_words", "rule_versions"),
}


@pytest.fixture
def shop(either_database: Settings) -> Settings:
    return either_database


def tables(shop: Settings) -> set[str]:
    engine = open_engine(database_url(shop))
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names - {"alembic_version"}


def test_an_empty_database_gets_todays_tables(shop: Settings) -> None:
    upgrade_database(database_url(shop))
    assert tables(shop) == TABLES == {table.name for table in Tables.metadata.sorted_tables}
    assert read_revisions(database_url(shop)).fit


def test_the_way_down_ends_at_nothing_and_up_again_works(shop: Settings) -> None:
    url = database_url(shop)
    upgrade_database(url)
    downgrade_database(url, "base")
    assert tables(shop) == set()
    assert read_revisions(url).current is None
    upgrade_database(url)
    assert tables(shop) == TABLES


def test_every_revision_can_be_gone_and_taken_back(shop: Settings) -> None:
    url = database_url(shop)
    script = ScriptDirectory(str(carried_folder("migrations")))
    for revision in reversed([revision.revision for revision in script.walk_revisions()]):
        upgrade_database(url, revision)
        downgrade_database(url, "-1")
        upgrade_database(url, revision)
        assert read_revisions(url).current == revision


def test_models_and_migrations_agree(shop: Settings) -> None:
    assert registry_tables.RunRow.metadata is rule_tables.RuleRow.metadata is Tables.metadata
    assert access_tables.AccessKeyRow.metadata is ads_tables.AccountRow.metadata is Tables.metadata
    assert ledger_tables.LedgerEntryRow.metadata is Tables.metadata
    assert delivery_tables.DeliveryStepsRow.metadata is Tables.metadata
    assert traffic_tables.OwnUserRow.metadata is Tables.metadata
    assert experiment_tables.ExperimentRow.metadata is Tables.metadata
    url = database_url(shop)
    upgrade_database(url)
    with migration_transaction(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Tables.metadata) == []


def test_check_constraints_and_names_agree_too(shop: Settings) -> None:
    """Autogenerate does not compare these."""
    url = database_url(shop)
    upgrade_database(url)
    engine = open_engine(url)
    found, wanted = inspect(engine), Tables.metadata.tables
    for name in TABLES:
        constraints = {c.name for c in wanted[name].constraints}
        assert {c["name"] for c in found.get_check_constraints(name)} == {
            n for n in constraints if str(n).startswith("ck_")
        }
        assert found.get_pk_constraint(name)["name"] == f"pk_{name}"
        assert {c["name"] for c in found.get_foreign_keys(name)} == {
            n for n in constraints if str(n).startswith("fk_")
        }
    engine.dispose()


def test_a_migration_that_fails_leaves_the_database_as_it_was(shop: Settings) -> None:
    def fail() -> None:
        with migration_transaction(database_url(shop)) as connection:
            connection.execute(text("CREATE TABLE half (id INTEGER)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert tables(shop) == set()


def test_data_survives_opening_again(shop: Settings) -> None:
    with Registry.open(shop) as registry:
        run_id = registry.start_run("train", {})
    with Registry.open(shop) as registry:
        assert registry.run(run_id).status == "running"


def test_tables_of_a_newer_version_are_left_alone(shop: Settings) -> None:
    url = database_url(shop)
    upgrade_database(url)
    with migration_transaction(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"revision '9999'.*Upgrade recsys"):
        Registry.open(shop)
    assert tables(shop) == TABLES


def test_the_folder_of_revisions_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert carried_folder("migrations") == ROOT / "migrations"


def alembic(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"RECSYS_HOME": str(home)}
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_alembics_own_command_works_at_the_root(tmp_path: Path) -> None:
    assert alembic(tmp_path, "upgrade", "head").returncode == 0
    assert "(head)" in alembic(tmp_path, "current").stdout
    check = alembic(tmp_path, "check")
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_revisions_can_be_printed_as_sql(tmp_path: Path) -> None:
    printed = alembic(tmp_path / "none", "upgrade", "head", "--sql")
    assert printed.returncode == 0, printed.stderr
    assert "CREATE UNIQUE INDEX uq_bundles_production" in printed.stdout
    assert not (tmp_path / "none").exists()
