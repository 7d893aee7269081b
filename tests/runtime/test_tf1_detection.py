"""Which scripts were written for TensorFlow 1, as their files tell, and where TensorFlow 2 is."""

import re
import sys
from pathlib import Path

import pytest
from tests.runtime.server_process import StartServer

from gpu_inference_script.stand_ins import tf1_detection
from gpu_inference_script.stand_ins.tf1_detection import find_version_1_use, has_version_2

OF_VERSION_1 = {
    "import tensorflow as tf\ntf.Session()": "tensorflow.Session",
    "import tensorflow\nx = tensorflow.placeholder(tensorflow.float32)": "tensorflow.placeholder",
    "import tensorflow as tf\ndef init():\n    tf.reset_default_graph()": "tensorflow.reset_default_graph",
    "import tensorflow as tf\ns = tf.train.import_meta_graph('x')": "tensorflow.train.import_meta_graph",
    "def run(d):\n    import tensorflow as t\n    t.get_default_graph()": "tensorflow.get_default_graph",
    "import tensorflow as tf\nf = tf.global_variables_initializer": "tensorflow.global_variables_initializer",
    "import tensorflow as tf\ntf.contrib.layers.flatten": "tensorflow.contrib.layers.flatten",
    "import tensorflow.contrib.slim as slim": "tensorflow.contrib.slim",
    "from tensorflow.contrib import learn": "tensorflow.contrib.learn",
    "from tensorflow import Session as S": "tensorflow.Session",
    "from tensorflow import train\ntrain.Saver()": "tensorflow.train.Saver",
    "import tensorflow.train as t\nt.Saver()": "tensorflow.train.Saver",
    "from tensorflow.train import Saver": "tensorflow.train.Saver",
    "import tensorflow.keras\ntensorflow.Session()": "tensorflow.Session",
    "import tensorflow as tf\ntf.saved_model.loader.load": "tensorflow.saved_model.loader.load",
    # It says which version it has, and does the same with each.
    "import tensorflow as tf\nprint(tf.__version__)\ntf.Session()": "tensorflow.Session",
    # TensorFlow 2 has no Session however the script sets it up.
    "import tensorflow as tf\ntf.compat.v1.disable_eager_execution()\ntf.Session()": "tensorflow.Session",
}
OF_NONE = [
    "",
    "import numpy as tf\ntf.Session()",
    "tf.Session()",
    "# import tensorflow as tf; tf.Session()",
    "import tensorflow as tf\ntf.keras.models.load_model\ntf.saved_model.load('y')\ntf.train.Checkpoint",
    "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\ntf.Session()",
    "from tensorflow.compat import v1 as tf\ntf.Session()",
    "import tensorflow as tf\ntf.compat.v1.Session()\ntf.compat.v1.train.Saver()",
    "import tensorflow as tf\ntf = tf.compat.v1\ntf.Session()",
    "try:\n import tensorflow.compat.v1 as tf\nexcept ImportError:\n import tensorflow as tf\ntf.Session()",
    "import tensorflow as tf\nif tf.__version__ < '2':\n S = tf.Session\nelse:\n S = tf.compat.v1.Session",
    "import tensorflow as tf\nS = tf.Session if hasattr(tf, 'Session') else tf.compat.v1.Session",
    "import tensorflow as tf\nif int(tf.version.VERSION.split('.')[0]) < 2: tf.Session()",
    "from .tensorflow import Session",
    "import tensorflow as tf\ntf.Session(",
    "import tensorflow as tf\n\0tf.Session()",
]


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_names_that_only_version_1_has_are_found(tmp_path: Path) -> None:
    for text, name in OF_VERSION_1.items():
        written(tmp_path, {"score": text})
        assert find_version_1_use(tmp_path, "score.py", None) == f"score.py ({name})", text


def test_scripts_for_version_2_or_for_both_are_let_alone(tmp_path: Path) -> None:
    for text in OF_NONE:
        written(tmp_path, {"score": text})
        assert find_version_1_use(tmp_path, "score.py", None) is None, text


MODULE = "import tensorflow as tf\ntf.Session()"
BESIDE = [
    {"src/score": "import net", "src/net": MODULE},
    {"src/score": "import net", "net": MODULE},
    {"src/score": "from pkg.net import load", "src/pkg/net": MODULE},
    {"src/score": "from pkg import net", "src/pkg/net": MODULE},
    {"src/score": "import pkg", "src/pkg/__init__": "from .net import load", "src/pkg/net": MODULE},
    {"src/score": "import pkg", "src/pkg/__init__": "from . import net", "src/pkg/net": MODULE},
    {"src/score": "import a.b.c", "src/a/b/c": "from ...net import x", "src/net": MODULE},
    {
        "src/score": "import one",
        "src/one": "import other",
        "src/other": "import one, net",
        "src/net": MODULE,
    },
    {"src/score": "def run(d):\n    import lazy", "lib/lazy": MODULE},
]


def test_modules_that_the_script_imports_count_too(tmp_path: Path) -> None:
    for number, files in enumerate(BESIDE):
        folder = written(tmp_path / str(number), files)
        found = find_version_1_use(folder, "src/score.py", "lib")
        assert found is not None, files
        assert found.endswith("(tensorflow.Session)")


def test_modules_that_nothing_imports_do_not_count(tmp_path: Path) -> None:
    folder = written(tmp_path, {"src/score": "import json", "src/train": MODULE})
    assert find_version_1_use(folder, "src/score.py", "src") is None


def exported(file: Path) -> set[str]:
    """Return the names that a module of TensorFlow's API has, by its text: it takes seconds to import."""
    text = file.read_text()
    return set(re.findall(r"^from .* import (?:\w+ as )?(\w+)(?: #.*)?$", text, re.MULTILINE))


def test_no_name_is_one_of_version_2_too() -> None:
    import importlib.util

    spec = importlib.util.find_spec("tensorflow")
    assert spec is not None
    assert spec.origin is not None
    api = Path(spec.origin).parent / "_api" / "v2"
    assert {"function", "constant"} <= exported(api / "v2.py")
    assert not tf1_detection._ONLY_IN_1 & exported(api / "v2.py")
    for part, names in tf1_detection._ONLY_IN_1_BELOW.items():
        assert len(exported(api / part / "__init__.py")) > 3
        assert not names & exported(api / part / "__init__.py")


@pytest.mark.parametrize(
    ("files", "has"),
    [
        ([], False),
        (["tensorflow-2.0.0.dist-info/METADATA"], True),
        (["tensorflow_gpu-2.4.1.dist-info/METADATA"], True),
        (["tensorflow-1.15.0.dist-info/METADATA"], False),
        (["tensorflow-1.15.0.dist-info/METADATA", "tensorflow/_api/v2/compat/v1/__init__.py"], False),
        (["tensorflow_estimator-2.0.0.dist-info/METADATA"], False),
        (["tf_nightly-2.22.0.dist-info/METADATA", "tensorflow/_api/v2/compat/v1/__init__.py"], True),
    ],
)
def test_the_version_is_told_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], has: bool
) -> None:
    for name in ["tensorflow/__init__.py", *files]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise AssertionError('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert has_version_2() is has


def test_without_tensorflow_there_is_no_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert not has_version_2()


SCRIPT = """
import sys
sys.modules["sklearn"] = None
import tensorflow as tf
def init():
    global session, doubled, given
    tf.reset_default_graph()
    given = tf.placeholder(tf.float32, [None])
    doubled = given * 2
    session = tf.Session()
def run(data):
    return session.run(doubled, {given: [float(data)]}).tolist()
"""


def test_a_version_1_script_needs_no_setting_and_the_log_says_so(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, TF_CPP_MIN_LOG_LEVEL="3")
    server.wait_ready()
    assert server.score("21").json() == [42.0]
    assert (
        "Stand-in: tensorflow is tensorflow.compat.v1, since score.py (tensorflow.reset_default_graph) uses"
        " TensorFlow 1's API (GPU_INFERENCE_TENSORFLOW_V1=false turns that off)"
    ) in server.log


def test_the_setting_turns_that_off(start_server: StartServer) -> None:
    server = start_server(SCRIPT, TF_CPP_MIN_LOG_LEVEL="3", GPU_INFERENCE_TENSORFLOW_V1="false")
    assert server.wait_for_exit() == 3
    assert "module 'tensorflow' has no attribute 'reset_default_graph'" in server.log
    assert "Stand-in: tensorflow is" not in server.log
