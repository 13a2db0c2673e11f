"""evaluate: a metric per task, on labelled data."""
