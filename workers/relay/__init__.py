"""The relay: the durable queue of mail that leaves, and its delivery to people here and elsewhere."""
