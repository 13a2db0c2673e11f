"""When to visit which source, and what is remembered between visits."""
