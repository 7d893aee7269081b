"""`python -m gpu_inference.values write|check`: writes the chart's generated files or compares them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gpu_inference.resources import chart_directory
from gpu_inference.values.documents import defaults_text, values_table, values_yaml, with_table
from gpu_inference.values.questions import questions_text
from gpu_inference.values.schema import schema_text, values_schema


def generated_files(chart: Path) -> dict[Path, str]:
    """Return what the generated files of the chart should contain."""
    schema = values_schema()
    readme = chart / "README.md"
    return {
        chart / "values.schema.json": schema_text(schema),
        chart / "values.yaml": values_yaml(schema),
        chart / "files" / "defaults.json": defaults_text(schema),
        chart / "questions.yaml": questions_text(schema),
        readme: with_table(readme.read_text(encoding="utf-8"), values_table(schema)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or return 1 when one differs from what would be written."""
    parser = argparse.ArgumentParser(prog="python -m gpu_inference.values", description=__doc__)
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("--chart", type=Path, default=chart_directory(), help="the chart's folder")
    parsed = parser.parse_args(arguments)
    status = 0
    for path, text in generated_files(parsed.chart).items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if parsed.action == "write":
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
        else:
            print(f"{path} differs from the typed values: run `make generate`.", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
