"""Query vectors within a bound of time: search does not wait for an encoder that is slow."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

from recsys.arrays import FloatArray
from recsys.errors import StoreUnavailableError
from recsys.models.encoders.query_encoder import QueryEncoder

_THREADS = 2  # a query that takes too long goes on in its own; a third one waits behind two such


class TimedVectors:
    """`recsys.retrieval.recent_searches.QueryVectors` of an encoder; what is remembered comes at once.

    Args:
        seconds: for one query; one that takes longer is remembered all the same when it is done.
    """

    def __init__(self, encoder: QueryEncoder, seconds: float) -> None:
        self._encoder = encoder
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(_THREADS, "encode-query")

    def encode(self, query: str) -> FloatArray:
        """(E,) unit vector.

        Raises:
            StoreUnavailableError: it takes too long, or the encoder failed.
        """
        future = self._pool.submit(self._encoder.encode, query)
        try:
            return future.result(self._seconds)
        except TooLate as error:
            raise StoreUnavailableError("encoder", "encode a query", self._seconds) from error
        except Exception as error:  # whatever the network's library raises: words alone answer
            raise StoreUnavailableError("encoder", "encode a query", 0.0, str(error)) from error
