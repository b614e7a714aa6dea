"""The secret of ads' tokens: one a home, or one of the settings."""

from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.service_settings import AdsSettings
from recsys.stores.ads_token_key import token_keys


def test_a_home_makes_one_that_all_its_processes_have(tmp_path: Path) -> None:
    one, other = (Settings(home=tmp_path / name) for name in ("one", "other"))
    signed = token_keys(one).sign("page", b"body")
    assert token_keys(one).verify("page", signed) == b"body"
    assert token_keys(other).verify("page", signed) is None
    assert one.paths.ads_key.stat().st_mode & 0o077 == 0


def test_a_secret_of_the_settings_takes_its_place(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ads=AdsSettings(token_secret="sixteen bytes and more"))
    token_keys(settings)
    assert not settings.paths.ads_key.exists()
    with pytest.raises(ConfigError, match="5 bytes"):
        token_keys(Settings(home=tmp_path, ads=AdsSettings(token_secret="short")))
