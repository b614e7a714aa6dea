"""What clients of the service share: their headers, which answers say to come again, and when to."""

import httpx

BUSY = (429, 503)  # statuses of what passes by itself: too much at a time, or something is away


def json_headers(api_key: str | None) -> dict[str, str]:
    """The headers of requests whose body is JSON."""
    return {"Content-Type": "application/json"} | ({"X-API-Key": api_key} if api_key else {})


def retry_after(response: httpx.Response) -> float | None:
    """The seconds after which `response` says to come again; None where it names none, or a date."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
