"""Lambda handlers for the tests, run by the unmodified awslambdaric. They are a user's code: nothing here is ours."""
import os
import pathlib
import time

import boto3


class TooBig(Exception):
    pass


def echo(event, context):
    return {"event": event, "function": context.function_name, "arn": context.invoked_function_arn}


def fail(event, context):
    raise TooBig("the image is too big")


def leave(event, context):
    os._exit(3)


def sleep(event, context):
    time.sleep(event["seconds"])
    return event


def hold(event, context):
    """Runs until the caller lets it go, which may be after a crash of the server."""
    release = pathlib.Path(event["release"])
    while not release.exists():
        time.sleep(0.05)
    return {"number": event["number"]}


def answer_token(event, context):
    """Finishes the task that it was given a token for, as a function of a callback pattern does."""
    boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='{"answered": true}')
    return "this return value is not the task's output"


def write_object(event, context):
    boto3.client("s3").put_object(Bucket=event["bucket"], Key=event["key"], Body=event["text"].encode())
    return {"written": event["key"]}


def shout_object(event, context):
    """Reads the object that an "Object Created" event tells of, and writes it in capitals under `results/`."""
    store, bucket, key = boto3.client("s3"), event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    text = store.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    store.put_object(Bucket=bucket, Key=f"results/{key}", Body=text.upper().encode())
    return {"written": f"results/{key}"}
