"""The page at /docs: a Flask application."""
