"""What the server was told: by flags, by variables, by a configuration file, or by nobody."""

from gpu_inference_runtime.settings.loading import load_settings, without_credentials
from gpu_inference_runtime.settings.settings import Settings, SettingsError
from gpu_inference_runtime.settings.values import FrontEnd, LogFormat

__all__ = ["FrontEnd", "LogFormat", "Settings", "SettingsError", "load_settings", "without_credentials"]
