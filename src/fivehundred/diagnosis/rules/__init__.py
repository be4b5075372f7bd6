"""The decision list: one file a cause, and their order."""
