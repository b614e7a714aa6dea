from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.service_settings import SearchSettings
from recsys.stores.search.cursor_key import cursor_key


def test_a_home_has_one_key_of_its_own(tmp_path: Path) -> None:
    one, other = Settings(home=tmp_path / "one"), Settings(home=tmp_path / "other")
    assert len(cursor_key(one)) == 32
    assert cursor_key(one) == cursor_key(one) != cursor_key(other)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    cursor_key(settings)
    assert settings.paths.cursor_key.stat().st_mode & 0o077 == 0


def test_a_key_of_the_settings_counts_everywhere(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", search=SearchSettings(cursor_key="secret"))
    assert cursor_key(settings) == b"secret"
    assert not settings.paths.cursor_key.exists()


def test_a_home_that_cannot_hold_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ConfigError, match=r"cursor\.key"):
        cursor_key(Settings(home=tmp_path / "home"))
