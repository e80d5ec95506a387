"""Write a trading strategy once and run it anywhere."""

__version__ = "0.1.0"
