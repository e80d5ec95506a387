"""The book: what the runtime believes about orders, positions and the account."""

from strategy_runtime.runtime.book.book import Book

__all__ = ["Book"]
