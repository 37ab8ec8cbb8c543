"""The address book protocol ([MS-OXNSPI]): what its operations do, and their bodies in MAPI/HTTP. No I/O.

`session` has the operations on plain values; both wires use them: `bodies` is that of [MS-OXCMAPIHTTP] 2.2.5.
"""
