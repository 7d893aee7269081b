"""What the front tells a script process at its start, as one JSON object."""

import json
from typing import Any, Dict, Optional


class Config:
    """The settings that concern the script.

    Args:
        app_root: the folder that holds the user's source folder.
        entry_script: the script's path, relative to the app root; None for the built-in script.
        source_directory: the user's source folder, relative to the app root.
        model_dir: what AZUREML_MODEL_DIR says.
        service_name: the service's name.
        service_version: the version that the service's specification tells.
        path_prefix: of the paths in the specification.
        front_end: `azureml` or `none`: whose answers clients get.
        scoring_timeout_ms: the longest that a call of `run()` may take.
        parallel_runs: how many calls of `run()` may overlap.
        log_format: `text` or `json`.
        log_level: the name of one of logging's levels.
        debug_port: where a debugger waits.
        tensorflow_v1: `auto`, `true` or `false`: whether `import tensorflow` gives TensorFlow 1's names.
        model_data_directory: where ModelDataCollector writes to; None while collection is off.
        model_data_file_mb: the largest file of collected data.
        model_data_total_mb: the most that all of them take together.
        batching: `none`, `merge`, `schema` or `array`.
        batch_max_rows: the most rows of one call.
        batch_max_bytes: the most bytes of one call.
        array_dtype: of the array that `run()` takes.
        fast_json: whether the script's `json.loads` is a faster one.
        traces: whether traces are sent.
    """

    def __init__(
        self,
        app_root: str,
        entry_script: "Optional[str]" = None,
        source_directory: "Optional[str]" = None,
        model_dir: "Optional[str]" = None,
        service_name: str = "ML service",
        service_version: str = "1.0",
        path_prefix: str = "",
        front_end: str = "none",
        scoring_timeout_ms: int = 3600000,
        parallel_runs: int = 1,
        log_format: str = "text",
        log_level: str = "INFO",
        debug_port: "Optional[int]" = None,
        tensorflow_v1: str = "auto",
        model_data_directory: "Optional[str]" = None,
        model_data_file_mb: int = 16,
        model_data_total_mb: int = 1024,
        batching: str = "none",
        batch_max_rows: int = 256,
        batch_max_bytes: int = 16777216,
        array_dtype: str = "float32",
        fast_json: bool = False,
        traces: bool = False,
    ) -> None:
        self.app_root = app_root
        self.entry_script = entry_script
        self.source_directory = source_directory
        self.model_dir = model_dir
        self.service_name = service_name
        self.service_version = service_version
        self.path_prefix = path_prefix
        self.front_end = front_end
        self.scoring_timeout_ms = scoring_timeout_ms
        self.parallel_runs = parallel_runs
        self.log_format = log_format
        self.log_level = log_level
        self.debug_port = debug_port
        self.tensorflow_v1 = tensorflow_v1
        self.model_data_directory = model_data_directory
        self.model_data_file_mb = model_data_file_mb
        self.model_data_total_mb = model_data_total_mb
        self.batching = batching
        self.batch_max_rows = batch_max_rows
        self.batch_max_bytes = batch_max_bytes
        self.array_dtype = array_dtype
        self.fast_json = fast_json
        self.traces = traces

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Return the settings that `to_json` has written.

        Raises:
            TypeError: one of them is unknown here.
        """
        values: "Dict[str, Any]" = json.loads(text)
        return cls(**values)

    def to_json(self) -> str:
        """Return the settings as a JSON object."""
        return json.dumps(vars(self))
