"""The bounded log of what a site tells without being asked; every driver that lives in a process of its own has one.

The run id changes with every start of the process, so that a reader knows that the count began anew.
"""

import asyncio
import time
import uuid
from collections import deque

from opensdrs.domain.ids import GroupId, ServerId
from opensdrs.sites.model import Event, EventBatch, EventKind


class EventLog:
    """Keeps the last `capacity` events of this run and wakes whoever waits for the next."""

    def __init__(self, capacity: int = 1024) -> None:
        self.run_id = uuid.uuid4().hex
        self._events: deque[Event] = deque(maxlen=capacity)
        self._next_seq = 1
        self._waiters: set[asyncio.Future[None]] = set()

    def emit(
        self,
        kind: EventKind,
        *,
        group_id: GroupId | None = None,
        server_id: ServerId | None = None,
        detail: str = "",
    ) -> Event:
        """Append an event. Call it from the event loop's thread only."""
        event = Event(
            seq=self._next_seq, kind=kind, at=time.time(), group_id=group_id, server_id=server_id, detail=detail
        )
        self._next_seq += 1
        self._events.append(event)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        return event

    async def watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        """Return events after `after_seq`, waiting up to `wait_s` for the first; all of them for another run."""
        if run_id != self.run_id:
            return self._batch(0)
        if self._next_seq - 1 <= after_seq and wait_s > 0:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=wait_s)
            finally:
                self._waiters.discard(waiter)
        return self._batch(after_seq)

    def _batch(self, after_seq: int) -> EventBatch:
        events = tuple(event for event in self._events if event.seq > after_seq)
        return EventBatch(run_id=self.run_id, events=events, next_seq=self._next_seq)
