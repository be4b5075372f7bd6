"""Why did it fail, and what now: an Event and what surrounds it become a Diagnosis.

Pure: no I/O, no clock, no network.
"""
