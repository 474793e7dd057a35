"""A module of the browser's, called under Node with numbers from a test."""

import json
import subprocess

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
    # Node takes a .js file for a module only by its package; a copy named .mjs is one by itself.
    module = tmp_path / "module.mjs"
    module.write_text((ASSETS / "components" / f"{module_name}.js").read_text())
    (tmp_path / "run.mjs").write_text(SCRIPT)
    answer = subprocess.run(
        ["node", tmp_path / "run.mjs", module],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)
