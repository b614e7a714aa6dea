import pytest
import torch

from recsys.models.retriever.user_tower import GAP_BUCKETS, RelativeBias, TimeEncoder, gap_bucket

NOW = 1_700_000_000


def awake(encoder: TimeEncoder) -> TimeEncoder:
    torch.nn.init.eye_(encoder.out.weight)
    return encoder


def at(*seconds: int) -> torch.Tensor:
    return torch.tensor(seconds)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(-9, 0), (0, 0), (1, 1), (2, 1), (3, 2), (86_400, 16), (2**62, 31)]
)
def test_gaps_fall_in_buckets_of_doubling_width(seconds, bucket):
    assert gap_bucket(torch.tensor([seconds])).tolist() == [bucket]
    assert bucket < GAP_BUCKETS


def test_an_untrained_time_vector_is_zero():
    assert not TimeEncoder(8, season=True)(at(NOW), at(NOW - 5)).any()


def test_the_same_hour_of_the_same_weekday_looks_the_same():
    encoder = awake(TimeEncoder(8, season=False))
    week = 7 * 86_400
    torch.testing.assert_close(encoder(at(NOW), at(NOW - 60)), encoder(at(NOW + week), at(NOW + week - 60)))
    assert (encoder(at(NOW), at(NOW - 60)) - encoder(at(NOW + 7200), at(NOW + 7140))).abs().max() > 1e-3


def test_only_a_model_with_seasons_tells_summer_from_winter():
    half_year = 26 * 7 * 86_400
    for season in (True, False):
        encoder = awake(TimeEncoder(8, season))
        apart = (
            encoder(at(NOW), at(NOW - 60)) - encoder(at(NOW + half_year), at(NOW + half_year - 60))
        ).abs()
        assert bool(apart.max() > 1e-2) == season


def test_the_bias_depends_on_distances_only():
    torch.manual_seed(0)
    bias = RelativeBias(2, 6, clock=True)
    torch.nn.init.normal_(bias.place)
    torch.nn.init.normal_(bias.gap)
    instants = torch.tensor([[10, 400, 9_000, 9_001]])
    whole, shifted = bias(instants), bias(instants + 123_456)
    torch.testing.assert_close(whole, shifted)
    torch.testing.assert_close(whole[:, :, 1:, 1:], bias(instants[:, 1:]))
    assert whole.shape == (1, 2, 4, 4)
