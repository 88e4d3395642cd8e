"""Alerts to the log of the task or process that delivers them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

from llmmon.channels.base import Connection, Notice, Receipt, channels
from llmmon.model import Alert

_log = logging.getLogger("llmmon.alert")
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


@channels.register("log")
@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """Writes one line per alert to the logger ``llmmon.alert``.

    Parameters
    ----------
    connection : str or None
        Not used; every channel has the field.
    """

    plugin_name: ClassVar[str]

    connection: str | None = None

    def send(self, alert: Alert, *, connection: Connection | None, link: str | None, dedupe_key: str) -> Receipt:
        """Log the alert at the level of its severity; it cannot fail."""
        del connection
        _log.log(_LEVELS[alert.severity], "%r %s [%s]", alert.sentence, link or "no link", dedupe_key)
        return Receipt(response="logged")

    def notify(self, notice: Notice, *, connection: Connection | None) -> Receipt:
        """Log the notice; it cannot fail."""
        del connection
        _log.info("%s: %r [%s]", notice.title, notice.text, notice.name)
        return Receipt(response="logged")
