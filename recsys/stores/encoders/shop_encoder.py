"""The text encoder of a home: under `auto` in int8 where its first texts are found to allow it."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow.parquet as pq

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.config import Settings
from recsys.home import HomePaths
from recsys.models.encoders.int8_linear import has_linears, int8_is_fast
from recsys.models.encoders.pretrained import inference_device, inference_dtype
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.stores.encoders.text_precision import (
    AUTO,
    FLOAT32,
    INT8,
    PrecisionFound,
    read_precision,
    shop_text_settings,
    write_precision,
)

FEWEST, COMPARED, NEAREST = 1000, 500, 10  # texts: to gain anything, to compare, neighbours of each
LEAST_COSINE, LEAST_SHARED = 0.99, 0.9

log = logging.getLogger(__name__)


def open_shop_encoder(settings: Settings, texts: Sequence[str] = ()) -> TextEncoder:
    """The encoder of the settings in the precision of the home's text vectors.

    Where there are none yet, and the processor is fast in int8, `texts` say whether that does for them.

    Raises:
        ArtifactNotFoundError: there is no such encoder here.
        ArtifactMismatchError: what was found of the texts cannot be read.
    """
    encoder = load_encoder(shop_text_settings(settings))
    if settings.text.precision != AUTO or encoder.precision not in (INT8, FLOAT32):
        return encoder
    found = read_precision(settings.paths)
    if found is not None:
        if found.encoder in encoder.names:
            return encoder
        encoder = load_encoder(settings.text)  # it was found of other weights
    elif _has_rows(settings.paths):  # of a version before, or of few texts
        return encoder
    distinct = sorted({text for text in texts if text.strip()})
    if len(distinct) < FEWEST or not int8_is_fast() or not has_linears(encoder.model):
        return encoder
    return _looked_at(settings, encoder, distinct)


def shop_precision(settings: Settings) -> str:
    """The precision in which this machine encodes the home's texts."""
    dtype = inference_dtype(shop_text_settings(settings).precision, inference_device())
    return str(dtype).removeprefix("torch.")


def compare_precisions(encoder: str, exact: FloatArray, small: FloatArray) -> PrecisionFound:
    """What the same texts' vectors in float32 and in int8, (n, E) unit rows, say of each other."""
    cosines = np.einsum("ne,ne->n", exact, small)
    near, near_small = _nearest(exact), _nearest(small)
    shared = np.mean([len(np.intersect1d(*rows)) for rows in zip(near, near_small, strict=True)]) / NEAREST
    fits = cosines.mean() >= LEAST_COSINE and shared >= LEAST_SHARED
    return PrecisionFound(
        encoder=encoder,
        precision=INT8 if fits else FLOAT32,
        cosine_mean=round(float(cosines.mean()), 5),
        cosine_min=round(float(cosines.min()), 5),
        neighbours_shared=round(float(shared), 4),
        texts=len(exact),
    )


def _looked_at(settings: Settings, exact: TextEncoder, texts: Sequence[str]) -> TextEncoder:
    """The encoder in int8 if that does for a sample of the texts, else as it is; what was found is kept."""
    chosen = np.random.default_rng(0).choice(len(texts), COMPARED, replace=False)
    sample = [texts[place] for place in np.sort(chosen)]
    small = load_encoder(settings.text.model_copy(update={"precision": INT8}))
    found = compare_precisions(exact.name, exact.encode(sample), small.encode(sample))
    write_precision(settings.paths, found)
    log.info(
        "texts are encoded in %s: in int8 the cosine with float32 is %.4f on average and %.4f at worst, and "
        "%.0f%% of the nearest %d are the same, of %d texts",
        found.precision,
        found.cosine_mean,
        found.cosine_min,
        100 * found.neighbours_shared,
        NEAREST,
        found.texts,
    )
    return small if found.precision == INT8 else exact


def _has_rows(paths: HomePaths) -> bool:
    file = paths.feature_rows(columns.ITEM_TEXT)
    return file.exists() and pq.read_metadata(file).num_rows > 0


def _nearest(rows: FloatArray) -> IntArray:
    """(n, NEAREST) places of each row's nearest others."""
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
