"""One module for each figure, with a function `measure(scale)` that returns tables."""
