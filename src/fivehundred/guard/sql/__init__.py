"""Hooks for statements that have no other place: each file is named after the library whose hook it uses."""
