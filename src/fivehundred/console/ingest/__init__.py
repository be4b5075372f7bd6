"""The door: from an HTTP request to a record in the spool, and nothing behind it."""
