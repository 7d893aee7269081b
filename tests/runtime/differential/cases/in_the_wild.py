"""Patterns of published scripts (contract §4, §5), and what scripts take for granted of their process."""

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
                "beside": sorted(os.listdir(here)),
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
        "globals",
        """
        count = 0
        history = []

        def init():
            global count
            count = 10

        def run(data):
            global count
            count += 1
            history.append(data)
            return {"count": count, "history": history[-2:]}
        """,
        *(post(f"{i}", name=f"call {i}") for i in range(4)),
    ),
    case(
        "threads of init and run",
        """
        import asyncio, signal, sqlite3, threading

        def init():
            global first, base, caught
            first = threading.get_ident()
            base = sqlite3.connect(":memory:")
            base.execute("create table t (x)")
            signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
            caught = []

        def run(data):
            base.execute("insert into t values (1)")
            signal.raise_signal(signal.SIGUSR1)
            return {
                "rows": base.execute("select count(*) from t").fetchone()[0],
                "same": threading.get_ident() == first,
                "main": threading.current_thread() is threading.main_thread(),
                "signals": len(caught),
                "loop": asyncio.run(asyncio.sleep(0, "done")),
                "event loop": type(asyncio.new_event_loop()).__name__,
            }
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "an alarm of the script's own",
        """
        import signal, time

        class Late(Exception):
            pass

        def late(*_):
            raise Late

        def run(data):
            signal.signal(signal.SIGALRM, late)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                time.sleep(20)
            except Late:
                return "late"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "threads and processes of the script's own",
        """
        import concurrent.futures, multiprocessing, queue, subprocess, sys, threading

        def work(q):
            while True:
                done, value = q.get()
                done.put(value * 2)

        def square(x):
            return x * x

        def init():
            global q, pool
            q = queue.Queue()
            threading.Thread(target=work, args=(q,), daemon=True).start()
            pool = concurrent.futures.ThreadPoolExecutor(2)

        def run(data):
            done = queue.Queue()
            q.put((done, data))
            child = multiprocessing.get_context("fork").Process(target=print, args=("child",))
            child.start()
            child.join()
            return {
                "thread": done.get(timeout=20),
                "pool": list(pool.map(square, [1, 2])),
                "subprocess": subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout,
                "child": child.exitcode,
            }
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "print and logging",
        """
        import logging, sys, warnings

        def init():
            print("printed", "in", "init", sep="-", end="!", flush=True)
            logging.basicConfig(level=logging.DEBUG)

        def run(data):
            print("printed in run", data)
            print("to stderr", file=sys.stderr)
            sys.stdout.write("written\\n")
            logging.getLogger("mine").info("logged")
            warnings.warn("careful")
            return print.__name__
        """,
        post(b"x"),
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
        "the environment",
        """
        import os

        def run(data):
            names = ("AML_APP_ROOT", "AZUREML_MODEL_DIR", "AZUREML_SOURCE_DIRECTORY", "AZUREML_ENTRY_SCRIPT")
            names += ("SERVICE_NAME", "OWN")
            return {name: os.environ.get(name) for name in names}
        """,
        post(b"x"),
        settings={"AZUREML_MODEL_DIR": "{root}/azureml-models/m/1", "OWN": "x", "SERVICE_NAME": "mine"},
    ),
    case(
        "the environment: WORKER_COUNT",
        "import os\ndef run(data): return os.getenv('WORKER_COUNT')",
        post(b"x"),
    ),
    case(
        "the environment, mostly unset",
        "import os\ndef run(data): return [os.getenv(n, '-') for n in ('AZUREML_MODEL_DIR', 'SERVICE_NAME')]",
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
        "an entry script that prints at import", "print('at import')\ndef run(data): return data", post(b"x")
    ),
    case(
        "init with a default argument",
        "def init(context=None):\n    global c\n    c = context\ndef run(data): return c is None",
        post(b"x"),
    ),
    case(
        "a script that changes the working directory",
        "import os\ndef init(): os.chdir('src')\ndef run(data): return sorted(os.listdir('.'))",
        post(b"x"),
    ),
    case(
        "floats and locale",
        "import locale\ndef run(d): return [locale.localeconv()['decimal_point'], 0.1 + 0.2, 1e16, -0.0]",
        post(b"x"),
    ),
)
