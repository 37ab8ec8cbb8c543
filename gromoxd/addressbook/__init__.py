"""The address book: a file made of the directory, which all workers map, and the objects in it ([MS-OXOABK])."""
