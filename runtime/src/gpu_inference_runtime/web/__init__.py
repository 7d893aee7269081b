"""HTTP: the Flask application, the page at /docs, and what is no proper HTTP."""
