"""What a page says: its article, title, date, authors and links."""
