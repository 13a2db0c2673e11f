"""Tables of accounts, sessions and failed sign-ins."""
