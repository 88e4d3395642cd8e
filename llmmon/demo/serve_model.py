"""Serve the demo model by the protocol of OpenAI's chat completions, on loopback.

Run as ``python -m llmmon.demo.serve_model --port N``. ``transformers serve`` wants the ``openai`` package;
this needs only what is installed anyway. One request is answered at a time. In production use vLLM or its like.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from llmmon.backends.local_model import LoadedModel, load, weights_revision
from llmmon.demo.endpoint import HOST, MODEL_NAME
from llmmon.demo.paths import model_folder


class Turn(BaseModel):
    """One message of the chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """The part of a chat completion request that this server understands; the rest is ignored."""

    model: str
    messages: list[Turn] = Field(min_length=1)
    stream: bool = False
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0


class Generation:
    """One answer in the making: its text in pieces, then how it ended.

    Parameters
    ----------
    loaded : LoadedModel
        The model.
    chat : ChatRequest
        What was asked.
    prompt : list of int
        Tokens of the chat up to where the answer begins.
    """

    def __init__(self, loaded: LoadedModel, chat: ChatRequest, prompt: list[int]) -> None:
        from transformers import TextIteratorStreamer

        self._loaded, self._chat, self._prompt = loaded, chat, prompt
        self.n_prompt = len(prompt)
        self.streamer: Any = TextIteratorStreamer(loaded.tokenizer, skip_prompt=True, skip_special_tokens=True)

    def run(self) -> list[int]:
        """Generate; return the tokens of the answer, the end token included."""
        import torch

        chat = self._chat
        sampling = {"do_sample": True, "temperature": chat.temperature, "top_p": chat.top_p, "top_k": 0}
        try:
            torch.manual_seed(chat.seed)
            tokens = torch.tensor([self._prompt])
            with torch.inference_mode():
                output = self._loaded.model.generate(
                    tokens,
                    attention_mask=torch.ones_like(tokens),
                    max_new_tokens=chat.max_tokens,
                    eos_token_id=sorted(self._loaded.eos),
                    pad_token_id=self._loaded.pad,
                    streamer=self.streamer,
                    **(sampling if chat.temperature > 0 else {"do_sample": False}),
                )
            return [int(token) for token in output[0, self.n_prompt :]]
        finally:
            # Whoever reads the pieces must not wait for ever when generating failed; the future tells why.
            self.streamer.end()


def build_app() -> FastAPI:
    """Load the demo model and return the application that serves it.

    Raises
    ------
    ModelNotFoundError
        When the demo model is not there.
    """
    folder = str(model_folder())
    loaded = load(folder, None, "cpu", "float32")
    fingerprint = weights_revision(folder)
    worker = ThreadPoolExecutor(max_workers=1)  # one model, one thread; the queue is the executor's
    app = FastAPI(title="llmmon demo model")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": MODEL_NAME, "object": "model", "created": 0, "owned_by": "llmmon"}]}

    @app.post("/v1/chat/completions")
    def complete(chat: ChatRequest) -> Response:
        if chat.model != MODEL_NAME:
            return _refusal(404, f"No model {chat.model!r} here; expected {MODEL_NAME!r}.", "model_not_found")
        prompt = loaded.prompt_tokens([turn.model_dump() for turn in chat.messages])
        if loaded.context is not None and len(prompt) + chat.max_tokens > loaded.context:
            told = (
                f"{len(prompt)} prompt tokens and max_tokens {chat.max_tokens} exceed the context of {loaded.context}."
            )
            return _refusal(400, told, "context_length_exceeded")
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": MODEL_NAME,
            "system_fingerprint": fingerprint,
        }
        generation = Generation(loaded, chat, prompt)
        tokens = worker.submit(generation.run)
        if chat.stream:
            return StreamingResponse(_events(head, generation, tokens, loaded), media_type="text/event-stream")
        message = {"role": "assistant", "content": "".join(generation.streamer)}
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(tokens.result(), loaded)}
        usage = _usage(len(prompt), tokens.result())
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    return app


def _events(
    head: dict[str, Any], generation: Generation, tokens: Future[list[int]], loaded: LoadedModel
) -> Iterator[str]:
    """Yield server-sent events: the role, each piece as it is made, then why it ended and the usage."""

    def event(delta: dict[str, str], finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"

    yield event({"role": "assistant", "content": ""})
    for piece in generation.streamer:
        if piece:
            yield event({"content": piece})
    answer = tokens.result()
    yield event({}, _finish_reason(answer, loaded), usage=_usage(generation.n_prompt, answer))
    yield "data: [DONE]\n\n"


def _finish_reason(answer: list[int], loaded: LoadedModel) -> str:
    return "stop" if answer and answer[-1] in loaded.eos else "length"


def _usage(n_prompt: int, answer: list[int]) -> dict[str, int]:
    return {"prompt_tokens": n_prompt, "completion_tokens": len(answer), "total_tokens": n_prompt + len(answer)}


def _refusal(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status)


def main() -> None:
    """Serve until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="python -m llmmon.demo.serve_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help=f"TCP port on {HOST}")
    port: int = parser.parse_args().port
    uvicorn.run(build_app(), host=HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main()
