"""The settings that the front passes to a script process, as one JSON object."""

import json
from typing import Any, Dict, Optional


class Config:
    """The settings that concern the script.

    Args:
        app_root: the folder that holds the user's source folder.
        entry_script: the script's path, relative to the app root; None for the built-in script.
        source_directory: the user's source folder, relative to the app root.
        model_dir: the value of AZUREML_MODEL_DIR.
        service_name: the service's name.
        service_version: the version in the service's specification.
        path_prefix: prefix of the paths in the specification.
        front_end: `azureml` or `none`: whose responses clients get.
        scoring_timeout_ms: longest time for a call of `run()`, in milliseconds.
        parallel_runs: how many calls of `run()` may overlap.
        log_format: `text` or `json`.
        log_level: name of a logging level.
        debug_port: port of the debugger to connect to; None for no debugger.
        tensorflow_v1: `auto`, `true` or `false`: whether `import tensorflow` gives TensorFlow 1's API.
        model_data_directory: folder for ModelDataCollector's rows; None if collection is off.
        model_data_file_mb: largest file of collected rows, in MiB.
        model_data_total_mb: largest total size of all these files, in MiB.
        batching: `none`, `merge`, `schema` or `array`.
        batch_max_rows: most rows per call.
        batch_max_bytes: most bytes of request bodies per call.
        array_dtype: type of the array that `run()` takes.
        fast_json: whether to replace the script's `json.loads` with a faster one.
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
        """Return the settings that `to_json` wrote.

        Raises:
            TypeError: a setting is unknown.
        """
        values: "Dict[str, Any]" = json.loads(text)
        return cls(**values)

    def to_json(self) -> str:
        """Return the settings as a JSON object."""
        return json.dumps(vars(self))
