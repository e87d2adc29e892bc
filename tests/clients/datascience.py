"""The Step Functions Data Science SDK from create to delete; prints what it saw as one JSON document."""
import json
import sys
import time

import boto3
from stepfunctions.inputs import ExecutionInput
from stepfunctions.steps import Catch, Chain, Choice, ChoiceRule, Fail, LambdaStep, Pass, Retry, Succeed, Wait
from stepfunctions.workflow import ExecutionStatus, Workflow

name, role = sys.argv[1:]
client = boto3.client("stepfunctions")
given = ExecutionInput(schema={"Bucket": str, "Fail": bool})


def definition(text):
    hello = Pass("Hello", parameters={"bucket": given["Bucket"], "fail": given["Fail"], "text": text})
    call = LambdaStep("Call", parameters={"FunctionName": "absent", "Payload": {"bucket": given["Bucket"]}})
    call.add_retry(Retry(error_equals=["Busy"], interval_seconds=1, max_attempts=1, backoff_rate=2.0))
    call.add_catch(Catch(error_equals=["States.ALL"], next_step=Fail("Failed", error="Own.Error", cause="as wanted")))
    choice = Choice("Which")
    choice.add_choice(ChoiceRule.BooleanEquals(variable="$.fail", value=True), next_step=call)
    choice.default_choice(next_step=Chain([Wait("Pause", seconds=1), Succeed("Done")]))
    return Chain([hello, choice])


def ended(execution):
    while (described := execution.describe())["status"] == "RUNNING":
        time.sleep(0.1)
    return described


def definition_now():
    return json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])


workflow = Workflow(name=name, definition=definition("first"), role=role, execution_input=given, client=client)
arn = workflow.create()
first = workflow.execute(inputs={"Bucket": "b", "Fail": False})
first_output = first.get_output(wait=True)
failed = ended(workflow.execute(inputs={"Bucket": "b", "Fail": True}))
workflow.update(definition=definition("second"))
attached = Workflow.attach(arn, client=client)
stopped = attached.execute(name="stopped", inputs={"Bucket": "b", "Fail": False})
stopped.stop(cause="enough", error="Own.Stop")
print(json.dumps({
    "arn": arn,
    "created_again": workflow.create(),
    "output": first_output,
    "input": first.get_input(),
    "events": [event["type"] for event in first.list_events()],
    "last_event": first.list_events(reverse_order=True)[0]["type"],
    "failed": [failed["status"], failed["error"], failed["cause"]],
    "stopped": [ended(stopped)["status"], stopped.describe()["error"]],
    "executions": len(workflow.list_executions()),
    "succeeded": len(workflow.list_executions(status_filter=ExecutionStatus.Succeeded)),
    "listed": name in [machine["name"] for machine in Workflow.list_workflows(max_items=1000, client=client)],
    "updated": definition_now()["States"]["Hello"]["Parameters"]["text"],
}))
workflow.delete()
