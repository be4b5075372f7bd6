"""The self-hosted server: takes events, groups them into faults, says why, and shows it."""
