"""The chart's values as types: the one source of its schema, its values.yaml and the documents about them.

For developers of the chart; nothing that is installed imports this. `python -m charts.values write` (which is
`make generate`) writes the generated files. Rules between values are in templates/validation.
"""
