"""The chart's values as types: the one source of its schema, its values.yaml and its documentation.

`load` checks a values mapping as the chart would; `python -m gpu_inference.values write` generates the files.
"""

from gpu_inference.values.chart import ChartValues
from gpu_inference.values.load import load

__all__ = ["ChartValues", "load"]
