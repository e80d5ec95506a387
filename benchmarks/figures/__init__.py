"""One module a figure; each has `measure(scale)`, which gives tables."""
