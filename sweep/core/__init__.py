"""Shared by all rooms: a job's identity, addresses, events, hardware, outages, stopping."""
