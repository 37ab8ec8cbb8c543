"""The store's side of MAPI: objects, properties, tables, permissions, search folders, synchronisation.

One module for a family of calls. Each has `READS` (call -> handler of a `Reading`) and `WRITES` (call -> handler of the
`Transaction`), which `store.mapi.dispatch` collects.
"""
