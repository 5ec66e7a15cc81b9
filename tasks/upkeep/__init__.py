"""The upkeep role: the relay publishes committed messages, and the sweeper expires leases."""
