#!/usr/bin/env python3
"""Checks Kubernetes manifests against the schemas of several versions, every field, and prints what is
wrong with them. Kinds that Kubernetes does not have itself are checked against schemas beside this project's
tests.

usage: check-manifests.py FOLDER MANIFEST...   FOLDER has KIND.schema.json for other kinds
"""
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

# The first that knows the sleep before a stop without being asked to, and the newest.
VERSIONS = ["1.30.0", "1.37.0"]


def faults(manifest, folder):
    schema = folder / f"{manifest.get('kind', '').lower()}.schema.json"
    if schema.exists():
        validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
        yield from (error.message for error in validator.iter_errors(manifest))
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError as error:
            yield error.message
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(map(str, error.path))}: {error.message} ({version})"


def main():
    folder, *paths = map(pathlib.Path, sys.argv[1:])
    found = [
        f"{path}: {fault}"
        for path in paths
        for manifest in yaml.safe_load_all(path.read_text())
        for fault in faults(manifest, folder)
    ]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
