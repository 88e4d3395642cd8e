"""Serve the demo model by the protocol of OpenAI's chat completions, on loopback.

Run as ``python -m llmmon.demo.serve_model --port N``. ``transformers serve`` wants the ``openai`` package;
this needs only what is installed anyway. One request is answered at a time. In production use vLLM or its like.

``--model`` and ``--system-prompt`` serve something else under the same name, as a provider might; the sentinel is shown
with them. Log-probabilities come with the last event of a stream, not piece by piece.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from llmmon.backends.local_model import LoadedModel, load
from llmmon.demo.endpoint import HOST, MODEL_NAME
from llmmon.demo.paths import model_folder
from llmmon.pinned import weights_revision


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
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0, le=20)


@dataclass(frozen=True, slots=True)
class Answer:
    """Tokens of an answer, the end token included, and the log-probabilities told with it, by OpenAI's names."""

    tokens: list[int]
    logprobs: list[dict[str, Any]] | None


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

    def run(self) -> Answer:
        """Generate the answer."""
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
                    return_dict_in_generate=True,
                    output_logits=chat.logprobs,
                    **(sampling if chat.temperature > 0 else {"do_sample": False}),
                )
            answer = [int(token) for token in output.sequences[0, self.n_prompt :]]
            told = [self._told(token, step[0]) for token, step in zip(answer, output.logits or (), strict=False)]
            return Answer(answer, told if chat.logprobs else None)
        finally:
            # Whoever reads the pieces must not wait for ever when generating failed; the future tells why.
            self.streamer.end()

    def _told(self, token: int, logits: Any) -> dict[str, Any]:
        """Return one token with its log-probability and those of the likeliest, before temperature and top_p."""
        logprobs = logits.float().log_softmax(-1)
        likeliest = logprobs.topk(self._chat.top_logprobs)

        def entry(token: int, logprob: float) -> dict[str, Any]:
            return {"token": self._loaded.tokenizer.decode([token]), "logprob": logprob}

        pairs = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        return {**entry(token, float(logprobs[token])), "top_logprobs": [entry(*pair) for pair in pairs]}


def build_app(folder: str, system_prompt: str = "") -> FastAPI:
    """Load the model in `folder` and return the application that serves it as the demo model.

    Parameters
    ----------
    system_prompt : str
        Put before every conversation, unless it is empty.

    Raises
    ------
    ModelNotFoundError
        When the model is not there.
    """
    before = [{"role": "system", "content": system_prompt}] if system_prompt else []
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
        prompt = loaded.prompt_tokens([*before, *(turn.model_dump() for turn in chat.messages)])
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
        answer = worker.submit(generation.run)
        if chat.stream:
            return StreamingResponse(_events(head, generation, answer, loaded), media_type="text/event-stream")
        message = {"role": "assistant", "content": "".join(generation.streamer)}
        choice = {"index": 0, "message": message, **_ending(answer.result(), loaded)}
        usage = _usage(len(prompt), answer.result())
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    return app


def _events(head: dict[str, Any], generation: Generation, answer: Future[Answer], loaded: LoadedModel) -> Iterator[str]:
    """Yield server-sent events: the role, each piece as it is made, then why it ended and the usage."""

    def event(delta: dict[str, str], ending: dict[str, Any] | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": None, **(ending or {})}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"

    yield event({"role": "assistant", "content": ""})
    for piece in generation.streamer:
        if piece:
            yield event({"content": piece})
    made = answer.result()
    yield event({}, _ending(made, loaded), usage=_usage(generation.n_prompt, made))
    yield "data: [DONE]\n\n"


def _ending(answer: Answer, loaded: LoadedModel) -> dict[str, Any]:
    ended = bool(answer.tokens) and answer.tokens[-1] in loaded.eos
    told = {} if answer.logprobs is None else {"logprobs": {"content": answer.logprobs}}
    return {"finish_reason": "stop" if ended else "length", **told}


def _usage(n_prompt: int, answer: Answer) -> dict[str, int]:
    n = len(answer.tokens)
    return {"prompt_tokens": n_prompt, "completion_tokens": n, "total_tokens": n_prompt + n}


def _refusal(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status)


def main() -> None:
    """Serve until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="python -m llmmon.demo.serve_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help=f"TCP port on {HOST}")
    parser.add_argument("--model", type=Path, default=model_folder(), metavar="DIR", help="another model to serve")
    parser.add_argument("--system-prompt", default="", metavar="TEXT", help="put before every conversation")
    arguments = parser.parse_args()
    app = build_app(str(arguments.model), arguments.system_prompt)
    uvicorn.run(app, host=HOST, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
