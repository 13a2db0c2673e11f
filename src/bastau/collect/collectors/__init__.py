"""One module per kind of live place, with its card beside it; each is an entry point of group ``bastau.collectors``."""
