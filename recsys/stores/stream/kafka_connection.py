"""Kafka's asyncio client behind synchronous calls, and the one place where its errors become ours."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from recsys.distribution import install_command
from recsys.errors import ConfigError, StoreUnavailableError

T = TypeVar("T")
REMEDY = "Is the broker up, and is `stream.kafka_servers` right? `recsys config` prints it."


@dataclass(frozen=True)
class KafkaAddress:
    """Where the brokers are and how long to wait for them.

    Attributes:
        servers: `host:port[,host:port]`.
        group: whose committed offsets are ours.
        seconds: after which a broker counts as away.
    """

    servers: str
    group: str
    seconds: float

    @property
    def options(self) -> dict[str, Any]:
        """What every client of aiokafka is given."""
        millis = int(self.seconds * 1000)
        return {"bootstrap_servers": self.servers.split(","), "request_timeout_ms": millis}


class LoopThread:
    """An event loop in a daemon thread of its own; coroutines are run on it one call at a time or many.

    Args:
        servers: named in errors.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka", daemon=True)
        self._thread.start()

    def call(self, operation: str, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns.

        Raises:
            StoreUnavailableError: Kafka refuses, or says nothing for `seconds`.
        """
        kafka_error = client_library().errors.KafkaError
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop)
        try:
            return future.result()
        except (kafka_error, CancelledError, TimeoutError, OSError) as error:
            remedy = f"{type(error).__name__} at {self._servers}: {error}. {REMEDY}"
            raise StoreUnavailableError("kafka", operation, seconds, remedy) from error
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends what still runs, and the thread."""
        asyncio.run_coroutine_threadsafe(_end_tasks(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def client_library() -> ModuleType:
    """The package `aiokafka`, imported when Kafka is first asked for.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import aiokafka
        import aiokafka.admin
        import aiokafka.errors
    except ImportError as error:
        raise ConfigError(
            f"stream.transport is 'kafka' and its client is missing ({error}): `{install_command('kafka')}`."
        ) from error
    library: ModuleType = aiokafka
    return library
