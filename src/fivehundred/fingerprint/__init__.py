"""Which 500s are the same fault: an Event becomes keys. Pure: what was learned comes in and goes out as a value."""
