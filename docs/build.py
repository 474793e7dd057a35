"""Write a Markdown page for each module of iwae_core, from its docstrings, and an index.

    python docs/build.py

The pages are committed; tests/test_docs.py holds them to a fresh build. Sources are read, never
imported: no page depends on what is installed.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent
SOURCE = DOCS.parent / "iwae_core"
PAGES = DOCS / "modules"

# In the order in which to read them; each layer imports only from those above it.
LAYERS = (
    ("rng", "seeds and streams"),
    ("counts", "whole numbers and shapes are checked in one place"),
    ("names", "unknown names are refused with the nearest known one"),
    ("sampling", "up to `log_w`: densities, problems with exact answers, estimators, weights"),
    ("datasets", "data behind one registry"),
    ("bounds", "from `log_w` to a number and its gradient"),
    ("models", "what draws `log_w`: exact oracles and networks"),
    ("evaluation", "what a trained model is worth"),
    ("training", "a run as a value: configuration, state, the pure step between states"),
    ("runtime", "slices of runs on worker processes"),
    ("view", "reports in, figures out"),
    ("ui", "what pages are made of; the only layer that knows streamlit"),
    ("cli", "the command `iwae-lab`"),
)

INDEX = """\
# iwae_core, module by module

Written by `docs/build.py` from the docstrings; edit those, then run `python docs/build.py`.
[example.ipynb](example.ipynb) shows the package at work in ten cells.

## How to read it

One tensor explains it all: `log_w[k, b] = log p(x_b, z_k) - log q(z_k | x_b)`, shape `(K, *B)`, in
nats, axis 0 always the K samples. `sampling` ends with it, `bounds` begins with it, `models` draw
it, `evaluation` reads it, `training` makes it better. Start with
[sampling.weights](modules/sampling.weights.md) and
[bounds.objectives](modules/bounds.objectives.md): three hundred lines, and most of the idea.

- Shapes: `K` samples, `B` datapoints, `D` numbers a datapoint, `d` latent coordinates; `*` is any
  number of axes. Every `log_` value is in nats.
- Randomness is an argument: whatever draws takes a `torch.Generator`
  ([rng](modules/rng.md)), and nothing has a default seed.
- Inputs end in `Config`, outputs in `Report`; both are frozen. Reports hold NumPy arrays.
- Misuse raises `ValueError` with the rule, what was given and the likely cause. Poor luck does
  not: it is in the result, as `ess` and `k_hat`.
- Objectives are called at every training step and do not search their input for NaN; a run looks
  at what they return. Everything else refuses NaN.

## Modules, lowest layer first
"""

_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Reference")
_SECTION = re.compile(rf"^({'|'.join(_SECTIONS)}):\s*$")
_ENTRY = re.compile(r"^([*\w]+(?:, [*\w]+)*): (.*)$", re.DOTALL)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def build() -> dict[Path, str]:
    """Every page and the index: path below docs/ to text."""
    modules = {name: ast.parse(path.read_text("utf-8")) for name, path in sources()}
    pages = {Path("modules", f"{name}.md"): page(name, path, modules) for name, path in sources()}
    return pages | {Path("README.md"): index(modules)}


def sources() -> Iterator[tuple[str, Path]]:
    """Dotted names below iwae_core and their files; the root package itself has no page."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and not any(part.startswith("_") for part in parts):
            yield ".".join(parts), path


def index(modules: dict[str, ast.Module]) -> str:
    """The entry page."""
    lines = [INDEX]
    named = {name for name, _ in LAYERS}
    rest = sorted({name.split(".")[0] for name in modules} - named)
    for layer, what in (*LAYERS, *((name, "") for name in rest)):
        lines.append(f"\n**{layer}**" + (f" - {what}\n" if what else "\n"))
        lines += [
            f"- [{name}](modules/{name}.md): {first_line(tree)}"
            for name, tree in modules.items()
            if name.split(".")[0] == layer
        ]
    return "\n".join(lines) + "\n"


def first_line(tree: ast.Module) -> str:
    """What the module says of itself in one sentence."""
    return inline((ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " "))


def page(name: str, path: Path, modules: dict[str, ast.Module]) -> str:
    """One module's page."""
    tree, lines = modules[name], path.read_text("utf-8").splitlines()
    parts = [f"# iwae_core.{name}", prose(ast.get_docstring(tree) or "")]
    below = [other for other in modules if other.rpartition(".")[0] == name]
    if below:
        links = [f"- [{other}]({other}.md): {first_line(modules[other])}" for other in below]
        parts.append("\n".join(links))
    if exported := exports(tree):
        parts.append("Exports " + ", ".join(f"`{other}`" for other in exported) + ".")
    following = [*tree.body[1:], None]
    for node, after in zip(tree.body, following, strict=True):
        if isinstance(node, Definition) and not (node.name.startswith("_") or is_overload(node)):
            parts += definition(node, lines, level=2)
        elif text := documented_value(node, after):
            parts += text
    return "\n\n".join(part for part in parts if part) + "\n"


def is_overload(node: Definition) -> bool:
    """Whether this only tells the type checker what the definition below it takes."""
    return any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)


def exports(tree: ast.Module) -> list[str]:
    """Names in ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def documented_value(node: ast.stmt, after: ast.stmt | None) -> list[str]:
    """A module's value with a docstring below it."""
    if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
        return []
    if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
        return []
    name, text = node.targets[0].id, after.value.value
    if name.startswith("_") or not isinstance(text, str):
        return []
    return [f"## {name}", prose(inspect.cleandoc(text))]


def definition(node: Definition, lines: Sequence[str], level: int) -> list[str]:
    """Heading, signature, docstring; for a class its fields and public methods too."""
    kind = "class " if isinstance(node, ast.ClassDef) else ""
    parts = [f"{'#' * level} {kind}{node.name}", fenced(signature(node, lines))]
    parts.append(prose(ast.get_docstring(node) or ""))
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            is_function = isinstance(member, ast.FunctionDef)
            if is_function and (not member.name.startswith("_") or member.name == "__call__"):
                parts += definition(member, lines, level + 1)
    return parts


def signature(node: Definition, lines: Sequence[str]) -> str:
    """The head of a definition as its source has it; of a class also its fields."""
    decorators = [f"@{ast.unparse(decorator)}" for decorator in node.decorator_list]
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        head = f"class {node.name}({bases})" if bases else f"class {node.name}"
        fields = [
            line
            for member in node.body
            if isinstance(member, ast.AnnAssign) and not ast.unparse(member.target).startswith("_")
            for line in lines[member.lineno - 1 : member.end_lineno]
        ]
        fields = ["    " + line for line in textwrap.dedent("\n".join(fields)).splitlines()]
        return "\n".join([*decorators, head + (":" if fields else ""), *fields])
    header = "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
    header = textwrap.dedent(header).rstrip().removesuffix("...").rstrip().removesuffix(":")
    return "\n".join([*decorators, header.removeprefix("def ")])


def prose(docstring: str) -> str:
    """A docstring as Markdown."""
    blocks: list[str] = []
    section: list[str] = []
    for line in [*docstring.splitlines(), "end"]:
        if section and line and not line.startswith(" "):
            blocks.append(section_of(section))
            section = []
        if _SECTION.match(line):
            section = [line]
        elif section:
            section.append(line)
        else:
            blocks.append(line)
    return body("\n".join(blocks[:-1]))


def section_of(lines: list[str]) -> str:
    """One section, ``Args:`` and the like, as a heading and its entries."""
    title = lines[0].strip().removesuffix(":")
    text = textwrap.dedent("\n".join(lines[1:])).strip()
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif _ENTRY.match(line) and title in ("Args", "Attributes", "Raises"):
            entries.append(line.strip())
        elif entries and line:
            entries[-1] += " " + line.strip()
        elif line:
            entries.append(line.strip())
    if title not in ("Args", "Attributes", "Raises"):
        return f"\n**{title}.** {' '.join(text.split())}\n"
    items = [re.sub(_ENTRY, r"- `\1`: \2", entry) for entry in entries]
    return "\n**" + title + "**\n\n" + "\n".join(items) + "\n"


def body(text: str) -> str:
    """Paragraphs, formulas and examples."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith(">>>"):
            parts.append(fenced(block))
        elif block.startswith(".. math::"):
            formula = " ".join(block.removeprefix(".. math::").split())
            parts.append(f"$$\n{formula}\n$$")
        elif block.startswith("    "):
            parts.append(fenced(textwrap.dedent(block), "text"))
        else:
            parts.append(inline(block))
    return "\n\n".join(part for part in parts if part.strip())


def inline(text: str) -> str:
    """Roles and literals of the docstrings in Markdown."""
    text = re.sub(r":math:`([^`]*)`", lambda match: f"${match[1]}$", text)
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text)
    return text.replace("``", "`")


def fenced(text: str, language: str = "python") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def main() -> None:
    """Write what has changed and drop the pages of modules that are gone."""
    pages = build()
    PAGES.mkdir(exist_ok=True)
    for old in PAGES.glob("*.md"):
        if old.relative_to(DOCS) not in pages:
            old.unlink()
    for path, text in pages.items():
        (DOCS / path).write_text(text, encoding="utf-8")
    print(f"{len(pages)} pages in {DOCS.name}/")


if __name__ == "__main__":
    main()
