"""Text encoders side by side: what each is worth to a shop, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.config import Settings
from recsys.dataset.shop import check_holds_out
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.evaluation.compare import Evaluation, cases_to_rank
from recsys.evaluation.encoders import EncoderComparison, compare_encoders
from recsys.evaluation.rankings import seen_of
from recsys.jobs.encoders.data import sample_texts, shop_texts, shop_vectors
from recsys.jobs.encoders.loading import check_encoder_exists, load_named_encoder, time_encoding
from recsys.progress import Progress, silent
from recsys.stores.lake.shop import open_shop

TIMED = 200  # of the shop's texts, by which the speed is measured


@dataclass(frozen=True)
class EncoderMetrics:
    """One encoder's metrics at the first cutoff.

    Attributes:
        difference: of the NDCG from the first encoder's, with its interval; None for the first encoder.
    """

    cutoff: int
    hit_rate: float
    ndcg: float
    difference: str | None

    def to_json(self, use: str) -> JsonObject:
        """Three columns of a row, whose names begin with how the vectors were used."""
        return {
            f"{use} HR@{self.cutoff}": self.hit_rate,
            f"{use} NDCG@{self.cutoff}": self.ndcg,
            f"{use} difference": self.difference,
        }


@dataclass(frozen=True)
class ComparedEncoder:
    """What one encoder is worth.

    Attributes:
        alone: by its text vectors only. added: with co-occurrence and words. None where not measured.
        milliseconds: a text; None for the words, which need no encoder.
    """

    encoder: str
    alone: EncoderMetrics | None
    added: EncoderMetrics | None
    milliseconds: float | None

    def to_json(self) -> JsonObject:
        """A row of the table."""
        alone = self.alone.to_json("alone") if self.alone else {}
        added = self.added.to_json("added") if self.added else {}
        return {"encoder": self.encoder, **alone, **added, "ms a text": self.milliseconds}


@dataclass(frozen=True)
class ComparedEncoders:
    """Encoders on the same test cases, the one to beat first."""

    protocol: str
    cases: int
    encoders: tuple[ComparedEncoder, ...]

    def to_json(self) -> JsonObject:
        """What `recsys encoder compare --json` prints."""
        rows = [encoder.to_json() for encoder in self.encoders]
        return {"protocol": self.protocol, "cases": self.cases, "rows": rows}


def compare_shop_encoders(
    settings: Settings,
    encoders: Sequence[str],
    *,
    protocol: str | None = None,
    cases: int = 5000,
    seen: str | None = None,
    progress: Progress = silent,
) -> ComparedEncoders:
    """Ranks the whole catalog by each encoder's text vectors for the same test cases; nothing is trained.

    Args:
        protocol: None = the stricter one that the data allows.
        cases: at most so many, sampled.
        seen: `keep` or `remove` what a user had; None = as the shop's `repeats` says.

    Raises:
        ConfigError: `seen` is unknown, or an encoder is.
        DataError: nothing was imported, or the protocol does not fit.
    """
    if seen not in (None, "keep", "remove"):
        raise ConfigError(f"--seen {seen!r} is unknown. Choose keep or remove.")
    for name in encoders:
        check_encoder_exists(settings, name)
    shop = open_shop(settings.paths, progress)
    protocol, kept = protocol or shop.default_protocol, seen == "keep" or (seen is None and shop.info.repeats)
    check_holds_out(protocol)
    split = shop.split(protocol, settings.evaluation)
    cases_to_rank(split, shop.interactions, seen_of(kept))
    few = sample_texts(shop_texts(settings), TIMED, settings.evaluation.seed)
    vectors, milliseconds = {}, {}
    for name in dict.fromkeys(encoders):
        with progress(f"load encoder {Path(name).name}", None):
            encoder = load_named_encoder(settings, name, settings.text.precision)
        titles, vectors[name] = shop_vectors(settings, encoder, shop.interactions.items, progress)
        milliseconds[name] = time_encoding(encoder, few)[1]
    found = compare_encoders(
        split,
        shop.interactions,
        titles,
        vectors,
        settings.evaluation,
        seen=seen_of(kept),
        cases=cases,
        progress=progress,
    )
    compared = tuple(_compared(found, name, milliseconds.get(name)) for name in found.alone.models)
    return ComparedEncoders(split.protocol, len(found.alone.cases), compared)


def _compared(found: EncoderComparison, name: str, milliseconds: float | None) -> ComparedEncoder:
    return ComparedEncoder(name, _metrics_of(found.alone, name), _metrics_of(found.added, name), milliseconds)


def _metrics_of(evaluation: Evaluation, model: str) -> EncoderMetrics | None:
    """HR and NDCG at the first cutoff, and by how much the latter differs from the first encoder's."""
    cutoff = min(evaluation.cutoffs)
    hit, gain = (evaluation.row(model, f"{metric}@{cutoff}") for metric in ("hr", "ndcg"))
    if hit is None or gain is None:
        return None
    apart = None
    if gain.difference is not None:
        apart = f"{gain.difference:+.4f} [{gain.difference_low:+.4f}, {gain.difference_high:+.4f}]"
    return EncoderMetrics(cutoff, hit.value, gain.value, apart)
