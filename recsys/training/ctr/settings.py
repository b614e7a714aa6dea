"""How a click-through network is trained."""

from dataclasses import dataclass

from recsys.errors import ConfigError


@dataclass(frozen=True)
class CtrSettings:
    """How a click-through network is trained.

    Attributes:
        epochs: at most. patience: epochs without a better log loss after which it ends.
        warmup: steps until the learning rate is at its peak.
        kept: the share of impressions without a click that is kept, drawn anew each epoch.
        unknown: how often a known category, or the item itself, is read as unknown, so that code 0 means
            something when it comes.
        conversion_weight: of the second loss beside the first.
    """

    epochs: int = 6
    patience: int = 3
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: int = 100
    kept: float = 1.0
    unknown: float = 0.05
    conversion_weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigError where a value makes no training."""
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more (got {getattr(self, name)}).")
        if not 0 < self.kept <= 1:
            raise ConfigError(f"kept must be above 0 and at most 1 (got {self.kept}).")
        if not 0 <= self.unknown < 1:
            raise ConfigError(f"unknown must be 0 or more and below 1 (got {self.unknown}).")
