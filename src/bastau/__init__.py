"""bastau: from public posts to narratives, their earliest observed sources and who moved together."""

__version__ = "0.1.0"
