"""The way to the network: guarded, bounded, polite."""
