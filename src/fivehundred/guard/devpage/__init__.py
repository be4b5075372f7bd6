"""The development page: what a developer sees instead of the safe answer, on this machine and nowhere else."""
