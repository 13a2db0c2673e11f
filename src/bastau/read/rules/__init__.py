"""Rules as data: frames over words, stance gates, and suggestions that show why."""

from bastau.read.rules.documents import Problem, RulesError
from bastau.read.rules.frames import Match, Reading, Span
from bastau.read.rules.loading import load, rule_files, rules_folder
from bastau.read.rules.pack import Pack, Rule

__all__ = ["Match", "Pack", "Problem", "Reading", "Rule", "RulesError", "Span", "load", "rule_files", "rules_folder"]
