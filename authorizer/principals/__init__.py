"""From what Oathkeeper knows of a subject to a Cerbos principal."""
