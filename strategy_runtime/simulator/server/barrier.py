"""The ack barrier: which events simulated time waits for. Free of I/O."""

from collections.abc import Iterable

__all__ = ["AckBarrier"]


class AckBarrier:
    """Events that have been announced and not acknowledged.

    An id can be acknowledged once its frame has been written, and only once; otherwise it counts as
    unknown. A notice, which is a frame without an id, keeps its place between the events and is
    waited for until it has been written.

    Attributes:
        unknown: How many acknowledged ids were not waited for.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._written: set[str] = set()
        self._notices: set[str] = set()
        self.unknown = 0

    def announce(self, event_id: str, frame: bytes) -> None:
        """Wait for an event."""
        self._waiting[event_id] = frame

    def announce_notice(self, frame: bytes) -> None:
        """Wait for a frame without an id to be written."""
        name = f"notice {len(self._notices)}"
        self._notices.add(name)
        self._waiting[name] = frame

    def written(self, name: str) -> None:
        """Record that a frame has been handed to the socket."""
        if name in self._notices:
            self._waiting.pop(name, None)
        elif name in self._waiting:
            self._written.add(name)

    def acknowledge(self, ids: Iterable[str]) -> int:
        """Take in an acknowledgement; return how many events it released."""
        released = 0
        for event_id in ids:
            if event_id in self._written:
                self._written.discard(event_id)
                del self._waiting[event_id]
                released += 1
            else:
                self.unknown += 1
        return released

    @property
    def is_clear(self) -> bool:
        """Whether nothing is waited for."""
        return not self._waiting

    @property
    def missing(self) -> list[str]:
        """Ids waited for, in the order of their announcement."""
        return [name for name in self._waiting if name not in self._notices]

    def unwritten(self) -> list[tuple[str, bytes]]:
        """Return the frames still to be written to the current client, in order."""
        return [item for item in self._waiting.items() if item[0] not in self._written]

    def new_client(self) -> None:
        """Mark all frames as not written, for a new client."""
        self._written.clear()
