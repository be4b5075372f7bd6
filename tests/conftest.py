"""What every test shares: properties are judged by what they find, not by how fast this machine is today."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("fivehundred", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fivehundred")
