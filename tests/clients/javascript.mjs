// @aws-sdk/client-sfn from create to delete, with a worker of an activity; prints what it saw as one JSON document.
import { createRequire } from "node:module";
import { once } from "node:events";

const [modules, name, roleArn] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`)("@aws-sdk/client-sfn");
const client = new sdk.SFNClient({});
const send = (command, input) => client.send(new sdk[`${command}Command`](input));

const { activityArn } = await send("CreateActivity", { name });
const definition = JSON.stringify({
  StartAt: "Work",
  States: {
    Work: { Type: "Task", Resource: activityArn, HeartbeatSeconds: 30, Next: "Greet",
            Retry: [{ ErrorEquals: ["Busy"], IntervalSeconds: 1, MaxAttempts: 1 }] },
    Greet: { Type: "Pass", Parameters: { "text.$": "States.Format('hello {}', $.name)" }, End: true },
  },
});
const { stateMachineArn } = await send("CreateStateMachine", { name, definition, roleArn });
const { executionArn, startDate } = await send("StartExecution", { stateMachineArn, input: '{"name": "you"}' });

const first = await send("GetActivityTask", { activityArn, workerName: "javascript" });
await send("SendTaskFailure", { taskToken: first.taskToken, error: "Busy", cause: "try again" });
const second = await send("GetActivityTask", { activityArn, workerName: "javascript" });
await send("SendTaskHeartbeat", { taskToken: second.taskToken });
await send("SendTaskSuccess", { taskToken: second.taskToken, output: second.input });

let described;
do {
  described = await send("DescribeExecution", { executionArn });
} while (described.status === "RUNNING");
const types = [];
for await (const page of sdk.paginateGetExecutionHistory({ client, pageSize: 3 }, { executionArn })) {
  types.push(...page.events.map((event) => event.type));
}

let refused;
try {
  await send("CreateStateMachine", { name: `${name}-wrong`, roleArn, definition: "{}" });
} catch (error) {
  refused = { name: error.name, known: error instanceof sdk.InvalidDefinition, message: error.message };
}
let closed;
try {
  await send("SendTaskSuccess", { taskToken: second.taskToken, output: "{}" });
} catch (error) {
  closed = { name: error.name, known: error instanceof sdk.SFNServiceException };
}
await send("DeleteStateMachine", { stateMachineArn });
await send("DeleteActivity", { activityArn });

const seen = {
  stateMachineArn, status: described.status, output: described.output, types, refused, closed,
  dates: startDate instanceof Date && described.stopDate >= described.startDate,
};
if (!process.stdout.write(`${JSON.stringify(seen)}\n`)) await once(process.stdout, "drain");
client.destroy();
