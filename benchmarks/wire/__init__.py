"""Clients and a server that measure the connection, each in a process of its own."""
