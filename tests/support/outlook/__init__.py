"""An Outlook for tests: MAPI over HTTP, and RPC over HTTP, from the sockets up, written from the documents alone.

Nothing here imports a codec of the server (`gromoxd.rop`, `gromoxd.mapi`, `gromoxd.nspi` …): what the server reads
wrongly and writes just as wrongly would otherwise never be found.

`transport` HTTP, sessions, packing of buffers · `values` properties, rows, restrictions · `rops` requests and their
answers · `profile` logged-on stores, folders, messages, tables · `fasttransfer`, `idset`, `replica` the cached mode ·
`notices` notifications · `autodiscover`, `nspi` what a profile is made from · `rpchttp`, `rpccall`, `ndr`,
`rpcmapi` all of it once more over RPC, for an Outlook before MAPI/HTTP.
"""
