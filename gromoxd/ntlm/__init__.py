"""NTLM version 2 as a server has it ([MS-NLMP]), and its wrapping in SPNEGO (RFC 4178). Pure: no I/O, no clock.

Own code, since what the registries have takes credentials from files only, or is a client. Clients from there test it.
"""
