"""Sinks of decision records: the log and the metrics."""
