"""What a channel is: a way to deliver an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from llmmon.model import Alert
from llmmon.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Where a channel or backend connects and with what secret; resolved by name, never written to configuration.

    Parameters
    ----------
    password : str or None
        Left out of ``repr`` so that it reaches no log.
    """

    host: str | None = None
    port: int | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What the other side said when it took the alert."""

    response: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A message that is no alert, such as a signed head of the audit ledger; it holds no text of a request.

    Parameters
    ----------
    name : str
        Tells it from every other, also where it is delivered twice; letters, digits, ``-`` and ``.``.
    text : str
        Exact text, of several lines.
    """

    name: str
    title: str
    text: str


class Channel(Protocol):
    """Delivers alerts and notices to one place.

    Attributes
    ----------
    connection : str or None
        Name of the Airflow connection that holds address and secret.
    """

    plugin_name: ClassVar[str]
    connection: str | None

    def send(self, alert: Alert, *, connection: Connection | None, link: str | None, dedupe_key: str) -> Receipt:
        """Deliver `alert`.

        Raises
        ------
        DeliveryError
            When the other side did not take it.
        """
        ...

    def notify(self, notice: Notice, *, connection: Connection | None) -> Receipt:
        """Deliver `notice`.

        Raises
        ------
        DeliveryError
            When the other side did not take it.
        """
        ...


channels: Registry[Channel] = Registry("channels")
