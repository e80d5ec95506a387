"""Reads market data files and reports faults in them."""
