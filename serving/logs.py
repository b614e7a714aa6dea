"""What the service logs: the request id in every record, and one line a request in the access log."""

import logging
import sys

from asgi_correlation_id import CorrelationIdFilter

from recsys.logs import log_formatter
from recsys.service_settings import LogSettings

access_log = logging.getLogger("recsys.access")
_FOREIGN = ("", "bentoml", "uvicorn", "uvicorn.error", "circus")


def log_service(log: LogSettings, access: bool) -> None:
    """Lets the process log to stderr as `log` says, all of it in one form.

    Args:
        access: whether there is an access log where the setting is `auto`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(log.format))
    handler.addFilter(CorrelationIdFilter())
    ours = logging.getLogger("recsys")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(logging.INFO)
    wanted = access if log.access == "auto" else log.access == "on"
    access_log.setLevel(logging.INFO if wanted else logging.WARNING)
    for name in _FOREIGN if log.format == "json" else ():
        logging.getLogger(name).handlers = [handler]
        logging.getLogger(name).propagate = False


def log_request(
    method: str,
    route: str,
    status: int | None,
    seconds: float,
    sent: int,
    request_id: str,
    key_id: str | None = None,
) -> None:
    """Writes the line of one request, where there is an access log.

    Args:
        route: its template, `/v1/items/{item_id}`: no id of an item or a user gets into the log.
        status: None = the client was gone before there was an answer.
        sent: bytes of the answer's body.
        key_id: of the caller's key, which is no secret; None = no valid key was shown.
    """
    if not access_log.isEnabledFor(logging.INFO):
        return
    millis = round(seconds * 1000, 1)
    fields = {"method": method, "route": route, "status": status, "ms": millis, "bytes": sent, "key": key_id}
    access_log.info(
        "%s %s %s %s ms %d bytes %s key %s",
        *(method, route, status or "-", millis, sent, request_id, key_id or "-"),
        extra={"fields": {**fields, "request_id": request_id}},
    )
