"""report: traces, briefs and charts."""
