"""A websocket's queue of outgoing frames and the task that writes them.

Rule: nobody but the writer awaits a slow client. A queue that overflows is the client's fault
(error 407); the frames in it are counted, because the clock waits until they are written.
"""

import asyncio
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from simulator.wires import part_of_frame


class Outbox:
    """Frames on their way to one client, in order.

    limit: frames that may wait. `put` answers False when the client is too slow. wire: the
    connection underneath, if there is one.
    """

    def __init__(
        self, websocket: WebSocket, limit: int, wire: asyncio.Transport | None = None
    ) -> None:
        self._websocket = websocket
        self._limit = limit
        self._frames: deque[bytes | str] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._wire = wire
        self._cut: tuple[int | None] | None = None  # how many bytes of the next frame to keep
        self.is_muted = False

    @property
    def waiting(self) -> int:
        """Frames not written yet."""
        return len(self._frames)

    def put(self, frame: bytes | str) -> bool:
        """Queue a frame; False if the queue is full. On a mute or closing socket it is lost."""
        if self.is_muted or self._closing:
            return True
        if len(self._frames) >= self._limit:
            return False
        self._frames.append(frame)
        self._wake.set()
        return True

    def close(self) -> None:
        """Write the queued frames, then close the socket."""
        self._closing = True
        self._wake.set()

    def abandon(self, last: bytes | str | None) -> None:
        """Drop the queued frames, send `last` if the client still takes it, and close."""
        self._frames.clear()
        if last is not None:
            self._frames.append(last)
        self.close()

    def cut(self, keep_bytes: int | None) -> None:
        """End the connection inside the next frame, after so many bytes of it (None: half)."""
        self._cut = (keep_bytes,)

    async def run(self) -> None:
        """Write frames until closed or disconnected."""
        try:
            while True:
                while self._frames:
                    frame = self._frames[0]
                    if self._cut is not None and self._wire is not None:
                        self._wire.write(part_of_frame(frame, *self._cut))
                        self._wire.close()
                        return
                    await self._send(frame)
                    if self._frames and self._frames[0] is frame:  # not abandoned meanwhile
                        self._frames.popleft()
                if self._closing:
                    break
                self._wake.clear()
                await self._wake.wait()
            if self._websocket.application_state is WebSocketState.CONNECTED:
                await self._websocket.close()
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the reader notices the same disconnect and takes the connection away
        finally:
            self._frames.clear()

    async def _send(self, frame: bytes | str) -> None:
        if isinstance(frame, bytes):
            await self._websocket.send_bytes(frame)
        else:
            await self._websocket.send_text(frame)
