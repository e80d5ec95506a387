"""What is told of a run: files, a JSON document, a table; made from plain data."""
