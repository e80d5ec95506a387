"""Timers as a strategy holds them."""

__all__ = ["Timer"]


class Timer:
    """A timer that `every` or `at` has set.

    Attributes:
        is_cancelled: True once it fires no more.
    """

    __slots__ = ("is_cancelled",)

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        """Have it fire no more, which may be done in the function that it calls, too."""
        self.is_cancelled = True
