"""Drives the EventBridge operations with boto3 and the AWS CLI; any failed assertion fails the Rust test around it."""
import json
import os
import subprocess
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ENDPOINT_URL=endpoint,
    AWS_EC2_METADATA_DISABLED="true",
)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
ROLE = "arn:aws:iam::000000000000:role/r"
events = boto3.client("events", config=Config(retries={"max_attempts": 1}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} expected")


def cli(*words):
    run = subprocess.run([sys.executable, "-m", "awscli", "events", *words], capture_output=True, text=True)
    assert run.returncode == 0, (words, run.stderr)
    return json.loads(run.stdout) if run.stdout.strip() else None


pattern = json.dumps({"source": ["shop"], "detail": {"order": [{"numeric": [">", 5]}]}})
arn = events.put_rule(Name="orders", EventPattern=pattern, Description="d")["RuleArn"]
assert arn.endswith(":rule/orders"), arn
answer = events.put_targets(
    Rule="orders", Targets=[{"Id": "1", "Arn": MACHINE, "RoleArn": ROLE, "InputPath": "$.detail"}]
)
assert answer["FailedEntryCount"] == 0, answer
# The CLI's tutorial spelling, with an input transformer.
transformer = json.dumps(
    [
        {
            "Id": "2",
            "Arn": MACHINE,
            "RoleArn": ROLE,
            "InputTransformer": {
                "InputPathsMap": {"order": "$.detail.order"},
                "InputTemplate": '{"from": "cli", "order": "<order>"}',
            },
        }
    ]
)
assert cli("put-targets", "--rule", "orders", "--targets", transformer)["FailedEntryCount"] == 0
assert cli("describe-rule", "--name", "orders")["State"] == "ENABLED"
assert [t["Id"] for t in cli("list-targets-by-rule", "--rule", "orders")["Targets"]] == ["1", "2"]
assert [r["Name"] for r in events.list_rules()["Rules"]] == ["orders"]
assert events.list_rule_names_by_target(TargetArn=MACHINE)["RuleNames"] == ["orders"]

answer = events.put_events(
    Entries=[
        {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"order": 7})},
        {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"order": 5})},
        {"Source": "shop", "DetailType": "order", "Detail": "not json"},
    ]
)
assert answer["FailedEntryCount"] == 1, answer
assert answer["Entries"][2]["ErrorCode"] == "MalformedDetail", answer
sample = {"id": "1", "account": "0", "source": "shop", "time": "2026-01-01T00:00:00Z", "region": "r"}
sample.update({"resources": [], "detail-type": "order", "detail": {"order": 6}})
assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(sample))["Result"] is True

text = refused("InvalidEventPatternException", events.put_rule, Name="x", EventPattern='{"source":"shop"}')
assert text == 'Event pattern is not valid. Reason: "source" must be an object or an array', text
text = refused("ResourceNotFoundException", events.describe_rule, Name="none")
assert text == "Rule none does not exist on EventBus default.", text
refused("ValidationException", events.put_rule, Name="x", ScheduleExpression="rate(5 minutes)")
refused("ValidationException", events.delete_rule, Name="orders")
events.exceptions.ResourceNotFoundException  # the model knows the name that we send

bus = events.create_event_bus(Name="mine")["EventBusArn"]
events.put_rule(Name="far", EventBusName=bus, EventPattern=pattern)
assert events.describe_rule(Name="far", EventBusName="mine")["EventBusName"] == "mine"
events.delete_rule(Name="far", EventBusName="mine")
events.delete_event_bus(Name="mine")
events.tag_resource(ResourceARN=arn, Tags=[{"Key": "k", "Value": "v"}])
assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
events.disable_rule(Name="orders")
assert events.describe_rule(Name="orders")["State"] == "DISABLED"
print("ok")
