"""The server's side of the EMSMDB protocol ([MS-OXCRPC], [MS-OXCROPS]): sessions, their objects, what each ROP does.

MAPI/HTTP and RPC/HTTP both feed it with ROP buffers; it does no I/O but calls of stores and directory, which are given.
"""
