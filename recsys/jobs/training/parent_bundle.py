"""The bundle that incremental training goes on from, checked before any work is done."""

from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.shop import ALL, Shop
from recsys.dataset.split import TIME_SPLIT, Split, known_before_test
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError, DataError
from recsys.jobs.promotion.bundle_check import load_fitting
from recsys.models.bundle import Bundle
from recsys.models.vector_names import vectors_of
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.encoders.shop_encoder import shop_precision
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.registry.records import BundleRecord
from recsys.training.retriever.warm_start import nothing_new_message, trained_until

_ANEW = "Run `recsys train` without --incremental."


def incremental_protocol(settings: Settings, protocol: str | None, info: DatasetInfo) -> tuple[Settings, str]:
    """The settings and the protocol of incremental training: fewer days are held back than for a report.

    Raises:
        DataError: the data has no clock, or the protocol cuts at no instant.
    """
    days = settings.incremental
    protocol = protocol or (TIME_SPLIT if days.test_days or settings.evaluation.test_from else ALL)
    if info.clock == "order" or protocol not in (TIME_SPLIT, ALL):
        raise DataError(
            f"{info.name} cannot be trained incrementally with protocol {protocol!r} and clock "
            f"{info.clock!r}: what is new depends on time. {_ANEW}"
        )
    held = {"test_days": max(1, days.test_days), "validation_days": days.validation_days}
    return settings.model_copy(update={"evaluation": settings.evaluation.model_copy(update=held)}), protocol


def open_parent(
    settings: Settings, production: BundleRecord | None, shop: Shop, split: Split, features: OfflineFeatures
) -> Bundle:
    """The bundle in production, loaded and fit to go on from.

    Raises:
        ArtifactNotFoundError: nothing is in production.
        ArtifactMismatchError: it was made of other data, another encoder or other features.
        DataError: nothing is new since it was trained.
    """
    if production is None:
        raise ArtifactNotFoundError(
            "no bundle is in production, so there is none to go on from. Run `recsys train` first."
        )
    manifest = load_manifest(production.path)
    for what, made_with, today in (
        ("data set", manifest.dataset, shop.info.name),
        (
            "text encoder",
            manifest.text_vectors_of,
            vectors_of(settings.text.encoder, shop_precision(settings)),
        ),
    ):
        if made_with != today:
            raise ArtifactMismatchError(
                f"bundle {manifest.bundle_id!r} in production is of {what} {made_with!r}, not {today!r}. "
                f"{_ANEW}"
            )
    if manifest.search_only:
        raise ArtifactMismatchError(
            f"bundle {manifest.bundle_id!r} in production is for search only: its network was never trained. "
            f"{_ANEW}"
        )
    since, until = trained_until(manifest), int(known_before_test(shop.interactions, split).at.max())
    if until <= since:
        raise DataError(nothing_new_message(since, until))
    features.apply()
    return load_fitting(production.path, features)
