"""sources: first seen, who copied whom, amplifiers, sources that move together."""
