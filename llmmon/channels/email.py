"""Alerts by e-mail over SMTP."""

from __future__ import annotations

import html
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import ClassVar

from llmmon.channels.base import Connection, Notice, Receipt, channels
from llmmon.errors import DeliveryError
from llmmon.model import Alert

_SSL_PORT, _SUBJECT = 465, 200


@channels.register("email")
@dataclass(frozen=True, kw_only=True, slots=True)
class Email:
    """Sends an alert as text with an HTML part; its Message-ID is made of the dedupe key.

    Parameters
    ----------
    connection : str
        Airflow connection of type ``smtp``: host, port, login, password, and extra ``from_email``, ``disable_ssl``,
        ``disable_tls`` (STARTTLS), ``timeout``. As in Airflow, SSL is on unless ``disable_ssl``.
    to : sequence of str
        Addresses.
    from_email : str or None
        Sender; the connection's ``from_email`` when not given.
    timeout_s : float
        Seconds for each step, when the connection does not say.
    """

    plugin_name: ClassVar[str]

    connection: str | None
    to: Sequence[str]
    from_email: str | None = None
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if not self.connection:
            raise ValueError("connection is empty; expected the name of an Airflow connection of type smtp")
        if isinstance(self.to, str) or not self.to or not all(_is_address(item) for item in self.to):
            raise ValueError(f"to is {self.to!r}; expected a list of addresses such as ['on-call@example.com']")
        if self.from_email is not None and not _is_address(self.from_email):
            raise ValueError(f"from_email is {self.from_email!r}; expected an address")
        object.__setattr__(self, "to", tuple(self.to))

    def send(self, alert: Alert, *, connection: Connection | None, link: str | None, dedupe_key: str) -> Receipt:
        """Send the alert; a 5xx answer is permanent, everything else may be tried again."""
        sender = self._sender(connection)
        return self._deliver(message(alert, sender=sender, to=self.to, link=link, dedupe_key=dedupe_key), connection)

    def notify(self, notice: Notice, *, connection: Connection | None) -> Receipt:
        """Send the notice as text alone, so that what is signed in it stays byte for byte."""
        mail = _headed(notice.title, sender=self._sender(connection), to=self.to, dedupe_key=notice.name)
        mail.set_content(notice.text, cte="base64")
        return self._deliver(mail, connection)

    def _sender(self, connection: Connection | None) -> str:
        sender = self.from_email or str((connection.extra if connection else {}).get("from_email") or "")
        if not _is_address(sender):
            raise DeliveryError("e-mail: no sender; set from_email in the connection's extra", permanent=True)
        return sender

    def _deliver(self, mail: EmailMessage, connection: Connection | None) -> Receipt:
        if connection is None or not connection.host:
            raise DeliveryError("e-mail: the connection has no host; expected the SMTP server", permanent=True)
        extra = connection.extra
        where = f"SMTP server {connection.host}:{connection.port or _SSL_PORT}"
        try:
            with self._open(connection) as client:
                if not _is_true(extra.get("disable_tls")) and not isinstance(client, smtplib.SMTP_SSL):
                    client.starttls(context=ssl.create_default_context())
                if connection.login:
                    client.login(connection.login, connection.password or "")
                refused = client.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            permanent = all(code >= 500 for code, _ in error.recipients.values())
            raise DeliveryError(f"{where} refused every recipient", permanent=permanent) from None
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryError(f"{where} refused the login ({error.smtp_code})", permanent=True) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"{where} answered {error.smtp_code}: {_text(error.smtp_error)}", permanent=error.smtp_code >= 500
            ) from None
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(f"{where}: {error}", permanent=True) from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"{where}: {type(error).__name__}: {error}") from None
        answer = f"accepted as {mail['Message-ID']} for {len(self.to) - len(refused)} of {len(self.to)} recipients"
        return Receipt(response=answer + "".join(f"; {code} refused one" for code, _ in refused.values()))

    def _open(self, connection: Connection) -> smtplib.SMTP:
        host = connection.host or ""
        timeout = float(str(connection.extra.get("timeout") or self.timeout_s))
        if _is_true(connection.extra.get("disable_ssl")):
            return smtplib.SMTP(host, connection.port or 25, timeout=timeout)
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, connection.port or _SSL_PORT, timeout=timeout, context=context)


def message(alert: Alert, *, sender: str, to: Sequence[str], link: str | None, dedupe_key: str) -> EmailMessage:
    """Return the mail: headers on one line each, a text part and an escaped HTML part."""
    title = f"[{alert.severity}] {alert.title}"
    mail = _headed(title, sender=sender, to=to, dedupe_key=dedupe_key, at=alert.opened_at.timestamp())
    foot = f"{alert.severity} · alert {alert.alert_id} · {dedupe_key}"
    mail.set_content("\n\n".join([alert.sentence, *([link] if link else []), foot]) + "\n")
    anchor = "" if link is None else f'<p><a href="{html.escape(link)}">Open in llmmon</a></p>'
    mail.add_alternative(
        f"<!doctype html><html><body><h3>{html.escape(alert.title)}</h3><p>{html.escape(alert.sentence)}</p>"
        f'{anchor}<p style="color:#666">{html.escape(foot)}</p></body></html>',
        subtype="html",
    )
    return mail


def _headed(title: str, *, sender: str, to: Sequence[str], dedupe_key: str, at: float | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = _one_line(title)[:_SUBJECT]
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate(at)
    mail["Message-ID"] = f"<{_one_line(dedupe_key)}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    return mail


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _is_address(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and "@" in parseaddr(text)[1] and " " not in text


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in {"true", "1", "yes"}


def _text(answer: bytes | str) -> str:
    return _one_line(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)[:200]
