"""Client and server for the figures of the connection, each in a process of its own."""
