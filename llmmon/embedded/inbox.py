"""A local inbox for the demo: a Slack webhook and an SMTP server that really receive, and write what came to files."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

log = logging.getLogger(__name__)

_LARGEST = 2**20


class _Mailbox:
    """Writes every mail to ``NNNN-email.eml``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        _keep(self.folder, "email.eml", content)
        return "250 kept"


async def _take_webhook(folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
        length = next(
            (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
        )
        payload = await asyncio.wait_for(reader.readexactly(min(length, _LARGEST)), 10)
        _keep(folder, "slack.json", json.dumps(json.loads(payload), indent=1, ensure_ascii=False).encode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\nConnection: close\r\n\r\ninvalid_payload")
    await writer.drain()
    writer.close()


def _keep(folder: Path, kind: str, content: bytes) -> None:
    for number in itertools.count(len(list(folder.iterdir())) + 1):
        try:
            with (folder / f"{number:04d}-{kind}").open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        log.info("%s kept %s", datetime.now(UTC).isoformat(timespec="seconds"), file.name)
        return


async def _serve(folder: Path, http_port: int) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _take_webhook(folder, reader, writer)

    server = await asyncio.start_server(take, "127.0.0.1", http_port)
    async with server:
        await server.serve_forever()


def main(arguments: Any = None) -> None:
    """Receive until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    given.folder.mkdir(parents=True, exist_ok=True)
    mail = Controller(_Mailbox(given.folder), hostname="127.0.0.1", port=given.smtp_port, data_size_limit=_LARGEST)
    mail.start()
    try:
        asyncio.run(_serve(given.folder, given.http_port))
    finally:
        mail.stop()


if __name__ == "__main__":
    main()
