"""The check API: other programs ask what rules, lists and fact-checks say of a text, an address, a hash or a picture."""
