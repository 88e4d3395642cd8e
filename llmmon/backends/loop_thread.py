"""Iterate over what a coroutine emits, while it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def emitted(work: Callable[[Callable[[T], None]], Coroutine[None, None, None]]) -> Generator[T, None, None]:
    """Yield everything that ``work(emit)`` emits; an error of it is raised at the end.

    The event loop runs in a thread of its own: while the consumer writes to Postgres, other answers keep streaming and
    their times stay right. Leaving the iteration early cancels the work.
    """
    results: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        await work(lambda value: results.put((value,)))

    with ThreadPoolExecutor(1, thread_name_prefix="llmmon-replay") as pool:
        future = pool.submit(asyncio.run, main())
        future.add_done_callback(lambda _: results.put(None))
        try:
            while (found := results.get()) is not None:
                yield found[0]
        finally:
            for loop, task in running:
                with suppress(RuntimeError):  # the work is over and its loop closed
                    loop.call_soon_threadsafe(task.cancel)
        future.result()
