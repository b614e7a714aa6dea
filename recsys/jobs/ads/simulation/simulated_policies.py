"""A policy to simulate, read from a TOML or JSON file."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.ads.auction.surface_prices import Prices
from recsys.ads.campaigns.targets import SURFACES, Surface
from recsys.amounts import parse_amount
from recsys.errors import ConfigError, did_you_mean
from recsys.simulation.ads.policy import SIMPLEST, AdPolicy, Exploration, Pacing

MOST_BYTES = 100_000
_CHOICES = {
    "price_rule": tuple(PriceRule),
    "pacing": get_args(Pacing),
    "exploration": get_args(Exploration),
}
_WHOLE = ("most_per_account", "bid_percent", "predictor_views", "warm_up_impressions", "warm_up_slots")
_NUMBERS = (
    "quality_exponent",
    "predictor_bias",
    "predictor_noise",
    "exploration_strength",
    "warm_up_share",
)
_UNBOUNDED = "all"  # slots that an account may have
_PRICES = ("price_rule", "reserves")
_PRICINGS = ("cpc", "cpm", "cpa")


def read_simulated_policy(path: Path, default: AdPolicy) -> AdPolicy:
    """The policy of a file; what it leaves out is as in `default`, its name is the file's.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or a value is not possible.
    """
    values = dict(_parsed(path))
    name = str(values.pop("name", path.stem))
    if name in (default.name, SIMPLEST):
        raise ConfigError(f"{path} has the name {name!r}, which is taken. Give the policy another `name`.")
    own, prices = values.pop("prices", {}), {key: values.pop(key) for key in _PRICES if key in values}
    known = [field.name for field in fields(AdPolicy)]
    for key in values:
        if key not in known:
            raise ConfigError(
                f"{path}: {key!r} is unknown.{did_you_mean(key, known)} Keys: {', '.join(known)}."
            )
    checked = {key: _checked(path, key, value) for key, value in values.items()}
    found = _prices(path, prices, Prices(default.price_rule, default.reserves))
    return replace(
        default,
        name=name,
        price_rule=found.rule,
        reserves=found.reserves,
        prices={**default.prices, **_own_prices(path, own, found)},
        **checked,
    )


def _own_prices(path: Path, values: object, default: Prices) -> dict[Surface, Prices]:
    found: dict[Surface, Prices] = {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path}: prices = {values!r} is no table. Write [prices.search].")
    for surface, own in values.items():
        if surface not in SURFACES:
            raise ConfigError(f"{path}: {surface!r} is no surface. Write one of: {', '.join(SURFACES)}.")
        if not isinstance(own, Mapping) or not set(own) <= set(_PRICES):
            raise ConfigError(
                f"{path}: prices.{surface} = {own!r} has more than price_rule and reserves. Remove it."
            )
        found[surface] = _prices(path, own, default)
    return found


def _prices(path: Path, values: Mapping[str, object], default: Prices) -> Prices:
    rule = _checked(path, "price_rule", values.get("price_rule", default.rule))
    return Prices(rule, _reserves(path, values.get("reserves", {}), default.reserves))


def _checked(path: Path, key: str, value: object) -> Any:
    if key in _CHOICES and value in _CHOICES[key]:
        return PriceRule(str(value)) if key == "price_rule" else value
    if key == "most_per_account" and value == _UNBOUNDED:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and (key in _NUMBERS or (key in _WHOLE and isinstance(value, int))):
        return value
    wanted = " or ".join(map(str, _CHOICES[key])) if key in _CHOICES else "a number"
    wanted = "a whole number" if key in _WHOLE else wanted
    wanted += f" or {_UNBOUNDED!r}" if key == "most_per_account" else ""
    raise ConfigError(f"{path}: {key} = {value!r} is not {wanted}. Correct it.")


def _reserves(path: Path, values: object, default: Reserves) -> Reserves:
    if not isinstance(values, Mapping) or not set(values) <= set(_PRICINGS):
        raise ConfigError(f"{path}: reserves = {values!r} does not name cpc, cpm or cpa. Write cpc = '0.05'.")
    amounts = {f"{key}_micros": parse_amount(f"reserves.{key}", str(each)) for key, each in values.items()}
    return replace(default, **amounts)


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} is larger than {MOST_BYTES:,} bytes. A policy has a few lines.")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Name a policy's file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error.reason}. Save it as UTF-8.") from error
    try:
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise ConfigError(f"{path} is not {kind}: {error}. Mend it.") from error
    if not isinstance(found, dict):
        raise ConfigError(f'{path} is no table of keys. Write {{"pacing": "plan"}}.')
    return found
