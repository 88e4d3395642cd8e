"""A loopback endpoint that judges: a real HTTP server whose model is a function of the request's body."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], Any]
"""Status, headers, and a body that becomes JSON; bytes go out as they are."""
Model = Callable[[dict[str, Any]], Reply]


class JudgeEndpoint:
    """What was sent, in the order of arrival, and where to send it.

    Attributes
    ----------
    url : str
        Base URL to configure.
    requests : list of dict
        Bodies received, with the headers under ``headers``.
    """

    def __init__(self, model: Model) -> None:
        self.requests: list[dict[str, Any]] = []
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    outer.requests.append(
                        {**body, "headers": {name.lower(): value for name, value in self.headers.items()}}
                    )
                    status, headers, answer = model(body)
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    for name, value in {**headers, "content-length": str(len(raw))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(raw)

            def log_message(self, *args: Any) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def judging(model: Model) -> Iterator[JudgeEndpoint]:
    """Serve `model` inside the block."""
    endpoint = JudgeEndpoint(model)
    try:
        yield endpoint
    finally:
        endpoint.close()


def canary_of(body: dict[str, Any]) -> str:
    """Return the secret word of the system turn, as an honest model reads it."""
    found = re.search(r'"canary": "(\w+)"', body["messages"][0]["content"])
    assert found is not None
    return found[1]


def completion(content: str | None, **choice: Any) -> Reply:
    """Return a completion of 100 tokens in and 20 out."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", **choice}]
    return 200, {"content-type": "application/json"}, {"model": "judge-2026-01", "choices": choices, "usage": usage}


def honest(verdict: str, *, why: str = "because", quote: str = "") -> Model:
    """Return a model that keeps to its instructions and always gives `verdict`."""

    def model(body: dict[str, Any]) -> Reply:
        fields = {"canary": canary_of(body), "why": why, "quote": quote, "verdict": verdict}
        return completion(json.dumps(fields))

    return model
