"""What a rule says of one very event: the clause, the decisive fact and the advice, with this event's own names."""
