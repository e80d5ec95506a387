"""Timers as a strategy holds them."""

__all__ = ["Timer"]


class Timer:
    """A timer set by `every` or `at`.

    Attributes:
        is_cancelled: True once it has been stopped.
    """

    __slots__ = ("is_cancelled",)

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        """Stop it; the function that it calls may do so, too."""
        self.is_cancelled = True
