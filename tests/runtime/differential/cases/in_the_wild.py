"""Patterns of published scripts (contract §4, §5): models, modules, classes, joblib."""

import pickle

from tests.runtime.differential.cases.case import case, get, post

_MODEL = pickle.dumps({"weights": [1.0, 2.0]})
_ONE_MODEL = {"AZUREML_MODEL_DIR": "azureml-models/mnist/3"}
_SEVERAL = {"AZUREML_MODEL_DIR": "azureml-models"}

CASES = (
    case(
        "AZUREML_MODEL_DIR",
        """
        import json, os, pickle

        def init():
            global model, path
            path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.pkl")
            with open(path, "rb") as file:
                model = pickle.load(file)

        def run(raw_data):
            data = json.loads(raw_data)["data"]
            name = os.getenv("AZUREML_MODEL_DIR").split("/")[-2]
            result = [w * x for w, x in zip(model["weights"], data)]
            return {"result": result, "path": path, "name": name}
        """,
        post(b'{"data": [3, 4]}'),
        post(b'{"data": 3}'),
        files={"azureml-models/mnist/3/model.pkl": _MODEL},
        settings=_ONE_MODEL,
    ),
    case(
        "AZUREML_MODEL_DIR of several models",
        """
        import os

        def init():
            global names
            root = os.environ["AZUREML_MODEL_DIR"]
            found = (os.path.join(d, f) for d, _, files in os.walk(root) for f in files)
            names = sorted(os.path.relpath(path, root) for path in found)

        def run(raw_data): return names
        """,
        post(b"x"),
        files={"azureml-models/a/1/x.bin": b"", "azureml-models/b/2/folder/y.bin": b""},
        settings=_SEVERAL,
    ),
    case(
        "Model.get_model_path",
        """
        import os
        from azureml.core.model import Model

        def init():
            global one
            one = Model.get_model_path("mnist")

        def run(raw_data):
            try:
                found = Model.get_model_path(**__import__("json").loads(raw_data))
            except Exception as error:
                return type(error).__name__
            newest = one.endswith("azureml-models/mnist/10/model.pkl")
            return [os.path.relpath(found), newest, os.path.exists(found)]
        """,
        post(b'{"model_name": "mnist"}'),
        post(b'{"model_name": "mnist", "version": 3}'),
        post(b'{"model_name": "mnist", "version": 4}'),
        post(b'{"model_name": "mnist", "version": "3"}'),
        post(b'{"model_name": "folder"}'),
        post(b'{"model_name": "two"}'),
        post(b'{"model_name": "local.pkl"}'),
        post(b'{"model_name": "none"}'),
        files={
            "azureml-models/mnist/3/model.pkl": _MODEL,
            "azureml-models/mnist/10/model.pkl": _MODEL,
            "azureml-models/folder/1/model/weights.bin": b"",
            "azureml-models/two/1/a": b"",
            "azureml-models/two/1/b": b"",
            "local.pkl": b"",
        },
        settings=_SEVERAL,
    ),
    case(
        "the script's place",
        """
        import os, sys

        def init():
            global text
            with open("./src/extradata.json") as file:
                text = file.read()

        def run(data):
            here = os.path.dirname(os.path.abspath(__file__))
            return {
                "text": text, "name": __name__, "file": os.path.abspath(__file__), "cwd": os.getcwd(),
                "beside": sorted(set(os.listdir(here)) - {"__pycache__"}),
                "root on path": os.getcwd() in sys.path, "source on path": here in sys.path,
                "main": sys.modules["__main__"].__name__,
            }
        """,
        post(b"x"),
        files={"src/extradata.json": '{"a": 1}'},
    ),
    case(
        "modules of the script's own",
        """
        import helper
        import package.deep
        from src import other

        def run(data):
            import late
            return [helper.NAME, package.deep.NAME, other.NAME, late.NAME]
        """,
        post(b"x"),
        files={
            "src/helper.py": "NAME = __name__",
            "src/package/__init__.py": "",
            "src/package/deep.py": "NAME = __name__",
            "src/other.py": "NAME = __name__",
            "src/late.py": "NAME = __name__",
        },
    ),
    case(
        "modules named like others' modules",
        """
        import json, logging, utils, settings, server, config

        def run(data):
            return [hasattr(json, "dumps"), logging.getLogger().name, utils.NAME, settings.NAME, server.NAME]
        """,
        post(b"x"),
        files={
            **{
                f"src/{name}.py": f"NAME = {name!r}"
                for name in ("json", "logging", "utils", "settings", "server")
            },
            "src/config.py": "",
        },
    ),
    case(
        "driver_module",
        """
        import inner as driver_module

        def init():
            driver_module.ready = "by the driver"

        def run(data):
            return "the driver's own"
        """,
        post(b"x"),
        get("/score?a=1"),
        files={"src/inner.py": "def init(): pass\ndef run(anything): return [ready, anything]\n"},
    ),
    case(
        "driver_module that is none",
        "driver_module = 'text'\ndef run(data): return data",
        post(b"x"),
    ),
    case(
        "dataclasses and typing",
        """
        import dataclasses, enum, json, typing

        @dataclasses.dataclass
        class Input:
            data: typing.List[float]
            top: int = 1

        class Kind(enum.Enum):
            A = "a"

        class Row(typing.NamedTuple):
            x: int

        def run(raw_data: str) -> dict:
            given = Input(**json.loads(raw_data))
            return {**dataclasses.asdict(given), "kind": Kind("a").value, "row": Row(1)}
        """,
        post(b'{"data": [1.0]}'),
        post(b'{"nothing": 1}'),
    ),
    case(
        "dataclasses with postponed annotations",
        """
        from __future__ import annotations
        import dataclasses

        @dataclasses.dataclass
        class Input:
            data: list[float]

        def run(raw_data): return Input([1.0]).data
        """,
        post(b"x"),
    ),
    case(
        "pickles of the script's own classes",
        """
        import pickle

        class Model:
            def __init__(self, factor): self.factor = factor

        def run(raw_data):
            return pickle.loads(pickle.dumps(Model(3))).factor
        """,
        post(b"x"),
    ),
    case(
        "joblib",
        """
        import json, os
        import joblib

        def init():
            global model
            model = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.pkl"))

        def run(raw_data): return model["weights"][json.loads(raw_data)]
        """,
        post(b"1"),
        post(b"2"),
        files={"azureml-models/mnist/3/model.pkl": _MODEL},
        settings=_ONE_MODEL,
    ),
    case(
        "joblib of scikit-learn's first years",
        """
        from azureml.core.model import Model
        from sklearn.externals import joblib

        def init():
            global model
            model = joblib.load(Model.get_model_path("mnist"))

        def run(raw_data): return model["weights"]
        """,
        post(b"1"),
        files={"azureml-models/mnist/3/model.pkl": _MODEL},
        settings=_ONE_MODEL,
    ),
    case(
        "packages that the script can do without",
        """
        import logging

        try:
            from azureml.core import Workspace
            from azureml.core.run import Run
            run_context = Run.get_context()
        except ImportError:
            Workspace = None
        try:
            from opencensus.ext.azure.log_exporter import AzureLogHandler
        except ImportError:
            AzureLogHandler = None
        from azureml.core import Model

        def init():
            global path
            logging.getLogger("azureml").setLevel(logging.DEBUG)
            logging.getLogger("root").info("not there: %s %s", Workspace, AzureLogHandler)
            path = Model.get_model_path(model_name="mnist", version=3, _workspace=None)

        def run(raw_data): return [Workspace, AzureLogHandler, path.endswith("/mnist/3/model.pkl")]
        """,
        post(b"x"),
        files={"azureml-models/mnist/3/model.pkl": _MODEL},
        settings=_ONE_MODEL,
    ),
    case(
        "a pool of processes",
        # Not multiprocessing.Pool: its end is by signals, which children of the incumbent may survive.
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        def square(x): return x * x

        def run(raw_data):
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
                return list(pool.map(square, [1, 2, 3]))
        """,
        post(b"x"),
    ),
    case(
        "ways to read a request",
        """
        import json
        from azureml.contrib.services.aml_request import AMLRequest, rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        WAYS = {
            "json": lambda r: r.json["data"],
            "get_json": lambda r: dict(**r.get_json()),
            "silent": lambda r: r.get_json(silent=True),
            "force": lambda r: r.get_json(force=True),
            "data": lambda r: json.loads(r.data.decode("utf-8")),
            "as_text": lambda r: r.get_data(as_text=True),
            "twice": lambda r: [r.get_data(False).decode(), r.get_data().decode()],
            "stream": lambda r: r.stream.read().decode(),
            "values": lambda r: sorted(r.values.items(multi=True)),
            "args": lambda r: [r.args.to_dict(), r.args.getlist("way"), list(r.args), r.args.get("no")],
            "form": lambda r: [r.form.get("a"), r.form.getlist("a"), dict(r.form)],
            "class": lambda r: [isinstance(r, AMLRequest), hasattr(r, "get_data"), getattr(r, "no", 1)],
            "headers": lambda r: [r.headers.get("x-one"), r.headers["X-ONE"], "x-two" in r.headers],
            "printed": lambda r: "{0}".format(r)[:9],
        }

        @rawhttp
        def run(request: AMLRequest) -> AMLResponse:
            return AMLResponse(WAYS[request.args["way"]](request), 200, json_str=True)
        """,
        *(
            post(
                body,
                content_type,
                name=f"{way} of {body!r} as {content_type}",
                target=f"/score?way={way}&a=1",
            )
            for way in ("json", "get_json", "silent", "force", "data", "as_text", "twice", "stream", "values")
            for body, content_type in (
                (b'{"data": [1]}', "application/json"),
                (b'{"data": ', "application/json"),
                (b'{"data": [1]}', "text/plain"),
                (b"a=2&a=3", "application/x-www-form-urlencoded"),
            )
        ),
        *(
            post(b"a=2&a=3", "application/x-www-form-urlencoded", name=way, target=f"/score?way={way}&way=x")
            for way in ("args", "form", "class", "printed")
        ),
        post(b"", name="headers", target="/score?way=headers", headers=(("X-One", "1"),)),
        post(b"", name="no such header", target="/score?way=headers"),
        get("/score?way=args"),
    ),
)
