"""A model's files are data: nothing in the container reads a format that runs what it holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import model_code

CODE = Path(model_code.__file__).parent
MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "pickle5",
    "cloudpickle",
    "dill",
    "joblib",
    "jsonpickle",
    "shelve",
    "marshal",
}
NAMES = {"eval", "exec", "compile", "__import__"}  # builtins; re.compile is another
ATTRIBUTES = {"import_module", "read_pickle", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all",
              "deserialize", "ForkingPickler"}  # fmt: skip
# A loader that is safe only when it is told to be, and the argument that tells it.
SAFE_WHEN = {"load": ("torch", "weights_only", True), "load_model": ("keras", "safe_mode", True)}


def pickle_capable(source: str, file: str) -> list[str]:
    """Where a source imports or calls what can run code out of a file, as `file:line: what`."""
    found = [(node.lineno, ast.unparse(node)) for node in ast.walk(ast.parse(source)) if _runs_code(node)]  # type: ignore[attr-defined]
    return [f"{file}:{line}: {text}" for line, text in sorted(set(found))]


def _runs_code(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return bool(set(_imported(node)) & (MODULES | ATTRIBUTES))
    if isinstance(node, ast.Name):
        return node.id in NAMES
    if isinstance(node, ast.Attribute):
        return node.attr in MODULES | ATTRIBUTES
    return isinstance(node, ast.Call) and _unsafe_call(node)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        yield from alias.name.split(".")
    if isinstance(node, ast.ImportFrom):
        yield from (node.module or "").split(".")


def _unsafe_call(call: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "allow_pickle" in given and not _is(given["allow_pickle"], False):
        return True
    function = ast.unparse(call.func)
    library, argument, safe = SAFE_WHEN.get(function.rpartition(".")[2], ("", "", None))
    return bool(library) and library in function.split(".") and not _is(given.get(argument), safe)


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("file", sorted(CODE.rglob("*.py")), ids=lambda file: file.name)
def test_nothing_in_the_container_can_load_a_pickle(file: Path) -> None:
    assert pickle_capable(file.read_text(), f"model_code/{file.relative_to(CODE)}") == [], (
        "a model is data of another trust zone: load it in a format that holds data alone, such as XGBoost's UBJSON, "
        "ONNX, safetensors or JSON"
    )


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "import joblib as harmless", "from joblib import load", "import sklearn.externals.joblib",
        "from pandas.io import pickle", "pandas.read_pickle(file)", "np.load(file, allow_pickle=True)",
        "np.load(file, allow_pickle=trusted)", "torch.load(file)", "torch.load(file, weights_only=False)",
        "tf.keras.models.load_model(file)", "polars.LazyFrame.deserialize(file)", "eval(text)", "run = exec",
        "__import__('pickle')", "importlib.import_module(name)", "yaml.unsafe_load(text)",
        "multiprocessing.reduction.ForkingPickler.loads(data)",
    ],
)  # fmt: skip
def test_a_way_to_run_code_out_of_a_file_is_found_with_its_place(line: str) -> None:
    (place, *_) = pickle_capable(f"x = 1\ndef load(file):\n    {line}\n", "model.py")
    assert place.startswith("model.py:3: ")


@pytest.mark.parametrize(
    "line",
    ["np.load(file)", "np.load(file, allow_pickle=False)", "torch.load(file, weights_only=True)", "re.compile(text)",
     "json.loads(text)", "xgboost.Booster(model_file=file)", "safetensors.torch.load_file(file)"],
)  # fmt: skip
def test_what_reads_data_alone_may_be_used(line: str) -> None:
    assert pickle_capable(line, "model.py") == []
