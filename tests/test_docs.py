"""The documentation holds: commands parse, links lead somewhere, Python compiles and imports, lists are whole.

The slow tests run the marked blocks of each page on drawn faces.
"""

import ast
import configparser
import importlib
import re
import subprocess
import sys
import tomllib

import pytest
from pages import LINKED, PAGES, ROOT, anchors, code_spans, links, read_page

from fer_keras.config.config_file import config_from_mapping
from fer_keras.readers.spec import load_spec

LANGUAGES = {"bash", "python", "toml", "text"}
COMMANDS = sorted(
    path.stem for path in (ROOT / "fer_keras").glob("*.py") if "def build_parser" in path.read_text(encoding="utf-8")
)
#: Programs that pages name and that are not ours.
OTHERS = {"curl", "docker", "export", "git", "npm", "ruff", "tar"}
#: Flags of theirs, and pytest's and pip's.
OTHER_FLAGS = {"--editable", "--no-deps", "--strict"}
_FOLDERS = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def parser_of(command: str):
    return importlib.import_module(f"fer_keras.{command}").build_parser()


def setup() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def extras() -> set[str]:
    """The extras that install something."""
    return {name for name, packages in setup()["options.extras_require"].items() if packages.strip()}


@each_page
def test_fences_say_what_they_hold(path):
    for block in read_page(path)[0]:
        assert block.language in LANGUAGES, f"line {block.line}: {block.language!r}"


@each_page
def test_commands_can_be_given(path):
    for block in read_page(path)[0]:
        for words in block.commands() if block.language == "bash" else []:
            check_command([word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)], block.line)


def check_command(words: list[str], line: int) -> None:
    module = words[2] if words[:2] == ["python", "-m"] else ""
    if module.startswith("fer_keras."):
        parser_of(module.removeprefix("fer_keras.")).parse_args(words[3:])
    elif words[0] == "python" and words[1].endswith(".py"):
        script = (ROOT / words[1]).read_text(encoding="utf-8")
        flags = [word for word in words if word.startswith("--")]
        assert all(f'"{flag}"' in script for flag in flags), f"line {line}: {words[1]} has not all of {flags}"
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"line {line}: {words[1]}"
    elif words[:2] == ["pip", "install"]:
        check_installation(words[2:], line)
    else:
        assert module in ("pytest", "http.server") or words[0] in OTHERS, (
            f"line {line}: a program that no test knows: {words[0]}"
        )


def check_installation(words: list[str], line: int) -> None:
    asked = {name for word in words for name in re.findall(r"\.\[([\w,]+)\]", word)}
    missing = {name for names in asked for name in names.split(",")} - extras()
    assert not missing, f"line {line}: setup.cfg has no extra {missing}"
    for flag, file in zip(words, words[1:], strict=False):
        assert flag != "-r" or (ROOT / file).is_file(), f"line {line}: no {file}"


@each_page
def test_prose_names_files_commands_and_flags_that_exist(path):
    flags = {flag for name in COMMANDS for action in parser_of(name)._actions for flag in action.option_strings}
    for span in code_spans(read_page(path)[1]):
        words = span.split()
        if words[0].startswith(_FOLDERS) and not words[0].startswith("runs/"):
            assert (ROOT / words[0]).exists(), f"no {words[0]}"
        if words[0] == "python" and "--help" not in words:
            check_command(words, 0)
        else:
            unknown = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", span)) - flags - OTHER_FLAGS
            assert not unknown, f"no command has {unknown}"


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    for target in links(read_page(path)[1]):
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), f"no {target}"
        assert not anchor or anchor in anchors(there), f"{there.name} has no heading {anchor}"


@each_page
def test_python_compiles_and_imports_what_there_is(path):
    for block in read_page(path)[0]:
        if block.language == "python":
            tree = ast.parse(block.text)
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fer_keras"):
                    module = importlib.import_module(node.module)
                    missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                    assert not missing, f"line {block.line}: {node.module} has no {missing}"


def test_the_installation_for_jax_names_all_that_training_needs():
    needed = set(re.findall(r"^([a-z0-9-]+)", setup()["options"]["install_requires"], re.MULTILINE))
    needed -= {"tensorflow", "tensorboard", "onnx", "onnxruntime", "tf2onnx"}
    blocks = read_page(ROOT / "docs/scale-out.md")[0]
    named = [words[2:] for block in blocks for words in block.commands() if words[:3] == ["pip", "install", "keras"]]
    assert set(named[0]) >= needed | {"jax"}


@each_page
def test_toml_is_a_configuration_or_a_data_spec(path, tmp_path):
    for block in read_page(path)[0]:
        if block.language == "toml" and "spec" in block.marks:
            (tmp_path / "spec.toml").write_text(block.text)
            load_spec(tmp_path / "spec.toml")
        elif block.language == "toml":
            config_from_mapping(tomllib.loads(block.text))


def tables() -> dict[str, tuple[str, set[str]]]:
    """What a page's list is called -> the page, and all that must be in it."""
    from fer_keras import __all__
    from fer_keras.faces.detectors import DETECTORS
    from fer_keras.formats import FORMATS
    from fer_keras.metrics.metric_table import METRICS
    from fer_keras.models.backbones import BACKBONES
    from fer_keras.readers.spec import spec_names
    from fer_keras.recipes import recipe_names

    return {
        "backbones": ("docs/train.md", set(BACKBONES) - {"tiny"}),  # that of `tiny_run` is the tests' own
        "data specs": ("docs/your-data.md", set(spec_names())),
        "detectors": ("docs/read-faces.md", set(DETECTORS)),
        "extras": ("docs/index.md", extras()),
        "formats": ("docs/export.md", set(FORMATS)),
        "metrics": ("docs/evaluate-and-compare.md", set(METRICS)),
        "names": ("docs/api.md", set(__all__) - {"__version__"}),
        "recipes": ("docs/recipes.md", set(recipe_names())),
    }


@pytest.mark.parametrize(
    "what", ["backbones", "data specs", "detectors", "extras", "formats", "metrics", "names", "recipes"]
)
def test_lists_are_whole(what):
    page, names = tables()[what]
    spans = set(code_spans(read_page(ROOT / page)[1]))
    assert names <= spans, f"{page} does not name {sorted(names - spans)}"


def test_the_reference_names_what_there_is():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for name, members in re.findall(r"^::: (\S+)(?:\n    options:\n      members: \[(.*)\])?", page, re.MULTILINE):
        module, _, last = name.rpartition(".")
        path = ROOT / name.replace(".", "/")
        if path.with_suffix(".py").is_file() or path.is_dir():
            module, wanted = name, [member.strip() for member in members.split(",") if member]
        else:
            wanted = [last]
        missing = [wish for wish in wanted if wish not in defined(module)]
        assert not missing, f"{module} defines no {missing}"


def defined(module: str) -> set[str]:
    """Return the names that a module's source defines at its top level."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_site_builds_strictly(tmp_path):
    pytest.importorskip("mkdocstrings", reason="needs the extra 'docs'")
    pytest.importorskip("material", reason="needs the extra 'docs'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for page in (tmp_path / "site").rglob("*.html"):
        found = re.findall(r'(?:src|rel="stylesheet" href)="https?://[^"]+', page.read_text(encoding="utf-8"))
        assert not found, f"{page.name} loads {found} from elsewhere"
