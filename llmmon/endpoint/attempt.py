"""One attempt at an endpoint that came to nothing, and whether and when another makes sense."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

_RETRYABLE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class AttemptFailed(Exception):
    """One attempt came to nothing.

    Parameters
    ----------
    reason : str
        Short stable word for counting.
    told : str
        What the other side said, cut short; never a header.
    retryable : bool
        Whether another attempt can help.
    retry_after_s : float or None
        How long the server asked to wait.
    """

    def __init__(
        self, reason: str, told: str = "", *, retryable: bool = True, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {told}" if told else reason)
        self.reason = reason
        self.told = told[:300]
        self.retryable = retryable
        self.retry_after_s = retry_after_s

    @property
    def is_outage(self) -> bool:
        """Whether this says that the service is down, not that it dislikes one request or wants to be asked slower."""
        return self.retryable and self.reason != "http_429"

    @classmethod
    def of_status(cls, answer: httpx.Response, body: bytes) -> Self:
        """Return what an answer with another status than 200 means."""
        # what is said to a refused key may repeat the key
        told = "" if answer.status_code in (401, 403) else body[:300].decode("utf-8", "replace")
        return cls(
            f"http_{answer.status_code}",
            told,
            retryable=answer.status_code in _RETRYABLE,
            retry_after_s=_retry_after(answer.headers.get("retry-after")),
        )

    @classmethod
    def of_error(cls, error: httpx.HTTPError) -> Self:
        """Return what an error of the connection means."""
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return cls("unreachable", str(error))
        if isinstance(error, httpx.TimeoutException):
            return cls("timeout", type(error).__name__)
        return cls("connection_lost", f"{type(error).__name__}: {error}")


def check_base_url(base_url: str) -> None:
    """Raise `ValueError` unless `base_url` is an address without a secret in it."""
    try:
        url = urlsplit(base_url)
        ok = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        raise ValueError("base_url cannot be read; expected such as http://127.0.0.1:8000/v1") from None
    if url.username or url.password or url.query or url.fragment:
        raise ValueError(
            "base_url holds a user, password, query or fragment; put the key in an Airflow connection instead"
        )
    if not ok:
        raise ValueError(f"base_url is {base_url!r}; expected http:// or https:// and a host")


def _retry_after(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
