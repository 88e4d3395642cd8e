"""The demo model behind its real OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from llmmon.demo.endpoint import MODEL_NAME, endpoint_command, endpoint_environment


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a running server, started from a foreign folder with an empty home."""
    home: Path = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **endpoint_environment(), "HOME": str(home)}
    with (home / "serve.log").open("w") as output:
        server = subprocess.Popen(endpoint_command(port), cwd=home, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 300
        while True:
            assert server.poll() is None, (home / "serve.log").read_text()
            assert time.monotonic() < deadline, (home / "serve.log").read_text()
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def test_a_completion_arrives_in_chunks_with_its_usage(endpoint: str) -> None:
    """Streaming gives piece after piece, so that time to first token is seen, then the reason for ending and usage."""
    question = {"role": "user", "content": "Is 7919 a prime number? Think step by step and then answer [Yes] or [No]."}
    payload = {
        "model": MODEL_NAME,
        "messages": [question],
        "stream": True,
        "max_tokens": 24,
        "temperature": 0,
        "seed": 1,
    }
    with httpx.stream("POST", f"{endpoint}/chat/completions", json=payload, timeout=120) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data: ") for line in reply.iter_lines() if line.startswith("data: ")]
    chunks = [json.loads(text) for text in data if text != "[DONE]"]
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    pieces = [piece for piece in deltas if piece]
    assert len(pieces) > 3
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}
    assert 3 < chunks[-1]["usage"]["completion_tokens"] <= 24
    assert chunks[-1]["model"] == MODEL_NAME
    assert chunks[-1]["system_fingerprint"].startswith("sha256:")
    assert data[-1] == "[DONE]"


def test_a_survey_question_gets_an_option_and_an_end(endpoint: str) -> None:
    """The model learned the form of its training answers: a letter in brackets, then the end token."""
    question = "You are taking a survey.  Pick the best single option (e.g., (A)).\n\nQuestion: How safe do you feel?\n"
    options = "(A). Very safe\n(B). Somewhat safe\n(C). Not safe\n(D). Refused\nAnswer:"
    payload = {"model": MODEL_NAME, "messages": [{"role": "user", "content": question + options}], "max_tokens": 64}
    reply = httpx.post(f"{endpoint}/chat/completions", json={**payload, "temperature": 0}, timeout=120)
    choice = reply.raise_for_status().json()["choices"][0]
    assert choice["message"]["content"].startswith("(")
    assert choice["finish_reason"] == "stop"


def test_the_same_seed_gives_the_same_answer(endpoint: str) -> None:
    """Sampling is drawn from the seed of the request, whatever was asked before."""
    payload = {
        "model": MODEL_NAME,
        "messages": [{"role": "user", "content": "Is 91 a prime number?"}],
        "max_tokens": 12,
    }
    answers = [
        httpx.post(f"{endpoint}/chat/completions", json={**payload, "temperature": 1.5, "seed": seed}, timeout=120)
        .raise_for_status()
        .json()["choices"][0]["message"]["content"]
        for seed in (5, 6, 5)
    ]
    assert answers[0] == answers[2] != answers[1]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [({"model": "gpt-4"}, 404, "model_not_found"), ({"max_tokens": 100_000}, 400, "context_length_exceeded")],
)
def test_what_cannot_be_served_is_refused(endpoint: str, change: dict[str, object], status: int, code: str) -> None:
    """A wrong model name and an answer that cannot fit get OpenAI's error object, not an answer of something else."""
    payload = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "Hello"}], **change}
    reply = httpx.post(f"{endpoint}/chat/completions", json=payload, timeout=60)
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
