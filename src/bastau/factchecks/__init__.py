"""Known fact-checks: which published fact-check, if any, is about what a post says.

Stands beside the stages, as known_lists does: texts of narratives and single texts are both looked up here. A match repeats
what a publisher found, with its date and its words; bastau itself gives no verdict.
"""
