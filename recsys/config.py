"""Every setting, frozen and typed: defaults here, then `recsys.toml`, then the environment.

`RECSYS_HOME`, `REDIS_URL`, `DATABASE_URL`, `RECSYS_API_KEY` and `RECSYS_LOG` have names of their own; any
other setting is `RECSYS_<SECTION>__<FIELD>`, for example `RECSYS_RETRIEVER__EPOCHS=3`.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, ValidationError

from recsys.errors import ConfigError
from recsys.home import HomePaths
from recsys.instants import as_utc
from recsys.service_settings import (
    AccessSettings,
    AdsSettings,
    HealthSettings,
    LogSettings,
    RedisSettings,
    SearchSettings,
    ServingSettings,
    StreamSettings,
)
from recsys.settings_section import Section
from recsys.settings_sources import FEATURE_REPO, find_shop, read_sources
from recsys.tuning_space import Range


class ShopSettings(Section):
    """Which shop this is; one database of Redis holds one shop."""

    id: str = Field("", pattern=r"^[\w.-]{0,64}$", description="from shop.json of another of its homes")


class TextSettings(Section):
    """The pretrained encoder of item text."""

    encoder: str = Field("minilm", description="`minilm`, or a path or hub name that transformers loads")
    pooling: str = Field("auto", description="`mean`, `cls`, `last` or `auto` (by the model's kind)")
    max_tokens: int = Field(64, ge=4, le=8192)
    batch_size: int = Field(64, ge=1)
    prefix: str = Field("", description="put before each text, for example `passage: `")
    query_prefix: str | None = Field(
        None, description="put before each query; left out: what fits the encoder"
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="`auto` is bfloat16 on CUDA and with AMX, else int8 where a shop's texts allow it",
    )


class EncoderSettings(Section):
    """How `recsys encoder` fine-tunes and distils text encoders."""

    epochs: int = Field(3, ge=1)
    pairs: int = Field(20_000, ge=1, description="of an epoch, sampled")
    neighbours: int = Field(10, ge=1, description="items that go with an item and are its pairs")
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(5e-5, gt=0)
    lora_learning_rate: float = Field(5e-4, gt=0)
    lora_rank: int = Field(8, ge=1)
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(50, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    patience: int = Field(1, ge=1, description="epochs without a better recall before stopping")
    held_out_share: float = Field(0.1, gt=0, lt=1, description="items and queries held back to measure by")
    seed: int = 0
    threads: int = Field(2, ge=1)


class ImageSettings(Section):
    """How `recsys encoder images` looks at pictures, and which it rejects."""

    pooling: Literal["auto", "pooler", "cls", "mean"] = Field(
        "auto", description="`auto`: the network's own, else its class token, else the mean of its states"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="`auto`: bfloat16 on CUDA")
    batch_size: int = Field(32, ge=1)
    max_pixels: int = Field(50_000_000, ge=1, description="larger pictures are refused before unpacking")
    max_bytes: int = Field(50_000_000, ge=1, description="larger files are refused")


class RetrieverSettings(Section):
    """The two towers and how they are trained."""

    width: int = Field(64, ge=8)
    text_width: int = Field(128, ge=8, description="principal components kept of the text vector")
    layers: int = Field(1, ge=1)
    heads: int = Field(2, ge=1)
    history_length: int = Field(50, ge=1, le=512)
    dropout: float = Field(0.4, ge=0, lt=1)
    learning_rate: float = Field(4e-3, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    warmup_steps: int = Field(200, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    batch_size: int = Field(128, ge=1)
    negatives: int = Field(4000, ge=1, description="uniform negatives shared by a batch")
    loss: Literal["sampled-softmax", "full-softmax", "bce", "gbce"] = "sampled-softmax"
    gbce_t: float = Field(0.75, ge=0, le=1, description="0 = bce, 1 = sampling fully undone")
    accumulate: int = Field(1, ge=1, description="parts that a batch is computed in, to save memory")
    epochs: int = Field(10, ge=1)
    patience: int = Field(3, ge=1, description="epochs without a better validation NDCG before stopping")
    checkpoint_steps: int = Field(1000, ge=1, description="steps between checkpoints inside an epoch")
    seed: int = 0
    threads: int = Field(
        1, ge=1, description="of a machine; its processes share them. A second one gains a quarter if idle"
    )
    without: tuple[Literal["text", "id", "time", "kinds", "graph"], ...] = Field(
        (), description="parts left out, to see what each is worth: see `recsys ablate`"
    )


class FusionSettings(Section):
    """How the network, neighbours, words and habit become one score."""

    neighbours: int = Field(50, ge=1, description="kept of an item, by behaviour, by text and by words")
    hidden: int = Field(32, ge=1)
    epochs: int = Field(5, ge=1)
    learning_rate: float = Field(1e-2, gt=0)
    weight_decay: float = Field(1.0, ge=0)
    batch_size: int = Field(128, ge=1, description="requests a batch")
    cold_weight: float | None = Field(
        None,
        ge=0,
        description="added to a request whose answer is a new item; null = chosen on held-out users",
    )
    candidates: int = Field(150, ge=2, description="candidates a training request")
    requests: int = Field(50_000, ge=1, description="training requests, sampled")
    seed: int = 0
    without: tuple[Literal["together", "text", "words", "own", "network", "learning"], ...] = Field(
        (), description="experts left out, or what was learnt about them: see `recsys ablate`"
    )


class RankerSettings(Section):
    """The second stage: reorders the retrieved candidates."""

    hidden: int = Field(64, ge=4)
    epochs: int = Field(20, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    batch_size: int = Field(64, ge=1, description="requests a batch")
    candidates: int = Field(200, ge=2, description="candidates a training request")
    requests: int = Field(3600, ge=1, description="to learn from, to judge by and to calibrate on, sampled")
    seed: int = 0


class ClickSettings(Section):
    """The click model: how likely an item is clicked where it is shown."""

    min_clicks: int = Field(500, ge=50, description="labelled clicks below which none is trained")
    impressions: int = Field(500_000, ge=1000, description="to learn from and to calibrate on, the latest")
    history: int = Field(32, ge=1, le=400, description="actions of a user that are weighed by the item")
    epochs: int = Field(6, ge=1)
    batch_size: int = Field(512, ge=1, description="impressions a batch")
    learning_rate: float = Field(3e-3, gt=0)
    kept: float = Field(1.0, gt=0, le=1, description="share of impressions without a click, corrected for")
    seed: int = 0


class IncrementalSettings(Section):
    """Training that goes on: from the bundle in production, and at its end through the validation period."""

    epochs: int = Field(2, ge=1)
    learning_rate_share: float = Field(0.25, gt=0, le=1, description="of retriever.learning_rate")
    replay: float = Field(1.0, ge=0, description="older windows to train on for each one with new actions")
    test_days: int = Field(7, ge=0, description="held back to compare with the bundle in production")
    validation_days: int = Field(7, ge=1, description="held back to stop training and for the ranker")


class TuneSettings(Section):
    """What `recsys tune` tries, and when it gives a trial up."""

    space: dict[str, Range | bool] = Field({}, description="a shop's own ranges by name; false = not tuned")
    full_trials: int = Field(5, ge=0, description="trials that run to their end before any is given up")
    full_epochs: int = Field(1, ge=0, description="epochs of a trial before it may be given up")


class EvaluationSettings(Section):
    """How models are compared."""

    test_days: int = Field(28, ge=1)
    validation_days: int = Field(28, ge=1)
    test_from: Annotated[datetime, AfterValidator(as_utc)] | None = Field(
        None, description="where the test of a time-split begins; by default `test_days` before the end"
    )
    cutoffs: tuple[int, ...] = (10, 100)
    bootstrap_samples: int = Field(1000, ge=10)
    seed: int = 0


class ImportSettings(Section):
    """Which files a shop has, and what of them is too large to be believed."""

    mapping: str = Field("", description="a shipped mapping or a mapping file, for `recsys refresh`")
    source: str = Field("", description="the folder of the shop's files, from the folder of this file")
    most_line_bytes: int = Field(
        16_777_216, ge=1024, le=1_073_741_824, description="a longer line, or row of quoted lines, is refused"
    )
    most_document_bytes: int = Field(
        268_435_456, ge=1024, description="a larger file that is one JSON document is refused"
    )
    most_unpacked_ratio: int = Field(
        200, ge=1, description="a file that unpacks to more times its size, and over 64 MiB, is refused"
    )


class Settings(Section):
    """All settings of one shop on one machine."""

    model_config = ConfigDict(populate_by_name=True)

    home: Path = Path(".recsys")
    root: Path = Path(".")
    redis_url: SecretStr | None = None
    database_url: SecretStr | None = None
    api_key: SecretStr | None = None
    shop: ShopSettings = ShopSettings()
    text: TextSettings = TextSettings()
    encoder: EncoderSettings = EncoderSettings()
    image: ImageSettings = ImageSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    fusion: FusionSettings = FusionSettings()
    ranker: RankerSettings = RankerSettings()
    ctr: ClickSettings = ClickSettings()
    incremental: IncrementalSettings = IncrementalSettings()
    tune: TuneSettings = TuneSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    serving: ServingSettings = ServingSettings()
    redis: RedisSettings = RedisSettings()
    search: SearchSettings = SearchSettings()
    access: AccessSettings = AccessSettings()
    ads: AdsSettings = AdsSettings()
    stream: StreamSettings = StreamSettings()
    log: LogSettings = LogSettings()
    health: HealthSettings = HealthSettings()
    import_: ImportSettings = Field(ImportSettings(), alias="import")  # `import` is a word of Python

    @property
    def paths(self) -> HomePaths:
        """Where each thing lives under `home`."""
        return HomePaths(self.home.resolve())

    @property
    def feature_repo(self) -> Path:
        """The Feast repository that belongs to this root."""
        return self.root / FEATURE_REPO


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, start: Path | None = None
) -> Settings:
    """Settings from `file` (default: `recsys.toml` at the root, if there is one) and then the environment.

    The root is looked for upwards from `start` (default: the working directory), so that a command means the
    same shop in every folder of it; where none is, upwards from RECSYS_HOME. A relative `home` is relative
    to the root that `start` is in, else to `start`.

    Raises:
        ConfigError: a name is unknown or a value does not fit; the message names it.
    """
    environment = os.environ if environment is None else environment
    start = (start or Path.cwd()).resolve()
    root = _root(environment, start)
    values, _ = read_sources(environment, file, root)
    values["home"] = (find_shop(start) or start) / Path(values.get("home", ".recsys")).expanduser()
    values["root"] = root
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"setting {name!r}: {first['msg']} (got {first['input']!r}). `recsys config` lists every setting."
        ) from error


def setting_sources(
    environment: Mapping[str, str] | None = None, file: Path | None = None, start: Path | None = None
) -> dict[str, str]:
    """Dotted name -> the file or the variable it was set by, for every setting that is not a default.

    Takes what `load_settings` takes and reads it in the same order.
    """
    environment = os.environ if environment is None else environment
    return read_sources(environment, file, _root(environment, (start or Path.cwd()).resolve()))[1]


def file_values(
    environment: Mapping[str, str] | None = None, file: Path | None = None, start: Path | None = None
) -> dict[str, Any]:
    """What the settings file alone says, as it nests it; empty where there is none.

    Takes what `load_settings` takes. Secrets are among the values if the file has any.
    """
    environment = os.environ if environment is None else environment
    named = {name: environment[name] for name in ("RECSYS_CONFIG",) if environment.get(name)}
    return read_sources(named, file, _root(environment, (start or Path.cwd()).resolve()))[0]


def _root(environment: Mapping[str, str], start: Path) -> Path:
    """The folder of the shop from `start` or, where none is, from RECSYS_HOME upwards; else `start`."""
    home = environment.get("RECSYS_HOME")
    named = find_shop((start / Path(home).expanduser()).resolve()) if home else None
    return find_shop(start) or named or start
