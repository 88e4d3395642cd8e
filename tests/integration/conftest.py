"""A webhook receiver and an SMTP server on loopback that really receive."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from llmmon.channels.base import Connection

TOKEN = "T0/B0/s3cr3t"


class Inbox:
    """A webhook receiver and an SMTP server; `status` and `answer` are what they say next."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.mails: list[bytes] = []
        self.status = 200
        self.answer = "250 taken"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        """Take a mail, as aiosmtpd calls it."""
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, Callable[[str], Connection]]]:
    """Yield the inbox and what resolves connections to it."""
    box = Inbox()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            box.posts.append((self.path, json.loads(self.rfile.read(size))))
            self.send_response(box.status)
            self.end_headers()
            self.wfile.write(b"ok" if box.status == 200 else b"no_service")

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        smtp_port = free.getsockname()[1]
    mail = Controller(box, hostname="127.0.0.1", port=smtp_port)
    mail.start()
    connections = {
        "llmmon_slack": Connection(host=f"http://127.0.0.1:{web.server_port}/services", password=TOKEN),
        "llmmon_smtp": Connection(
            host="127.0.0.1",
            port=smtp_port,
            extra={"from_email": "llmmon@example.com", "disable_ssl": True, "disable_tls": "true"},
        ),
    }
    yield box, connections.__getitem__
    mail.stop()
    web.shutdown()
    web.server_close()
