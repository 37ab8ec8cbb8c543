"""The directory: users, aliases, domains, servers and lists in the database; authentication; administration."""
