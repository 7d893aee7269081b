"""config.json: settings by the names of their variables, below the environment and above the defaults."""

import json
from pathlib import Path


def find_config(app_root: Path, script_folder: Path | None) -> Path | None:
    """Return the configuration file that nobody named: in the app root, else beside the entry script."""
    folders = [folder for folder in (app_root, script_folder) if folder is not None]
    candidates = (folder / "config.json" for folder in folders)
    # An empty one counts as none, as it did in v1.
    return next((found for found in candidates if found.is_file() and found.stat().st_size), None)


def read_config(path: Path) -> dict[str, str]:
    """Return the file's entries as text, as variables are.

    Raises:
        ValueError: it is no JSON object; the text is a sentence.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"The configuration file {path} cannot be read as JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"The configuration file {path} must hold a JSON object.")
    # One beside the script may well be the model's own: what is not ours is left alone.
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in content.items()
        if value is not None
    }
