"""AutoDiscover in its three dialects and Thunderbird's autoconfig: what the server writes and the client reads."""
