"""collect: public posts come in, from files or live places; private authors are pseudonymised before anything is stored."""
