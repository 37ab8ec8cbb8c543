"""IMAP's bytes: framing, grammar and rendering. Pure (RFC 3501 section 9 and the extensions' formal syntax)."""
