"""Results of a run for people and programs: files, a JSON document, a table."""
