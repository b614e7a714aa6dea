"""The body of a request, read whole and bounded before anything parses it."""

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import Receive

from recsys.json_bounds import json_problem
from recsys.service_settings import ServingSettings
from serving.rejections import CLOSE, Rejection

EVENTS_PATH = "/v1/events"
_LENGTH = re.compile(r"[0-9]{1,18}")


class ClientGoneError(Exception):
    """The client closed the connection before its request was here."""


async def read_body(
    path: str, headers: Headers, receive: Receive, settings: ServingSettings
) -> bytes | Rejection:
    """The whole body, or why it is not taken: too large, too slow, announced wrongly or nested too deep.

    Raises:
        ClientGoneError: nobody waits for an answer any more.
    """
    lengths = headers.getlist("Content-Length")
    if len(lengths) > 1 or any(not _LENGTH.fullmatch(length) for length in lengths):
        shown = ascii(", ".join(lengths))[:100]
        return Rejection(400, f"Content-Length {shown} is not a valid length", headers=CLOSE)
    limit = settings.max_body_bytes
    too_large = Rejection(413, f"the body is larger than {limit} bytes", headers=CLOSE)
    if lengths and int(lengths[0]) > limit:
        return too_large
    try:
        async with asyncio.timeout(settings.body_seconds):
            body = await _receive(receive, limit)
    except TimeoutError:
        text = f"the body did not arrive within {settings.body_seconds:g} s"
        return Rejection(408, text, headers=CLOSE)
    if len(body) > limit:
        return too_large
    # The rows of events are looked at one by one, where they are read.
    problem = None if path == EVENTS_PATH else json_problem(body)
    return body if problem is None else Rejection(400, f"the body {problem}")


async def _receive(receive: Receive, limit: int) -> bytes:
    """The body, or its beginning where it is longer than `limit`."""
    parts: list[bytes] = []
    read, more = 0, True
    while more and read <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        read += len(parts[-1])
        more = message.get("more_body", False)
    return b"".join(parts)
