"""The durable append-only log between accepted and digested."""
