"""References to files, modules and names of this repository, found and checked without importing anything.

They are looked for in every line of a document, and in the docstrings and comments of a Python file. A name
is looked up in the syntax tree of its module.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

PACKAGES = ("router_core", "tasks", "workers", "waybill", "tests")
FOLDERS = (*PACKAGES, "docs", "deploy")

_START = r"(?<![\w./:@$~-])"
_PATH = re.compile(
    rf"{_START}(?:(?:{'|'.join(FOLDERS)})/[\w./@*-]*"  # anything below a folder of the repository
    r"|(?:\.\./)?(?:[\w@*-][\w.@*-]*/)*[\w@*-][\w.@*-]*\.(?:py|md|lua)\b)"  # or any file of these kinds
)
#: `waybill.` also begins names that are no module's: files, Celery's task names.
_DOTTED = re.compile(
    rf"{_START}(?:(?:router_core|tasks|workers|tests)\.|waybill\.(?=[A-Z]))\w+(?:\.\w+)*(?![\w/-])"
)
_IN_BACKTICKS = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?![\w./-])")
#: Files that commands write, a key of the manifest, a fixture's attribute, a Kubernetes label, a method of
#: OpenAI's client: none of them of the repository.
_OTHERS = frozenset(
    {
        "evaluation.md",
        "report.md",
        "training.fallback",
        "client.reset",
        "waybill/role",
        "chat.completions.create",
    }
)
#: What stands before a dot in backticks and is none of ours either: others' modules and classes, JSON keys.
_OTHERS_FIRST = sys.stdlib_module_names | {"np", "numpy", "litellm", "SentenceTransformer", "ChatOpenAI"}
_OTHERS_FIRST |= {"body", "decision", "llama", "self"}
_FILE_ENDINGS = frozenset(
    {"acl", "conf", "csv", "db", "gz", "hashes", "html", "json", "jsonl", "lock", "log", "lua", "md", "npz"}
    | {"parquet", "png", "py", "sh", "svg", "toml", "txt", "yaml", "yml"}
)
_BASES_WITHOUT_ATTRIBUTES = frozenset({"object", "Protocol", "Exception", "Enum", "IntEnum", "StrEnum"})


@dataclass(frozen=True)
class Reference:
    """A reference and where it stands."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Repository:
    """The files of a checkout, its modules and the names that these bind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = frozenset(_files_below(root))
        folders = {parent.as_posix() for file in self.files for parent in Path(file).parents}
        self._paths = self.files | folders - {"."}
        self._names: dict[str, dict[str, ast.stmt]] = {}

    def dangling(self, path: str) -> list[Reference]:
        """Return the references in a file that name nothing, line by line."""
        text = (self.root / path).read_text()
        lines = _prose(text) if path.endswith(".py") else enumerate(text.splitlines(), 1)
        found = ((number, name) for number, line in lines for name in dict.fromkeys(self._wrong(path, line)))
        return [Reference(path, number, name) for number, name in found]

    def _wrong(self, path: str, line: str) -> Iterator[str]:
        for match in _PATH.finditer(line):
            text = match[0].rstrip("./")
            if line[match.end() : match.end() + 1] in ("…", "<", "{"):  # a placeholder follows
                text = os.path.dirname(text)
            if text and text not in _OTHERS and not self._has_path(text, os.path.dirname(path)):
                yield text
        dotted = [match[0] for match in _DOTTED.finditer(line) if not _is_file(match[0])]
        yield from (name for name in dotted if not self._has_name(name))
        short = [match[1] for match in _IN_BACKTICKS.finditer(line) if not _is_file(match[1])]
        yield from (name for name in short if name not in dotted and not self._has_short_name(name))

    def _has_path(self, text: str, folder: str) -> bool:
        """Return whether the path exists from the root or the folder, or another path ends with it."""
        path, beside = os.path.normpath(text), os.path.normpath(os.path.join(folder, text))
        if "*" in path:
            return any(fnmatch(known, path) for known in self._paths)
        return bool({path, beside} & self._paths) or any(known.endswith(f"/{path}") for known in self._paths)

    def _has_name(self, dotted: str) -> bool:
        """Return whether a dotted name from the root names a module, or something that a module binds."""
        parts = dotted.split(".")
        ends = (end for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in self._modules)
        end = next(ends, 0)
        return end > 0 and self._binds(".".join(parts[:end]), parts[end:])

    def _has_short_name(self, dotted: str) -> bool:
        """Return whether `Repository.files` or the like exists, a module's name or a class's attribute."""
        first, *rest = dotted.split(".")
        if first in PACKAGES or first in _OTHERS_FIRST or dotted in _OTHERS:
            return True
        modules, owners = self._modules_by_last_part.get(first, []), self._classes.get(first, [])
        return any(self._has_name(".".join((module, *rest))) for module in modules) or any(
            self._has_attribute(owner, rest[0]) for owner in owners
        )

    def _binds(self, module: str, parts: list[str]) -> bool:
        """Return whether a module binds `parts[0]` and, where that is a class, the class has `parts[1]`."""
        if not parts:
            return True
        node = self._names_of(module).get(parts[0])
        if isinstance(node, ast.ClassDef) and len(parts) > 1:
            return self._has_attribute(node, parts[1])
        return node is not None

    def _has_attribute(self, node: ast.ClassDef, name: str) -> bool:
        """Return whether a class or a base of it has the attribute; a base from elsewhere may have any."""
        if name in _bound_names(node.body) or name in _set_on_self(node):
            return True
        bases = {ast.unparse(base).partition("[")[0] for base in node.bases} - _BASES_WITHOUT_ATTRIBUTES
        known = [owner for base in bases for owner in self._classes.get(base, [])]
        return not bases <= self._classes.keys() or any(self._has_attribute(owner, name) for owner in known)

    def _names_of(self, module: str) -> dict[str, ast.stmt]:
        if module not in self._names:
            path = self._modules[module]
            self._names[module] = _bound_names(ast.parse((self.root / path).read_text()).body) if path else {}
        return self._names[module]

    @cached_property
    def _modules(self) -> dict[str, str]:
        """The path of each module by its dotted name; "" for a folder without `__init__.py`."""
        found: dict[str, str] = {}
        for file in sorted(self.files):
            if file.endswith(".py") and file.startswith(tuple(f"{package}/" for package in PACKAGES)):
                parts = file.removesuffix(".py").removesuffix("/__init__").split("/")
                found |= {".".join(parts[:end]): "" for end in range(1, len(parts))} | found
                found[".".join(parts)] = file
        return found

    @cached_property
    def _modules_by_last_part(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for module in self._modules:
            found[module.rpartition(".")[2]].append(module)
        return found

    @cached_property
    def _classes(self) -> dict[str, list[ast.ClassDef]]:
        found: dict[str, list[ast.ClassDef]] = defaultdict(list)
        nodes = (node for module in self._modules for node in self._names_of(module).values())
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(node)
        return dict(found)


def _is_file(dotted: str) -> bool:
    return dotted.rpartition(".")[2] in _FILE_ENDINGS


def _prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a Python file's docstrings and comments with their numbers."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Module(body=[first, *_]) | ast.ClassDef(body=[first, *_]):
                pass
            case ast.FunctionDef(body=[first, *_]) | ast.AsyncFunctionDef(body=[first, *_]):
                pass
            case _:
                continue
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            yield from enumerate(str(first.value.value).splitlines(), first.lineno)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from ((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


def _bound_names(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """Return what these statements bind, by name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = node
            case ast.Assign(targets=targets):
                inner = [part for target in targets for part in ast.walk(target)]
                found |= {part.id: node for part in inner if isinstance(part, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found |= {alias.asname or alias.name.partition(".")[0]: node for alias in aliases}
            case ast.If(body=inside, orelse=otherwise) | ast.Try(body=inside, orelse=otherwise):
                found |= _bound_names([*inside, *otherwise])
    return found


def _set_on_self(node: ast.ClassDef) -> set[str]:
    targets = (n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return {t.attr for t in targets if isinstance(t.value, ast.Name) and t.value.id == "self"}


def _files_below(root: Path) -> Iterator[str]:
    yield from (path.name for path in root.iterdir() if path.is_file())
    for folder in FOLDERS:
        for parent, folders, files in os.walk(root / folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (Path(parent, file).relative_to(root).as_posix() for file in files)
