"""Prints a template as GitLab makes a CI file of it: `python3 interpolate.py TEMPLATE <INPUTS`.

The inputs are YAML. GitLab puts them in as text, before it reads the file as YAML, and reads that with libyaml. gitlab-ci-local
does neither.
"""

import json
import re
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as template:
    header, body = template.read().split("\n---\n", 1)
spec = yaml.load(header, yaml.CSafeLoader)["spec"]["inputs"]
given = yaml.load(sys.stdin, yaml.CSafeLoader) or {}
unknown = given.keys() - spec.keys()
if unknown:
    sys.exit(f"there are no such inputs: {unknown}")


def text(match):
    name = match[1]
    value = given.get(name, spec[name].get("default"))
    if value is None:
        sys.exit(f"{name} has no default, and is not given")
    return value if isinstance(value, str) else json.dumps(value)


body = re.sub(r"\$\[\[ inputs\.([a-z0-9-]+) ]]", text, body)
yaml.safe_dump(yaml.load(body, yaml.CSafeLoader), sys.stdout, sort_keys=False, width=10_000)
