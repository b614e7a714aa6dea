"""The click model of the bundle that serves, taken up and replaced with it."""

from recsys.ads.selection.prediction import ClickPredictor, SmoothedRates, WithPrior
from recsys.models.bundle import Bundle
from serving.live.predictor_watch import PredictorWatch
from tests.serving.conftest import OpenShop, record

PRIOR = SmoothedRates(version="prior")


def test_the_predictor_follows_the_bundle_and_the_prior_serves_where_there_is_none(
    open_shop: OpenShop,
) -> None:
    shop = open_shop()
    models: dict[str, ClickPredictor] = {"bundle-1": SmoothedRates(version="model 1")}
    asked: list[str] = []

    def load(bundle: Bundle) -> ClickPredictor | None:
        asked.append(bundle.manifest.bundle_id)
        return models.get(bundle.manifest.bundle_id)

    watch = PredictorWatch(shop.deployment.bundles, load, PRIOR)
    assert watch.current is PRIOR
    watch.check()
    watch.check()
    assert (asked, watch.current.version) == (["bundle-1"], "model 1")
    assert isinstance(watch.current, WithPrior)
    shop.promoted[0] = record("bundle-2")
    shop.deployment.bundles.check()
    watch.check()
    assert watch.current is PRIOR


def test_a_model_that_cannot_be_opened_leaves_the_one_before_and_is_tried_again(open_shop: OpenShop) -> None:
    shop = open_shop()
    results: list[ClickPredictor | None] = [SmoothedRates(version="model")]

    def load(bundle: Bundle) -> ClickPredictor | None:
        if not results:
            raise KeyError("surprise")
        return results.pop()

    watch = PredictorWatch(shop.deployment.bundles, load, PRIOR)
    watch.check()
    shop.promoted[0] = record("bundle-2")
    shop.deployment.bundles.check()
    watch.check()
    assert (watch.current.version, watch.task.failures) == ("model", 1)
    results.append(SmoothedRates(version="model 2"))
    watch.check()
    assert watch.current.version == "model 2"
