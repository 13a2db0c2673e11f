"""narratives: exact text, near-duplicates, clusters that do not chain, ids that stay."""
