"""Lists of known content: files and exchanges they come from, and the home folder they are kept in."""
