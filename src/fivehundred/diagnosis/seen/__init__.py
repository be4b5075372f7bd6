"""Finders: what rules look at beyond codes. Each gives the facts of a Case that it finds, or none."""
