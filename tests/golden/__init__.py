"""Octets that the documents print, decoded, compared field by field with what they say, and encoded again.

`rops` splits ROP buffers; `ropexamples`, `captures` and `propertyexamples` hold the octets with their source;
`left_out` names examples that are known and not of this store's area.
"""
