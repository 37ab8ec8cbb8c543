"""Offline address books: the files that clients in cached mode load ([MS-OXOAB], [MS-OXWOAB]). Pure but for `build`."""
