"""Reads YAML files and prints their documents as one JSON array, each held to what the API of Kubernetes has.

The schema is strict: a field that it does not know is an error. It knows what the examples use, under the names, types
and rules of the API's reference; whoever uses more in an example enters it here.
"""

import json
import sys

import jsonschema
import yaml


def record(required=(), **fields):
    """An object that has these fields and no others."""
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


def several(item, **rules):
    return {"type": "array", "items": item, **rules}


TEXT = {"type": "string"}
TRUTH = {"type": "boolean"}
NUMBER = {"type": "integer", "minimum": 0}
POSITIVE = {"type": "integer", "minimum": 1}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
QUANTITY = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
METADATA = record(["name"], name=NAME, labels=TEXTS)

EXEC = record(["command"], command=several(TEXT, minItems=1))
PROBE = record(
    ["exec"],
    exec=EXEC,
    initialDelaySeconds=NUMBER,
    periodSeconds=POSITIVE,
    timeoutSeconds=POSITIVE,
    failureThreshold=POSITIVE,
)
CONTAINER = record(
    ["name", "image"],
    name=NAME,
    image=TEXT,
    command=several(TEXT),
    args=several(TEXT),
    ports=several(record(["containerPort"], name=NAME, containerPort=PORT)),
    env=several(record(["name"], name=TEXT, value=TEXT)),
    securityContext=record(
        allowPrivilegeEscalation=TRUTH,
        readOnlyRootFilesystem=TRUTH,
        capabilities=record(add=several(TEXT), drop=several(TEXT)),
    ),
    resources=record(requests=QUANTITIES, limits=QUANTITIES),
    startupProbe=PROBE,
    readinessProbe=PROBE,
    livenessProbe=PROBE,
    lifecycle=record(preStop=record(["exec"], exec=EXEC)),
    volumeMounts=several(
        record(["name", "mountPath"], name=NAME, mountPath=TEXT, subPath=TEXT, readOnly=TRUTH)
    ),
)
VOLUME = record(
    ["name"],
    name=NAME,
    emptyDir=record(medium={"enum": ["", "Memory"]}, sizeLimit=QUANTITY),
    configMap=record(["name"], name=NAME),
)
POD = record(
    ["containers"],
    shareProcessNamespace=TRUTH,
    terminationGracePeriodSeconds=NUMBER,
    securityContext=record(
        runAsNonRoot=TRUTH,
        runAsUser=NUMBER,
        runAsGroup=NUMBER,
        seccompProfile=record(["type"], type={"enum": ["RuntimeDefault", "Localhost", "Unconfined"]}),
    ),
    containers=several(CONTAINER, minItems=1),
    volumes=several(VOLUME),
)
TEMPLATE = record(["metadata", "spec"], metadata=record(["labels"], labels=TEXTS), spec=POD)
DEPLOYMENT = record(
    ["selector", "template"], replicas=NUMBER, selector=record(["matchLabels"], matchLabels=TEXTS), template=TEMPLATE
)


def whole(version, kind, **rest):
    names = {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": METADATA, **rest}
    return record(names, **names)


KINDS = {
    "ConfigMap": whole("v1", "ConfigMap", data=TEXTS),
    "Pod": whole("v1", "Pod", spec=POD),
    "Deployment": whole("apps/v1", "Deployment", spec=DEPLOYMENT),
}

documents = [document for path in sys.argv[1:] for document in yaml.safe_load_all(open(path, encoding="utf-8"))]
for document in documents:
    if "kind" in document:
        jsonschema.validate(document, KINDS[document["kind"]])
print(json.dumps(documents))
