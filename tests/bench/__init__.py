"""Measurements: what provisioning costs, in seconds and in host-tasks."""
