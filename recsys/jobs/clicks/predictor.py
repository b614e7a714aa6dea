"""The click model of a bundle as what ads are chosen by: its online features and its encoder of queries."""

import time
from pathlib import Path

from recsys import columns
from recsys.ads.selection.prediction import ClickPredictor
from recsys.config import Settings
from recsys.funnel.clicks.predictor import BundlePredictor
from recsys.funnel.clicks.relevance import ContextRelevance, RelevantRates
from recsys.funnel.online_features import CircuitBreaker
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder
from recsys.stores.encoders.query_encoder_files import FACTS, load_query_encoder, read_query_encoder_facts
from recsys.stores.features.online_reader import FeatureReader


def open_click_predictor(
    settings: Settings,
    path: Path,
    bundle: Bundle,
    rates: ClickPredictor,
    queries: QueryEncoder | None = None,
) -> ClickPredictor:
    """The predictor of the bundle that was loaded from `path`.

    Args:
        rates: what is expected where the bundle has no click model; its vectors say how well an ad fits.
        queries: the bundle's encoder where it is open already; else it is opened where the bundle has one.

    Raises:
        ConfigError: the feature repository lacks `ads_v1`.
        ArtifactError: the encoder of queries cannot be read.
    """
    files, model = bundle.manifest.files, bundle.click_model
    needed = FACTS in files or (model is not None and model.model.shape.query > 0)
    if queries is None and needed:
        has = FACTS in files
        encoder = read_query_encoder_facts(path / FACTS).encoder if has else bundle.manifest.encoder
        queries = load_query_encoder(path, files, encoder, settings.text)
    if model is None:
        return RelevantRates(rates, ContextRelevance(bundle, queries), bundle)
    reader = FeatureReader.open(settings, columns.ADS_SERVICE)
    source = CircuitBreaker(reader, time.monotonic, settings.serving.feature_retry_seconds)
    return BundlePredictor(bundle, source, queries)
