"""Shared memory made by the master before it forks: arenas, the throttle table, the board of counters, the epoch."""
