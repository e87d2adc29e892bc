//! The story's steps, each with its assertions.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rolling_ball::{Image, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Child;
use tokio::time::Instant;

use crate::demo::binaries::Binaries;
use crate::demo::client::Client;
use crate::demo::definition;
use crate::demo::images::{FUNCTION_IMAGE, Images};
use crate::demo::processes::{self, Server};
use crate::demo::report::{Report, waiting};

const BUCKET: &str = "photos";
const NAME: &str = "remove-background";
const ROLE: &str = "arn:aws:iam::000000000000:role/demo";
/// Seconds that Lambda gives the function.
const TIMEOUT_SECONDS: u64 = 2;
/// The large image takes at least this many times as long.
const OUTRUN: f64 = 5.0;
/// Room for what the calibration misjudges.
const MARGIN: f64 = 1.3;
/// Seconds without a heartbeat after which a worker counts as dead.
const HEARTBEAT_SECONDS: u64 = 3;
/// One CPU, as Lambda gives it: a container gets a share of the CPU by its memory.
const MEMORY_MB: u64 = 1769;
const RADIUS: f64 = 40.0;
const SMALL: usize = 96;
/// From a task's start to the kill: the worker has its image by then, and computes.
const MIDDLE: Duration = Duration::from_secs(3);
/// The longest that any execution of the story may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Everything that the story has set up.
pub(crate) struct Story {
    binaries: Binaries,
    images: Option<Images>,
    data: PathBuf,
    client: Client,
    server: Server,
    runners: Vec<Runner>,
    function_arn: String,
    activity_arn: String,
    machine_arn: String,
    small: Image,
    large: Image,
}

/// A runner of either kind.
enum Runner {
    Process(Child),
    Container(String),
}

impl Story {
    /// Starts the server on a fresh data folder.
    pub(crate) async fn begin(
        binaries: Binaries,
        images: Option<Images>,
        data: PathBuf,
        report: &mut Report,
    ) -> Result<Story> {
        let listen = free_address()?;
        let client = Client::new(format!("http://{listen}"))?;
        let server = Server::start(listen.clone(), data.clone(), &client).await?;
        report.say(&format!("a server is at http://{listen}, its data in {}", data.display()));
        report.fact("endpoint", client.endpoint.clone());
        report.fact("data", data.display().to_string());
        report.fact("mode", if images.is_some() { "containers" } else { "processes" });
        let small = rolling_ball::generate_sample(SMALL, SMALL, 1);
        let side = tokio::task::spawn_blocking(large_side).await?;
        let large = rolling_ball::generate_sample(side, side, 2);
        report.say(&format!(
            "calibrated: at radius {RADIUS} by the textbook method an image of {side}×{side} takes at least \
             {} s here, Lambda gives {TIMEOUT_SECONDS} s",
            OUTRUN * TIMEOUT_SECONDS as f64
        ));
        report.fact("large_image_side", side);
        Ok(Story {
            binaries,
            images,
            data,
            client,
            server,
            runners: Vec::new(),
            function_arn: String::new(),
            activity_arn: String::new(),
            machine_arn: String::new(),
            small,
            large,
        })
    }

    /// All of it, in order.
    pub(crate) async fn tell(&mut self, report: &mut Report) -> Result<()> {
        self.deploy(report).await?;
        self.small_image_on_lambda(report).await?;
        self.large_image_outruns_lambda(report).await?;
        self.migrate(report).await?;
        self.runner_takes_it(report).await?;
        self.server_dies(report).await?;
        self.worker_dies(report).await
    }

    /// Bucket, function, activity, machine and rule.
    async fn deploy(&mut self, report: &mut Report) -> Result<()> {
        self.client.create_bucket(BUCKET).await?;
        let function = self.client.create_function(self.function()).await?;
        self.function_arn = text_at(&function, "/FunctionArn")?;
        let activity = self.client.states("CreateActivity", json!({"name": NAME})).await?;
        self.activity_arn = text_at(&activity, "/activityArn")?;
        let definition = definition::text(&definition::on_lambda(&self.function_arn));
        let request = json!({"name": NAME, "roleArn": ROLE, "definition": definition});
        let machine = self.client.states("CreateStateMachine", request).await?;
        self.machine_arn = text_at(&machine, "/stateMachineArn")?;
        let pattern = json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "in/"}]}}
        });
        let rule = json!({"Name": NAME, "EventPattern": pattern.to_string()});
        let rule = self.client.events("PutRule", rule).await?;
        let target = json!({"Id": "machine", "Arn": self.machine_arn, "RoleArn": ROLE});
        self.client.events("PutTargets", json!({"Rule": NAME, "Targets": [target]})).await?;
        report.say("created a bucket, a function, an activity, a state machine and a rule");
        report.fact("function_arn", self.function_arn.clone());
        report.fact("activity_arn", self.activity_arn.clone());
        report.fact("state_machine_arn", self.machine_arn.clone());
        report.fact("rule_arn", rule["RuleArn"].clone());
        if let Some(images) = &self.images {
            report.fact("image_digest", images.digest.clone());
        }
        Ok(())
    }

    /// The function: the same program, or the same image, that the runner will run.
    fn function(&self) -> Value {
        let mut function = json!({
            "FunctionName": NAME,
            "PackageType": "Image",
            "Role": ROLE,
            "Timeout": TIMEOUT_SECONDS,
            "MemorySize": MEMORY_MB,
            "Environment": {"Variables": function_environment()},
        });
        match &self.images {
            Some(images) => function["Code"] = json!({"ImageUri": images.digest}),
            None => {
                let program = self.binaries.runner.display().to_string().replace(' ', "%20");
                function["Code"] = json!({"ImageUri": format!("process:{program}")});
                let command = self.binaries.function.display().to_string();
                function["ImageConfig"] = json!({"Command": [command]});
            }
        }
        function
    }

    async fn small_image_on_lambda(&mut self, report: &mut Report) -> Result<()> {
        report.step('a', "A small image is dropped into the bucket; Lambda removes its background");
        let image = self.small.clone();
        let execution = self.upload(&image, "small", report).await?;
        let ended = self.ended(&execution, "Lambda is at work").await?;
        self.check_succeeded(&ended, &image, "small", report).await?;
        let types = self.event_types(&execution).await?;
        report.check(
            "the history tells of a Lambda function",
            types.iter().any(|kind| kind == "LambdaFunctionSucceeded"),
            json!(types),
        )
    }

    async fn large_image_outruns_lambda(&mut self, report: &mut Report) -> Result<()> {
        report.step('b', "A larger image outruns Lambda's time, by honest work");
        let image = self.large.clone();
        let execution = self.upload(&image, "large", report).await?;
        let ended = self.ended(&execution, "Lambda is at work").await?;
        report.check("the execution failed", ended["status"] == "FAILED", ended["status"].clone())?;
        report.check(
            "as on AWS, with Lambda.Unknown",
            ended["error"] == "Lambda.Unknown",
            ended["error"].clone(),
        )?;
        let cause = ended["cause"].as_str().unwrap_or_default();
        let said = format!("Task timed out after {TIMEOUT_SECONDS}.00 seconds");
        report.check("the cause is the time that Lambda gave", cause.contains(&said), cause)
    }

    async fn migrate(&mut self, report: &mut Report) -> Result<()> {
        report.step(
            'c',
            "The task moves from Lambda to an activity: an edit of one state, the image is not touched",
        );
        let before = definition::text(&definition::on_lambda(&self.function_arn));
        let after = definition::on_activity(&self.function_arn, &self.activity_arn, HEARTBEAT_SECONDS);
        let after = definition::text(&after);
        let diff = definition::diff(&before, &after);
        report.say(&diff);
        report.fact("migration_diff", diff);
        let request = json!({"stateMachineArn": self.machine_arn, "definition": after});
        self.client.states("UpdateStateMachine", request).await?;
        let described =
            self.client.states("DescribeStateMachine", json!({"stateMachineArn": self.machine_arn})).await?;
        report.check("the machine has the new definition", described["definition"] == after, Value::Null)
    }

    async fn runner_takes_it(&mut self, report: &mut Report) -> Result<()> {
        report.step('d', "A runner with the same function takes the large image");
        self.start_runner("first", report).await?;
        self.check_same_program(report).await?;
        let image = self.large.clone();
        let execution = self.upload(&image, "runner", report).await?;
        let ended = self.ended(&execution, "the runner is at work").await?;
        self.check_succeeded(&ended, &image, "runner", report).await?;
        let took =
            ended["stopDate"].as_f64().unwrap_or_default() - ended["startDate"].as_f64().unwrap_or_default();
        report.fact("runner_seconds", took);
        report.check(
            &format!("it took {took:.1} s, at least {OUTRUN} times what Lambda gives"),
            took >= OUTRUN * TIMEOUT_SECONDS as f64,
            took,
        )
    }

    async fn server_dies(&mut self, report: &mut Report) -> Result<()> {
        report.step('e', "The server is killed in the middle of an execution, and started again");
        let image = self.large.clone();
        let execution = self.upload(&image, "server-killed", report).await?;
        self.seen(&execution, "ActivityStarted", 1).await?;
        tokio::time::sleep(MIDDLE).await;
        self.server.kill().await?;
        report.check("SIGKILL: the server is gone", !self.client.answers().await, Value::Null)?;
        self.server.restart(&self.client).await?;
        let request = json!({"executionArn": execution});
        let described = self.client.states("DescribeExecution", request).await?;
        report.check(
            "it is back, and the execution runs on",
            described["status"] == "RUNNING",
            Value::Null,
        )?;
        let ended = self.ended(&execution, "the runner is still at work").await?;
        self.check_succeeded(&ended, &image, "server-killed", report).await
    }

    async fn worker_dies(&mut self, report: &mut Report) -> Result<()> {
        report.step('f', "A worker is killed; its heartbeat is missed, and Retry gives the task to another");
        let image = self.large.clone();
        let execution = self.upload(&image, "worker-killed", report).await?;
        self.seen(&execution, "ActivityStarted", 1).await?;
        tokio::time::sleep(MIDDLE).await;
        self.kill_runner().await?;
        report.say("SIGKILL: the worker is gone");
        self.start_runner("second", report).await?;
        let ended = self.ended(&execution, "the second runner is at work").await?;
        self.check_succeeded(&ended, &image, "worker-killed", report).await?;
        let types = self.event_types(&execution).await?;
        let count = |name: &str| types.iter().filter(|kind| *kind == name).count();
        report.check(
            "the history tells of one missed heartbeat and two attempts",
            count("ActivityTimedOut") == 1 && count("ActivityStarted") == 2,
            json!(types),
        )
    }

    // ---- helpers ----

    /// Drops an image into the bucket; the ARN of the execution that it starts.
    async fn upload(&mut self, image: &Image, name: &str, report: &mut Report) -> Result<String> {
        let bytes = rolling_ball::encode_png(image).context("the image cannot be encoded")?;
        let known = self.executions().await?;
        let (size, sum) = (bytes.len(), sha256(&bytes));
        self.client.put(&format!("{BUCKET}/in/{name}.png"), bytes).await?;
        let begin = Instant::now();
        let execution = loop {
            let fresh = self.executions().await?.into_iter().find(|arn| !known.contains(arn));
            if let Some(arn) = fresh {
                break arn;
            }
            ensure!(begin.elapsed() < PATIENCE, "the upload of in/{name}.png started no execution");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let (width, height) = (image.width(), image.height());
        report.say(&format!("uploaded in/{name}.png: {width}×{height}, {size} bytes"));
        report.fact(&format!("input_{name}_sha256"), sum);
        report.fact(&format!("execution_{name}"), execution.clone());
        report.check("the upload started an execution", true, execution.clone())?;
        Ok(execution)
    }

    async fn executions(&self) -> Result<Vec<String>> {
        let request = json!({"stateMachineArn": self.machine_arn});
        let listed = self.client.states("ListExecutions", request).await?;
        let executions = listed["executions"].as_array().cloned().unwrap_or_default();
        executions.iter().map(|execution| text_at(execution, "/executionArn")).collect()
    }

    /// Waits until an execution has ended.
    async fn ended(&self, execution: &str, what: &str) -> Result<Value> {
        let bar = waiting(what);
        let begin = Instant::now();
        loop {
            let described =
                self.client.states("DescribeExecution", json!({"executionArn": execution})).await?;
            if described["status"] != "RUNNING" {
                bar.finish_and_clear();
                return Ok(described);
            }
            ensure!(begin.elapsed() < PATIENCE, "{execution} does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn event_types(&self, execution: &str) -> Result<Vec<String>> {
        let request = json!({"executionArn": execution, "maxResults": 1000});
        let history = self.client.states("GetExecutionHistory", request).await?;
        let events = history["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| text_at(event, "/type")).collect()
    }

    /// Waits until a history has this many events of a type.
    async fn seen(&self, execution: &str, kind: &str, times: usize) -> Result<()> {
        let begin = Instant::now();
        while self.event_types(execution).await?.iter().filter(|known| *known == kind).count() < times {
            ensure!(begin.elapsed() < PATIENCE, "{execution} does not come to {kind}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The execution succeeded, and what it wrote is the reference, byte for byte. The function used the textbook
    /// method; the reference comes from the fast one.
    async fn check_succeeded(
        &self,
        ended: &Value,
        image: &Image,
        name: &str,
        report: &mut Report,
    ) -> Result<()> {
        report.check("the execution succeeded", ended["status"] == "SUCCEEDED", ended.clone())?;
        let output: Value = serde_json::from_str(ended["output"].as_str().unwrap_or("null"))?;
        let key = text_at(&output, "/key")?;
        let result = self.client.get(&format!("{BUCKET}/{key}")).await?;
        let image = image.clone();
        let reference = tokio::task::spawn_blocking(move || {
            let reference = rolling_ball::subtract(&image, RADIUS, Method::Fast)?;
            rolling_ball::encode_png(&reference)
        })
        .await?
        .context("the reference cannot be computed")?;
        report.fact(&format!("output_{name}_sha256"), sha256(&result));
        report.check(
            &format!("{key} equals the reference, byte for byte"),
            result == reference,
            sha256(&reference),
        )
    }

    /// Lambda and the runner have the same image, or the same program: asked of those who run it.
    async fn check_same_program(&self, report: &mut Report) -> Result<()> {
        let function = self.client.function(NAME).await?;
        match (&self.images, self.runners.last()) {
            (Some(images), Some(Runner::Container(id))) => {
                let (pushed, pulled) = (text_at(&function, "/Code/ImageUri")?, images.digest_of(id).await?);
                report.fact("image_digest_pushed", pushed.clone());
                report.fact("image_digest_pulled", pulled.clone());
                report.check(
                    "both modes run the same image, by its digest",
                    pushed == pulled,
                    json!([pushed, pulled]),
                )
            }
            _ => {
                let command = function.pointer("/Configuration/ImageConfigResponse/ImageConfig/Command/0");
                let pushed = command.and_then(Value::as_str).unwrap_or_default();
                let program = sha256(&std::fs::read(&self.binaries.function)?);
                report.fact("program_sha256", program.clone());
                let same = std::path::Path::new(pushed) == self.binaries.function;
                report.check("both modes run the same program", same, json!([pushed, program]))
            }
        }
    }

    async fn start_runner(&mut self, name: &str, report: &mut Report) -> Result<()> {
        let environment = self.runner_environment(name);
        let runner = match &self.images {
            Some(images) => {
                let container = format!("loveless-demo-{}-{name}", std::process::id());
                let id = images.start_runner(&container, &environment).await?;
                report
                    .say(&format!("the {name} runner is a container of {FUNCTION_IMAGE}, {}", images.digest));
                Runner::Container(id)
            }
            None => {
                report.say(&format!("the {name} runner is a process: loveless-runner rolling-ball"));
                let log = self.data.with_extension("runner.log");
                Runner::Process(processes::start_runner(
                    &self.binaries.runner,
                    &self.binaries.function,
                    &environment,
                    &log,
                )?)
            }
        };
        self.runners.push(runner);
        Ok(())
    }

    fn runner_environment(&self, name: &str) -> Vec<(String, String)> {
        let listen = self.client.endpoint.trim_start_matches("http://");
        let mut environment: Vec<(String, String)> = crate::commands::env::variables(listen, "us-east-1")
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        environment.push(("ACTIVITY_ARN".into(), self.activity_arn.clone()));
        environment.push(("LOVELESS_WORKER_NAME".into(), format!("{name}-runner")));
        environment.push(("LOVELESS_HEARTBEAT".into(), "1".into()));
        for (name, value) in function_environment().as_object().into_iter().flatten() {
            environment.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
        environment
    }

    async fn kill_runner(&mut self) -> Result<()> {
        match self.runners.last_mut() {
            Some(Runner::Process(child)) => processes::kill_tree(child).await,
            Some(Runner::Container(id)) => match &self.images {
                Some(images) => images.kill(id).await,
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Ends what the story started. The data stays.
    pub(crate) async fn clean_up(&mut self) {
        for runner in &mut self.runners {
            match runner {
                // What has ended by itself cannot be killed, and need not be.
                Runner::Process(child) => _ = processes::kill_tree(child).await,
                Runner::Container(id) => {
                    if let Some(images) = &self.images {
                        images.remove(id).await;
                    }
                }
            }
        }
        _ = self.server.kill().await;
    }

    /// What a person does next.
    pub(crate) fn how_to_go_on(&self, report: &Report) {
        let listen = self.client.endpoint.trim_start_matches("http://");
        let data = self.data.display();
        println!("\nEvery step held. To go on by hand with what the demo left:");
        report.say(&format!(
            "loveless serve --listen {listen} --data {data}\n\
             eval \"$(loveless env --listen {listen})\"\n\
             aws stepfunctions list-executions --state-machine-arn {machine}\n\
             aws s3 cp my-photo.png s3://{BUCKET}/in/my-photo.png\n\
             ACTIVITY_ARN={activity} ROLLING_BALL_RADIUS={RADIUS} {runner} {function}\n\
             python3 -c \"import boto3; print(boto3.client('stepfunctions').list_state_machines())\"",
            machine = self.machine_arn,
            activity = self.activity_arn,
            runner = self.binaries.runner.display(),
            function = self.binaries.function.display(),
        ));
    }
}

/// The function's own settings, the same in both modes.
fn function_environment() -> Value {
    json!({"ROLLING_BALL_METHOD": "direct", "ROLLING_BALL_RADIUS": RADIUS.to_string()})
}

/// The side of a square image that outruns Lambda on this machine.
fn large_side() -> usize {
    let calibration = rolling_ball::calibrate();
    let want = Duration::from_secs_f64(OUTRUN * MARGIN * TIMEOUT_SECONDS as f64);
    let mut side = 256;
    while calibration.direct(side, side, RADIUS) < want {
        side += 32;
    }
    side
}

fn free_address() -> Result<String> {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(socket.local_addr()?.to_string())
}

fn text_at(value: &Value, pointer: &str) -> Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the answer has no {pointer}: {value}"))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
