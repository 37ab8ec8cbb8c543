"""What the end-to-end tests share: a real server in a subprocess, raw connections, messages that prove themselves."""
