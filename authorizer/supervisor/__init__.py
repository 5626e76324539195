"""Several processes that decide, and the one that looks after them and decides nothing."""
