"""Sources: files read into plain values, each with its file, line and column."""
