"""read: adds columns to posts, drops none."""
