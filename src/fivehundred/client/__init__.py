"""What a caller does with a 5xx: a typed error with the reference, and retries that cannot start a storm."""
