"""How parameters and their schemas belong together (contract §3.2); the service's description (§3.7)."""

from tests.runtime.differential.cases.case import case, get, post, swagger
from tests.runtime.differential.cases.routes import ECHO
from tests.runtime.differential.cases.schema_inputs import IMPORTS

_VERSIONS = (*swagger(), get("/swagger.json?version=9"))
_OF_THE_USER = '{"swagger": "mine", "paths": {"/é": {}}}'
_NAMES = {
    "SERVICE_NAME": "my service",
    "SERVICE_VERSION": "7.1",
    "SERVICE_PATH_PREFIX": "api/v1/service/mine/",
}

CASES = (
    case(
        "schema: defaults",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1))
@input_schema("y", StandardPythonParameterType(2))
def run(x, y=5):
    return [x, y]
""",
        post(b'{"x": 1, "y": 2}'),
        post(b'{"x": 1}'),
        post(b'{"y": 1}'),
        post(b'{"x": 1, "y": null}'),
        get("/score?x=1"),
        *swagger(),
    ),
    case(
        "schema: a default of another type",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1))
def run(x="none"):
    return x
""",
        post(b"{}"),
        post(b'{"x": 1}'),
    ),
    case(
        "schema: an array for a default",
        IMPORTS
        + """
@input_schema("x", NumpyParameterType(np.array([1.0])))
def run(x=[7.0]):
    return x.tolist()
""",
        post(b"{}"),
        post(b'{"x": [1, 2]}'),
    ),
    case(
        "schema: optional",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1), optional=True)
@input_schema("y", StandardPythonParameterType(1), optional=True)
def run(x=None, y=3):
    return [x, y]
""",
        post(b"{}"),
        post(b'{"x": 2}'),
        post(b'{"x": null}'),
        post(b'{"y": "a"}'),
        *swagger(),
    ),
    case(
        "schema: optional without a default",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1), optional=True)
def run(x):
    return x
""",
        post(b"{}"),
        post(b'{"x": 2}'),
    ),
    case(
        "schema: not converted",
        IMPORTS
        + """
@input_schema("x", NumpyParameterType(np.array([[1.0]])), convert_to_provided_type=False)
def run(x):
    return [type(x).__name__, x]
""",
        post(b'{"x": [[1]]}'),
        post(b'{"x": "anything"}'),
    ),
    case(
        "schema: a parameter without a schema",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1))
def run(x, free, more=2):
    return [x, free, more]
""",
        post(b'{"x": 1, "free": {"a": [1]}}'),
        post(b'{"x": 1}'),
        post(b'{"x": 1, "free": 1, "more": 3}'),
        *swagger(),
    ),
    case(
        "schema: of a parameter that is not there",
        IMPORTS
        + """
@input_schema("y", StandardPythonParameterType(1))
def run(x):
    return x
""",
        post(b'{"x": 1}'),
        post(b'{"y": 1}'),
        post(b'{"x": 1, "y": 1}'),
    ),
    case(
        "schema: with request_headers",
        IMPORTS
        + """
@input_schema("x", StandardPythonParameterType(1))
def run(x, request_headers):
    return [x, request_headers["Host"], type(request_headers).__name__]
""",
        post(b'{"x": 1}'),
        post(b'{"x": 1, "request_headers": {"Host": "forged"}}'),
        get("/score?x=1"),
        *swagger(),
    ),
    case(
        "schema: output only",
        IMPORTS
        + """
@output_schema(StandardPythonParameterType([1]))
def run(data):
    return data
""",
        post(b'{"data": 1}'),
        post(b'"x"'),
        post(b"x", "text/plain"),
        *swagger(),
    ),
    case(
        "schema: output of other types",
        IMPORTS
        + """
@input_schema("kind", StandardPythonParameterType("a"))
@output_schema(PandasParameterType(pd.DataFrame({"a": [1]})))
def run(kind):
    return {"frame": pd.DataFrame({"a": [1]}), "array": np.array([1]), "list": [1], "text": "x"}[kind]
""",
        post(b'{"kind": "frame"}'),
        post(b'{"kind": "array"}'),
        post(b'{"kind": "list"}'),
        post(b'{"kind": "text"}'),
        *swagger(),
    ),
    case(
        "schema: Inputs, GlobalParameters, Results",
        IMPORTS
        + """
sample = PandasParameterType(pd.DataFrame({"a": [1], "b": [0.5]}))
sample_input = StandardPythonParameterType({"input1": sample})
sample_global = StandardPythonParameterType(1.0)
sample_output = StandardPythonParameterType({"Results": NumpyParameterType(np.array([1.0]))})

@input_schema("Inputs", sample_input)
@input_schema("GlobalParameters", sample_global, convert_to_provided_type=False)
@output_schema(sample_output)
def run(Inputs, GlobalParameters=1.0):
    table = Inputs["input1"]
    return {"Results": (table.a * table.b * GlobalParameters).tolist()}
""",
        post(b'{"Inputs": {"input1": [{"a": 2, "b": 1.5}]}, "GlobalParameters": 2.0}'),
        post(b'{"Inputs": {"input1": [{"a": 2, "b": 1.5}]}}'),
        post(b'{"Inputs": {}}'),
        post(b'{"data": []}'),
        *swagger(),
    ),
    case(
        "schema: the script's own errors",
        IMPORTS
        + """
import inspect

@input_schema("x", StandardPythonParameterType(1))
def run(x):
    if x == 0:
        raise ValueError("mine")
    if x == 1:
        raise TypeError("mine")
    return [run.__name__, list(inspect.signature(run).parameters)]
""",
        post(b'{"x": 0}'),
        post(b'{"x": 1}'),
        post(b'{"x": 2}'),
    ),
    case("swagger: undecorated", ECHO, *_VERSIONS),
    case("swagger: names of the service", ECHO, *_VERSIONS, settings=_NAMES),
    case(
        "swagger: names, with a schema",
        IMPORTS + '@input_schema("x", StandardPythonParameterType(1))\ndef run(x): return x',
        *_VERSIONS,
        settings=_NAMES,
    ),
    case("swagger: a file for all", ECHO, *_VERSIONS, files={"swagger.json": _OF_THE_USER}),
    case(
        "swagger: a file for each version",
        ECHO,
        *_VERSIONS,
        files={"swagger2.json": '{"v": 2}', "swagger3.json": '{"v": 3}', "swagger3.1.json": '{"v": 3.1}'},
    ),
    case(
        "swagger: both kinds of files",
        ECHO,
        *_VERSIONS,
        files={"swagger.json": _OF_THE_USER, "swagger2.json": "{}", "swagger3.json": "[1]"},
    ),
    case("swagger: a file beside the script", ECHO, *_VERSIONS, files={"src/swagger.json": _OF_THE_USER}),
    case(
        "swagger: a script that writes its own",
        """
        import json

        def init():
            with open("swagger.json", "w") as file:
                json.dump({"made": "by init"}, file)

        def run(data): return data
        """,
        *_VERSIONS,
    ),
    case(
        "swagger: rawhttp",
        "from azureml.contrib.services.aml_request import rawhttp\n@rawhttp\ndef run(request): return 1",
        *_VERSIONS,
    ),
)
