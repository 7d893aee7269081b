"""The server's settings: from flags, environment variables, a configuration file, or defaults."""

from gpu_inference_runtime.settings.definition import Settings, SettingsError
from gpu_inference_runtime.settings.loading import load_settings, without_credentials
from gpu_inference_runtime.settings.values import FrontEnd, LogFormat

__all__ = ["FrontEnd", "LogFormat", "Settings", "SettingsError", "load_settings", "without_credentials"]
