"""The settings that concern the script, in the form that script processes get them in."""

from urllib.parse import quote

from gpu_inference_runtime.settings import Settings
from gpu_inference_script.config import Config


def script_config(settings: Settings) -> Config:
    """Return what a script process is told at its start."""
    folder = settings.model_data_directory
    return Config(
        app_root=str(settings.app_root),
        entry_script=settings.entry_script,
        source_directory=settings.source_directory,
        model_dir=settings.model_dir,
        service_name=settings.service_name,
        service_version=settings.service_version,
        path_prefix=path_prefix(settings),
        front_end=settings.front_end,
        scoring_timeout_ms=settings.scoring_timeout_ms,
        parallel_runs=settings.parallel_runs,
        log_format=settings.log_format,
        log_level=settings.log_level,
        debug_port=settings.debug_port,
        tensorflow_v1=settings.tensorflow_v1,
        model_data_directory=None if folder is None else str(folder),
        model_data_file_mb=settings.model_data_file_mb,
        model_data_total_mb=settings.model_data_total_mb,
        batching=settings.batching,
        batch_max_rows=settings.batch_max_rows,
        batch_max_bytes=settings.batch_max_bytes,
        array_dtype=settings.array_dtype,
        fast_json=settings.fast_json,
        traces=settings.sends_traces,
    )


def path_prefix(settings: Settings) -> str:
    """Return what paths in swagger.json begin with: what is set, else as azureml-fe served them."""
    prefix = settings.service_path_prefix.strip("/")
    if not prefix and settings.front_end == "azureml":
        prefix = f"api/v1/service/{quote(settings.service_name)}"
    return f"/{prefix}" if prefix else ""
