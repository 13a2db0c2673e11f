"""Website families: sites run by the same hands, told from what their pages show, with the evidence.

Order: :mod:`pages` (signals of each page) -> :mod:`merge` (of each site) -> :mod:`links` (of each pair) -> :mod:`grouping`.
"""

from bastau.sources.families.grouping import Families, find_families
from bastau.sources.families.merge import merge_signals
from bastau.sources.families.names import site_of
from bastau.sources.families.pages import FindPageSignals, count_signals

__all__ = ["Families", "FindPageSignals", "count_signals", "find_families", "merge_signals", "site_of"]
