"""A module of the browser's, called under Node with numbers from a test."""

import json
import re
import subprocess
from pathlib import Path

from iwae_core.places import ASSETS

SCRIPT = """
import { readFileSync } from "node:fs";
const formulas = await import(process.argv[2]);
// JSON knows no infinity.
const plain = (key, value) => (value === -Infinity ? "-inf" : value === Infinity ? "inf" : value);
const arrays = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const answers = JSON.parse(readFileSync(0, "utf8")).map(([name, ...given]) =>
  formulas[name](...given.map((each) => (Array.isArray(each) ? Float64Array.from(each) : each))));
console.log(JSON.stringify(answers, (key, value) => plain(key, arrays(value))));
"""


def under_node(tmp_path, calls, module_name="weights"):
    """Call functions of a module: each call is a name and its arguments."""
    # Node takes a .js file for a module only by its package.
    (tmp_path / "package.json").write_text('{"type": "module"}')
    module = copy(f"{module_name}.js", tmp_path)
    (tmp_path / "run.mjs").write_text(SCRIPT)
    answer = subprocess.run(
        ["node", tmp_path / "run.mjs", module],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def copy(name: str, folder: Path) -> Path:
    """Copy a module and all that it imports into a folder; where the module lies then."""
    source = (ASSETS / "components" / name).read_text()
    for other in re.findall(r'from "\./([\w.]+)"', source):
        copy(other, folder)
    (folder / name).write_text(source)
    return folder / name
