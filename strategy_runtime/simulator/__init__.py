"""The simulated exchange, in process and behind the wire protocol."""
