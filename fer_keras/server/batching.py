"""Requests that come at about the same time are answered together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


class Overloaded(RuntimeError):
    """More requests wait than the server agreed to keep."""


class Batcher:
    """Collects items of concurrent requests and answers them in batches, one batch at a time, on a thread.

    Args:
        run: takes a list of items, returns their results in order; runs on the batcher's own thread.
        most: items per batch.
        wait: seconds to wait for more items after the first.
        queue: items that may wait; more are refused.
        observe: called with the size of each batch.
    """

    def __init__(
        self,
        run: Callable[[list], Sequence],
        *,
        most: int = 32,
        wait: float = 0.004,
        queue: int = 256,
        observe: Callable[[int], None] = lambda size: None,
    ):
        self._run, self._most, self._wait, self._observe = run, most, wait, observe
        self._waiting: asyncio.Queue = asyncio.Queue(queue)
        self._pool = ThreadPoolExecutor(1, "batcher")
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        """Begin to answer; call it in a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Stop answering; what waits is given up."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while not self._waiting.empty():
            self._waiting.get_nowait()[1].cancel()
        self._pool.shutdown(wait=True)

    async def submit(self, item):
        """Return the result of one item.

        Raises:
            Overloaded: too many wait already.
        """
        answer = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((item, answer))
        except asyncio.QueueFull:
            raise Overloaded("Too many requests wait. Try again later.") from None
        return await answer

    async def _work(self) -> None:
        while True:
            batch = await self._collect()
            batch = [
                (item, answer) for item, answer in batch if not answer.done()
            ]  # requests that were given up need none
            if batch:
                await self._answer(batch)

    async def _collect(self) -> list[tuple]:
        batch = [await self._waiting.get()]
        clock = asyncio.get_running_loop().time
        end = clock() + self._wait
        while len(batch) < self._most:
            try:
                batch.append(self._waiting.get_nowait())
            except asyncio.QueueEmpty:
                if clock() >= end:
                    break
                await asyncio.sleep(min(0.001, self._wait))
        return batch

    async def _answer(self, batch: list[tuple]) -> None:
        self._observe(len(batch))
        items = [item for item, _ in batch]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._pool, self._run, items)
        except Exception as error:  # one bad item must not take the others with it
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(error)
                return
            for pair in batch:
                await self._answer([pair])
            return
        for (_, answer), result in zip(batch, results, strict=True):
            if not answer.done():
                answer.set_result(result)
