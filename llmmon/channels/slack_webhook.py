"""Alerts to a Slack channel through an incoming webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from llmmon.channels.base import Connection, Notice, Receipt, channels
from llmmon.errors import DeliveryError
from llmmon.model import Alert

_SIGNS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
_HEADER, _SECTION = 150, 3000  # Slack's longest header and section
_TRY_AGAIN = frozenset({408, 425, 429})


@channels.register("slack_webhook")
@dataclass(frozen=True, kw_only=True, slots=True)
class SlackWebhook:
    """Posts an alert to an incoming webhook.

    Text from outside stands in ``plain_text`` blocks, where Slack reads no mentions, links or commands.

    Parameters
    ----------
    connection : str
        Airflow connection of type ``slackwebhook``: the whole URL in ``password``, or its first part in ``host`` (with
        ``schema`` when it names none) and the token in ``password``. Extra ``timeout`` and ``proxy`` are honoured.
    timeout_s : float
        Seconds for the whole request, when the connection does not say.
    """

    plugin_name: ClassVar[str]

    connection: str | None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.connection:
            raise ValueError("connection is empty; expected the name of an Airflow connection of type slackwebhook")
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; expected seconds above 0")

    def send(self, alert: Alert, *, connection: Connection | None, link: str | None, dedupe_key: str) -> Receipt:
        """Post the alert; what Slack answers tells whether trying again can help."""
        return self._post(payload(alert, link=link, dedupe_key=dedupe_key), connection)

    def notify(self, notice: Notice, *, connection: Connection | None) -> Receipt:
        """Post the notice."""
        return self._post(_message(notice.title, [_section(notice.text)], notice.name), connection)

    def _post(self, message: Mapping[str, Any], connection: Connection | None) -> Receipt:
        url = _url(connection)
        extra = {} if connection is None else connection.extra
        timeout = float(str(extra.get("timeout") or self.timeout_s))
        proxy = extra.get("proxy")
        try:
            with httpx.Client(
                timeout=timeout, proxy=None if proxy is None else str(proxy), follow_redirects=False
            ) as client:
                answer = client.post(url, json=message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # the webhook's URL is the secret: name the host and the kind of failure only
            raise DeliveryError(f"Slack webhook at {urlsplit(url).hostname}: {type(error).__name__}") from None
        told = answer.text.strip()[:200]
        if answer.status_code == httpx.codes.OK:
            return Receipt(response=f"{answer.status_code} {told}")
        raise DeliveryError(
            f"Slack webhook at {urlsplit(url).hostname} answered {answer.status_code}: {told}",
            permanent=answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code not in _TRY_AGAIN,
        )


def payload(alert: Alert, *, link: str | None, dedupe_key: str) -> dict[str, Any]:
    """Return the message as Slack's Block Kit."""
    blocks = [_section(alert.sentence)]
    if link is not None:
        button = {"type": "plain_text", "text": "Open in llmmon"}
        blocks.append({"type": "actions", "elements": [{"type": "button", "text": button, "url": link}]})
    foot = f"{alert.severity} · alert {alert.alert_id} · {dedupe_key}"
    return _message(f"{_SIGNS[alert.severity]} {alert.title}", blocks, foot)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": _cut(text, _SECTION)}}


def _message(title: str, blocks: Sequence[dict[str, Any]], foot: str) -> dict[str, Any]:
    return {
        "text": escaped(title),  # what notifications show; Slack reads it as mrkdwn
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _HEADER)}},
            *blocks,
            {"type": "context", "elements": [{"type": "plain_text", "text": foot}]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """Return `text` with the three characters that Slack's mrkdwn gives a meaning escaped.

    Examples
    --------
    >>> escaped("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _url(connection: Connection | None) -> str:
    token = "" if connection is None else (connection.password or "").strip()
    if connection is None or not token:
        raise DeliveryError(
            "Slack webhook: the connection has no password; it holds the token or the URL", permanent=True
        )
    if "://" in token:
        return token
    base = connection.host or "hooks.slack.com/services"
    if "://" not in base:
        base = f"{connection.schema or 'https'}://{base}"
    if connection.port is not None and urlsplit(base).port is None:
        parts = urlsplit(base)
        base = parts._replace(netloc=f"{parts.hostname}:{connection.port}").geturl()
    return f"{base.rstrip('/')}/{token.lstrip('/')}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
