"""Risk limits: the limits, the check of orders against them, and the daily loss."""
