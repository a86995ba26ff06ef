"""Reads YAML files and prints their documents as one JSON array.

What is meant for Kubernetes is held to the schemas of its API, in the oldest and the youngest version that there are
schemas of. They are strict: a field that the API does not know is an error. After --youngest only that version counts.
"""

import json
import sys

import yaml
from kubernetes_validate import utils

versions = utils.all_versions()
paths = sys.argv[1:]
if paths[0] == "--youngest":
    versions = versions[-1:]
    paths = paths[1:]
documents = [document for path in paths for document in yaml.safe_load_all(open(path, encoding="utf-8"))]
for document in documents:
    if "kind" in document:
        for version in (versions[0], versions[-1]):
            utils.validate(document, version, strict=True)
print(json.dumps(documents))
