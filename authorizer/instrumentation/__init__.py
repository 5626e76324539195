"""What can be seen of the service from outside: its decisions, its metrics and its log."""
