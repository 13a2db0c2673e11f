"""What is behind each address: parse, call the core, render."""
