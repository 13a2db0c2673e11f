"""Review: the rules of deciding as pure functions; no pages, no database."""
