"""A tiny real model, and a real HTTP server that speaks the OpenAI chat protocol and misbehaves on request."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llmmon.model import Message, ReplayItem

LINES = [
    "Is 17 a prime number? Think step by step and then answer [Yes] or [No].",
    "The grandfather was not comfortable using the phone, the grandson was.",
    "No, 21 is not a prime number because 3 times 7 is 21.",
    "How many people were waiting outside? I cannot answer that.",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Llama with two layers, 32 dimensions and random weights of a fixed seed."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model") / "tiny"
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(LINES * 4, vocab_size=400, special_tokens=["<pad>", "<end>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, pad_token="<pad>", eos_token="<end>")
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant> {% endif %}"
    )
    torch.manual_seed(7)
    settings = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.4,
    )
    LlamaForCausalLM(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def item() -> Callable[..., ReplayItem]:
    """Return a factory: ``item(3, "What is 2 + 2?")`` is the replay of sample 3."""

    def make(sample_id: int = 1, prompt: str = "Is 17 a prime number?", **changes: Any) -> ReplayItem:
        fields: dict[str, Any] = {
            "sample_id": sample_id,
            "request_key": sample_id,
            "lane": "reference",
            "variant": "as_logged",
            "repeat": 0,
            "messages": (Message(role="user", content=prompt),),
            "documents": (),
            "parameters": {},
            "seed": 1000 + sample_id,
        }
        return ReplayItem(**{**fields, **changes})

    return make


Reply = Callable[[BaseHTTPRequestHandler], None]


class ChatServer:
    """A loopback endpoint: each request takes the next scripted reply, and a complete answer when there is none.

    Attributes
    ----------
    url : str
        Base URL to configure.
    requests : list of dict
        Bodies received, with the headers under ``headers`` and the time of arrival under ``at``.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.replies: list[Reply] = []
        self.otherwise: Reply = answer()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with outer._lock:
                    outer.requests.append({**body, "headers": dict(self.headers), "at": time.monotonic()})
                    reply = outer.replies.pop(0) if outer.replies else outer.otherwise
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    reply(self)

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


def event(**part: Any) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(part).encode() + b"\n\n"


def delta(text: str | None, **choice: Any) -> bytes:
    """Return the event that adds `text` to the answer."""
    return event(model="served", choices=[{"index": 0, "delta": {"content": text}, **choice}])


def answer(*pieces: str, pause_s: float = 0.0, done: bool = True, logprobs: list[float] | None = None) -> Reply:
    """Return a reply that streams `pieces`, after an empty first one as real servers send it."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(b": keep-alive\n\n" + delta(""))
        for place, piece in enumerate(pieces or ("No, ", "it ", "is not.")):
            handler.wfile.flush()
            time.sleep(pause_s)
            told = {"logprobs": {"content": [{"logprob": logprobs[place]}]}} if logprobs else {}
            handler.wfile.write(delta(piece, **told))
        if done:
            handler.wfile.write(delta(None, finish_reason="stop"))
            usage = {"prompt_tokens": 11, "completion_tokens": len(pieces) or 3}
            handler.wfile.write(event(model="served", system_fingerprint="fp-1", choices=[], usage=usage))
            handler.wfile.write(b"data: [DONE]\n\n")

    return reply


def status(code: int, body: str = "{}", kind: str = "application/json", **headers: str) -> Reply:
    """Return a reply with a status and a body that is no stream."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"content-type": kind, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body.encode())

    return reply


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """Yield a loopback endpoint."""
    opened = ChatServer()
    yield opened
    opened.close()
