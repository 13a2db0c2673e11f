"""models: what users bring of their own. It orders suggestions or gives a second opinion; it decides nothing."""
