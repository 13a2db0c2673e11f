"""Web applications above the core; the core knows nothing of them."""
