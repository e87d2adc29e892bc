"""Creates functions of `functions/handlers.py` as a user would: CreateFunction, with a local process as its image."""
import pathlib
import sys

from machines import unique
from loveless_server import ROLE

FOLDER = pathlib.Path(__file__).parent / "functions"


def image_uri():
    """This very Python as a function's target; `%20` stands for a space in a path."""
    return "process:" + sys.executable.replace("%", "%25").replace(" ", "%20")


def create_function(client, handler, name=None, **fields):
    return client.create_function(
        FunctionName=name or unique(handler.replace("_", "-")),
        PackageType="Image",
        Code={"ImageUri": image_uri()},
        ImageConfig={"Command": ["-m", "awslambdaric", f"handlers.{handler}"], "WorkingDirectory": str(FOLDER)},
        Role=ROLE,
        **{"Timeout": 60, "MemorySize": 256, **fields})["FunctionArn"]
