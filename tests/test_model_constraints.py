"""Every constraint of the service's model, taken from botocore's copy of it and broken one at a time.

botocore checks some of them itself, so the requests go out as plain HTTP. An operation that the server says it does not
have is left out here; that it says so is tested elsewhere.
"""
import gzip
import json
import pathlib
import urllib.error
import urllib.request

import botocore
import pytest

FOLDER = pathlib.Path(botocore.__file__).parent / "data/stepfunctions/2016-11-23"
# No text may be made longer than this: the request would be too large before its members are looked at.
TEXT_CHARS_MAX = 1_048_576


def model():
    packed = FOLDER / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (FOLDER / "service-2.json").read_bytes()
    return json.loads(text)


MODEL = model()
SHAPES = MODEL["shapes"]


def call(server, operation, body):
    request = urllib.request.Request(server.endpoint, data=json.dumps(body).encode(), headers={
        "X-Amz-Target": f"AWSStepFunctions.{operation}", "Content-Type": "application/x-amz-json-1.0"})
    try:
        with urllib.request.urlopen(request, timeout=90) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def valid(shape):
    """The least that fits a shape; what it means is another matter."""
    of = SHAPES[shape]
    if of["type"] == "structure":
        return {name: valid(of["members"][name]["shape"]) for name in of.get("required", [])}
    if of["type"] == "list":
        return [valid(of["member"]["shape"])]
    if of["type"] == "string":
        return of["enum"][0] if "enum" in of else "x" * max(1, of.get("min", 1))
    return False if of["type"] == "boolean" else of.get("min", 1)


def broken(shape, path, put):
    """(path, request, what the answer must say) for each way to break a shape."""
    of = SHAPES[shape]
    kind, wrong_type = of["type"], None
    if kind == "string":
        if "enum" in of:
            yield path, put("NOPE"), "satisfy enum value set"
        if 0 < of.get("max", 0) <= TEXT_CHARS_MAX:
            yield path, put("x" * (of["max"] + 1)), f"length less than or equal to {of['max']}"
        if of.get("min", 0) > 0:
            yield path, put(""), f"length greater than or equal to {of['min']}"
        if "pattern" in of:
            yield path, put("ü!"), "satisfy regular expression pattern: "
        yield path, put(5), wrong_type
    elif kind in ("integer", "long", "float"):
        if "max" in of:
            yield path, put(of["max"] + 1), f"value less than or equal to {of['max']}"
        if "min" in of:
            yield path, put(of["min"] - 1), f"value greater than or equal to {of['min']}"
        yield path, put("x"), wrong_type
    elif kind == "boolean":
        yield path, put("x"), wrong_type
    elif kind == "list":
        item = of["member"]["shape"]
        yield path, put({}), wrong_type
        if "max" in of:
            yield path, put([valid(item)] * (of["max"] + 1)), f"length less than or equal to {of['max']}"
        if "min" in of:
            yield path, put([]), f"length greater than or equal to {of['min']}"
        yield from broken(item, f"{path}.1.member", lambda value: put([value]))
    elif kind == "structure":
        least = valid(shape)
        if path:
            yield path, put([]), wrong_type
        for name in of.get("required", []):
            yield joined(path, name), put({key: least[key] for key in least if key != name}), "not be null"
        for name, member in of["members"].items():
            put_member = lambda value, name=name: put({**least, name: value})
            yield from broken(member["shape"], joined(path, name), put_member)


def joined(path, name):
    return f"{path}.{name}" if path else name


@pytest.mark.parametrize("operation", sorted(MODEL["operations"]))
def test_each_constraint_is_enforced(server, operation):
    shape = MODEL["operations"][operation]["input"]["shape"]
    known = call(server, operation, {"": None})
    if known.get("__type") == "UnknownOperationException":
        assert f"does not support the operation {operation} yet" in known["message"]
        return
    for path, request, words in broken(shape, "", lambda value: value):
        answer = call(server, operation, request)
        if words is None:
            assert answer.get("__type") == "SerializationException", (path, answer)
            continue
        assert answer.get("__type") == "ValidationException", (path, answer)
        assert f"at '{path}' failed to satisfy constraint: Member must " in answer["message"], (path, answer)
        assert words in answer["message"], (path, answer)
