"""The one place that names concrete classes: what `serve` is made of, and in which order."""
