"""DCE/RPC as Exchange clients speak it: PDUs, RTS PDUs, NDR, and the stubs of four interfaces. Pure, both directions.

C706 chapters 12 and 14, [MS-RPCE], [MS-RPCH]. The channels that carry them are in `workers.http.rpch`.
"""
