"""The timer that `every` and `at` return."""

__all__ = ["Timer"]


class Timer:
    """A timer set by `every` or `at`.

    Attributes:
        is_cancelled: Whether it has been cancelled.
    """

    __slots__ = ("is_cancelled",)

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        """Stop the timer; its own function may do so, too."""
        self.is_cancelled = True
