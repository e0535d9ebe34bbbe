"""`lading doctor`: what Lading needs of this machine, checked one thing at a time; nothing is changed."""
