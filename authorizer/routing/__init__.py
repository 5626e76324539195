"""From a URL and a method to a route: reading, matching, compiling rules."""
