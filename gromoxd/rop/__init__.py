"""ROPs ([MS-OXCROPS]) and the buffers in which they travel ([MS-OXCRPC] 2.2.2, 3.1.4.2): pure, both directions."""
