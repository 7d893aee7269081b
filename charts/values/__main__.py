"""`python -m charts.values write|check`: writes the chart's generated files, or reports outdated ones."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from charts.values.documents import values_table, values_yaml, with_table
from charts.values.questions import questions_text
from charts.values.schema import described_values, schema_text, template_schema, values_schema, variables

CHART = Path(__file__).parents[1] / "gpu-inference"


def generated_files(chart: Path) -> dict[Path, str]:
    """Return what the generated files of the chart should contain."""
    schema = described_values()
    readme = chart / "README.md"
    return {
        chart / "values.schema.json": schema_text(values_schema()),
        chart / "values.yaml": values_yaml(schema),
        chart / "files" / "values.json": json.dumps(
            {**template_schema(schema), "variables": variables(schema)}, indent=1
        )
        + "\n",
        chart / "questions.yaml": questions_text(schema),
        readme: with_table(readme.read_text(encoding="utf-8"), values_table(schema)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or return 1 if a file is outdated."""
    parser = argparse.ArgumentParser(prog="python -m charts.values", description=__doc__)
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("--chart", type=Path, default=CHART, help="the chart's folder")
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
