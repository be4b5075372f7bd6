"""Channels: how a message leaves the Console. One module a way; ``base`` says what they have in common."""
