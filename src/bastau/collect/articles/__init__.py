"""What a page says: its article, title, date and links."""

from bastau.collect.articles.dates import date_in_path, read_date
from bastau.collect.articles.reading import Article, decode_page, own_address, read_article

__all__ = ["Article", "date_in_path", "decode_page", "own_address", "read_article", "read_date"]
