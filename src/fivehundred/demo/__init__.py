"""A newcomer's first minute: a Console, a small failing API and a client, all real processes."""
