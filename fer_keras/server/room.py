"""What all requests take together: images in the works, bytes of bodies, bytes of what is decoded from them."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator

from fer_keras.server.batching import Overloaded
from fer_keras.server.limits import Limits


class Budget:
    """An amount that many share; who asks for more than is left waits, in the order of asking.

    Args:
        size: of the whole; who asks for more gets the whole.
    """

    def __init__(self, size: int):
        self._size = self._free = size
        self._waiting: deque[tuple[int, asyncio.Future]] = deque()

    @property
    def taken(self) -> int:
        """What is given out."""
        return self._size - self._free

    def take_now(self, amount: int) -> bool:
        """Take an amount if it is there, ahead of those who wait; `give_back` it."""
        if amount > self._free:
            return False
        self._free -= amount
        return True

    def give_back(self, amount: int) -> None:
        """Return an amount and let those go on who wait for it."""
        self._free += amount
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)

    @contextlib.asynccontextmanager
    async def holding(self, amount: int) -> AsyncIterator[None]:
        """Wait for an amount and hold it while the block runs."""
        amount = min(amount, self._size)
        await self._take(amount)
        try:
            yield
        finally:
            self.give_back(amount)

    async def _take(self, amount: int) -> None:
        if not self._waiting and self.take_now(amount):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        try:
            await turn
        except asyncio.CancelledError:
            given = turn.done() and not turn.cancelled()
            with contextlib.suppress(ValueError):  # it is out of the line already
                self._waiting.remove((amount, turn))
            self.give_back(amount if given else 0)
            raise


class Room:
    """The budgets of a server.

    Args:
        limits: of all requests together.
    """

    def __init__(self, limits: Limits):
        self.bodies, self.work = Budget(limits.body_room), Budget(limits.work_room)
        self._places = Budget(limits.places)

    @contextlib.contextmanager
    def places(self, images: int) -> Iterator[None]:
        """Hold places for images while the block runs.

        Raises:
            Overloaded: too many images wait already.
        """
        if not self._places.take_now(images):
            raise Overloaded("Too many images wait. Try again later.")
        try:
            yield
        finally:
            self._places.give_back(images)


class Body:
    """Counts the bytes of one request's body as they come, and gives them back at the end."""

    def __init__(self, room: Room):
        self._bodies, self.size = room.bodies, 0

    def add(self, count: int) -> bool:
        """Count more bytes; False where there is no room for them."""
        if not self._bodies.take_now(count):
            return False
        self.size += count
        return True

    def close(self) -> None:
        """Give back what was taken."""
        self._bodies.give_back(self.size)
        self.size = 0
