"""The text encoder of a worker: loaded with the first text, and each text encoded once while it is fresh."""

from collections.abc import Sequence

import numpy as np

from recsys.arrays import FloatArray
from recsys.config import Settings, TextSettings
from recsys.models.vector_names import vectors_of
from recsys.stores.encoders.text_precision import shop_text_settings
from recsys.stores.encoders.text_vectors import Encoder, TextVectors

MANY = 256  # texts from which reading the cache on disk pays
REMEMBERED = 4096


class UpsertTexts:
    """Vectors of changed texts; few at a time are encoded at once, many by way of the cache on disk."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._encoder: Encoder | None = None
        self._loaded_by: TextSettings | None = None
        self._fresh: dict[str, FloatArray] = {}

    @property
    def encoder(self) -> str:
        """As a bundle's manifest names what its text vectors are of."""
        return vectors_of(self._settings.text.encoder, shop_text_settings(self._settings).precision)

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """(n, E) float32, in the order of `texts`; zero rows for blank ones.

        Raises:
            ArtifactNotFoundError: no encoder of that name.
        """
        encoder = self._loaded()
        if len(texts) >= MANY:
            return TextVectors(self._settings.paths.text_vectors).vectors(encoder, texts)
        distinct = [text for text in dict.fromkeys(texts) if text.strip()]
        missing = [text for text in distinct if text not in self._fresh]
        if len(self._fresh) + len(missing) > REMEMBERED:
            self._fresh.clear()
            missing = distinct
        if missing:
            self._fresh |= zip(missing, encoder.encode(missing), strict=True)
        rows = np.zeros((len(texts), encoder.dimensions), np.float32)
        for place, text in enumerate(texts):
            if text.strip():
                rows[place] = self._fresh[text]
        return rows

    def _loaded(self) -> Encoder:
        wanted = shop_text_settings(self._settings)  # it may be found while the worker runs
        if self._encoder is None or wanted != self._loaded_by:
            from recsys.models.encoders.text_encoder import load_encoder  # torch

            self._encoder, self._loaded_by = load_encoder(wanted), wanted
            self._fresh.clear()
        return self._encoder
