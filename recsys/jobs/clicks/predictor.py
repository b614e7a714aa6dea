"""The click model of a bundle as what ads are chosen by: its online features and its encoder of queries."""

import time
from pathlib import Path

from recsys import columns
from recsys.config import Settings
from recsys.funnel.clicks.predictor import BundlePredictor
from recsys.funnel.online_features import CircuitBreaker
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder
from recsys.stores.encoders.query_encoder_files import FACTS, load_query_encoder, read_query_encoder_facts
from recsys.stores.features.online_reader import FeatureReader


def open_click_predictor(
    settings: Settings, path: Path, bundle: Bundle, queries: QueryEncoder | None = None
) -> BundlePredictor | None:
    """The predictor of the bundle that was loaded from `path`; None where it has no click model.

    Args:
        queries: the bundle's encoder where it is open already; else it is opened where the bundle has one.

    Raises:
        ConfigError: the feature repository lacks `ads_v1`.
        ArtifactError: the encoder of queries cannot be read.
    """
    if bundle.click_model is None:
        return None
    serving = settings.serving
    reader = FeatureReader.open(settings, columns.ADS_SERVICE)
    source = CircuitBreaker(reader, time.monotonic, serving.feature_retry_seconds)
    files = bundle.manifest.files
    if queries is None and (bundle.click_model.model.shape.query or FACTS in files):
        has = FACTS in files
        encoder = read_query_encoder_facts(path / FACTS).encoder if has else bundle.manifest.encoder
        queries = load_query_encoder(path, files, encoder, settings.text)
    return BundlePredictor(bundle, source, queries)
