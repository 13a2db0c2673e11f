"""Evidence: what was fetched, kept so that any later change shows. Terms follow the Berkeley Protocol (UN OHCHR 2022):
*preservation* keeps an item unchanged, the *chain of custody* says who did what to it and why, a *working copy* is for use.
"""

from bastau.chain import Chain, Finding
from bastau.evidence.archive import Archive

__all__ = ["Archive", "Chain", "Finding"]
