"""Benchmarks of the package and of other engines, measured together: `python -m benchmarks`."""
