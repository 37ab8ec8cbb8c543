"""Hostile mail, taken through the whole way from its octets to a mailbox and back."""
