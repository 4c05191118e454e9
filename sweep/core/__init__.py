"""What every room needs and none owns: a job's identity, addresses, events, hardware, outages, stopping."""
