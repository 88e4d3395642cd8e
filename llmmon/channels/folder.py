"""Alerts and notices as files in a folder or bucket that others cannot change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import fsspec
import msgspec

from llmmon.channels.base import Connection, Notice, Receipt, channels
from llmmon.errors import DeliveryError
from llmmon.model import Alert


@channels.register("folder")
@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """Writes each alert (JSON) and each notice (its text) to a file of its own, named after its key.

    Parameters
    ----------
    path : str
        Folder, or fsspec URL such as ``s3://bucket/prefix``. With object lock or another owner, what lies there is out
        of the pipeline's reach.
    connection : str or None
        Not used; fsspec takes credentials from where the storage's own tools do.
    """

    plugin_name: ClassVar[str]

    path: str
    connection: str | None = None

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path is empty; expected a folder or a URL such as s3://bucket/prefix")

    def send(self, alert: Alert, *, connection: Connection | None, link: str | None, dedupe_key: str) -> Receipt:
        """Write the alert as JSON."""
        del connection
        document = {"alert": alert, "link": link, "dedupe_key": dedupe_key}
        return self._write(f"{dedupe_key}.json", msgspec.json.encode(document, order="deterministic"))

    def notify(self, notice: Notice, *, connection: Connection | None) -> Receipt:
        """Write the notice's text as it is."""
        del connection
        return self._write(notice.name, notice.text.encode())

    def _write(self, name: str, content: bytes) -> Receipt:
        try:
            storage, folder = fsspec.core.url_to_fs(self.path)
            target = f"{folder.rstrip('/')}/{name}"
            storage.makedirs(folder, exist_ok=True)
            with storage.transaction, storage.open(target, "wb") as file:  # a reader sees all of it or nothing
                file.write(content)
        except (OSError, ValueError, ImportError) as error:
            raise DeliveryError(f"folder {self.path}: {type(error).__name__}: {error}") from None
        return Receipt(response=f"{target}, {len(content)} bytes")
