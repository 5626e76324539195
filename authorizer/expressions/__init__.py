"""CEL expressions and templates: compiled at load, evaluated at a request."""
