"""One module per family of formats; each offers readers as entry points of group ``bastau.formats``."""
