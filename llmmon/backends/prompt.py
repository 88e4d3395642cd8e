"""The input of a replay as the turns of a chat."""

from __future__ import annotations

from collections.abc import Sequence

from llmmon.model import ReplayItem


def chat_turns(item: ReplayItem) -> list[dict[str, str]]:
    """Return the messages of `item`; documents that no message quotes come before the last user turn.

    Logs differ: some keep retrieved documents inside the prompt, others beside it. Either way the model sees each once.
    """
    turns = [{"role": turn.role, "content": turn.content} for turn in item.messages]
    missing = [
        document.content
        for document in item.documents
        if not any(document.content in turn["content"] for turn in turns)
    ]
    last = next((turn for turn in reversed(turns) if turn["role"] == "user"), None)
    if missing and last is not None:
        last["content"] = "\n\n".join([*missing, last["content"]])
    return turns


def plain_text(turns: Sequence[dict[str, str]]) -> str:
    """Return the turns for a model without a chat template of its own.

    Examples
    --------
    >>> print(plain_text([{"role": "user", "content": "Is 7 a prime number?"}]))
    user: Is 7 a prime number?
    assistant:
    """
    return "\n".join([*(f"{turn['role']}: {turn['content']}" for turn in turns), "assistant:"])
