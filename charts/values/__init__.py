"""Typed models of the chart's values, from which its schema, values.yaml and documents are generated.

For developers of the chart; nothing that is installed imports this. `python -m charts.values write` (which is
`make generate`) writes the generated files. Rules between values are in templates/validation.
"""
