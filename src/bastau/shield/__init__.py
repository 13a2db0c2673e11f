"""shield: what may leave, and in which form."""
