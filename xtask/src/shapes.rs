//! The shapes of AWS's outputs, read from the models that botocore carries.
//!
//! Writes the data of the crate `shapes`: for each of [`SERVICES`] its operations and what their outputs are made of, and
//! the names of all services. Only facts that a check needs are kept: names, types, what is required, enumerations and
//! bounds. botocore is the one of the test environment, so `requirements.txt` pins where the facts come from.
//!
//! How the text is written is told in `crates/shapes/data/README.md`; who reads it is not known here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::python;
use crate::system::Install;
use crate::workspace::Workspace;

const DATA: &str = "crates/shapes/data";

/// The services whose outputs are kept, as botocore calls them: those of the optimised integrations (asl-facts 17.3), and
/// those that machines often call through the AWS SDK integrations, as long as the whole stays under [`BYTES_MAX`].
const SERVICES: &[&str] = &[
    "acm",
    "apigateway",
    "apigatewayv2",
    "appconfig",
    "appconfigdata",
    "appsync",
    "athena",
    "autoscaling",
    "batch",
    "bedrock",
    "bedrock-agent-runtime",
    "bedrock-runtime",
    "ce",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "databrew",
    "dynamodb",
    "ecr",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elbv2",
    "emr",
    "emr-containers",
    "emr-serverless",
    "events",
    "firehose",
    "fsx",
    "glue",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "mediaconvert",
    "organizations",
    "pipes",
    "polly",
    "rds",
    "rds-data",
    "redshift-data",
    "rekognition",
    "route53",
    "s3",
    "sagemaker",
    "sagemaker-runtime",
    "scheduler",
    "schemas",
    "secretsmanager",
    "servicediscovery",
    "ses",
    "sesv2",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "textract",
    "transcribe",
    "translate",
    "xray",
];

/// The whole of the data, which every binary carries.
const BYTES_MAX: usize = 1_000_000;

/// Bounds in which the models are ahead of what Step Functions was seen to check: service, shape and the larger bound.
const RECORDED_MAX: &[(&str, &str, u64)] = &[("lambda", "MemorySize", 10_240)];

/// Prints the models, one a line: those of the services in its arguments whole, of the others the metadata.
const READER: &str = r#"
import json, os, sys
import botocore, botocore.loaders
data = os.path.join(os.path.dirname(botocore.__file__), "data")
loader = botocore.loaders.Loader(extra_search_paths=[data], include_default_search_paths=False)
for name in loader.list_available_services("service-2"):
    model = loader.load_service_model(name, "service-2")
    kept = ("metadata", "operations", "shapes") if name in sys.argv[1:] else ("metadata",)
    print(json.dumps({"name": name, "botocore": botocore.__version__, **{key: model[key] for key in kept}}))
"#;

/// The command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    ensure!(arguments.is_empty(), "shapes takes no arguments");
    let python = python::ensure(workspace, Install::from(false))?;
    let mut names = Vec::new();
    let mut outputs = BTreeMap::new();
    let mut version = String::new();
    each_model(&python, |mut model| {
        let name = sdk_name(text(&model["metadata"]["serviceId"])?);
        for (_, shape, max) in RECORDED_MAX.iter().filter(|(service, ..)| *service == name) {
            model["shapes"][*shape]["max"] = Value::from(*max);
        }
        text(&model["botocore"])?.clone_into(&mut version);
        if model.get("shapes").is_some() {
            let written = write(&model).with_context(|| format!("the model of {name} cannot be written"))?;
            outputs.insert(name.clone(), written);
        }
        names.push(name);
        Ok(())
    })?;
    ensure!(outputs.len() == SERVICES.len(), "{} of {} services were found", outputs.len(), SERVICES.len());
    names.sort();
    names.dedup();
    let bytes = store(&workspace.path(DATA), &names, &outputs)?;
    ensure!(bytes <= BYTES_MAX, "the data has {bytes} bytes; at most {BYTES_MAX}: leave services out");
    println!("wrote {bytes} bytes of {} services to {DATA}, from botocore {version}", outputs.len());
    Ok(true)
}

fn each_model(python: &Path, mut on_model: impl FnMut(Value) -> Result<()>) -> Result<()> {
    let mut command = Command::new(python);
    command.args(["-c", READER]).args(SERVICES).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {}", python.display()))?;
    let lines = BufReader::new(child.stdout.take().context("the reader has no output")?).lines();
    for line in lines {
        let line = line.context("cannot read what the reader prints")?;
        on_model(serde_json::from_str(&line).context("the reader printed something that is not JSON")?)?;
    }
    ensure!(child.wait()?.success(), "botocore's models could not be read");
    Ok(())
}

/// Replaces the data; its size.
fn store(data: &Path, names: &[String], outputs: &BTreeMap<String, String>) -> Result<usize> {
    let folder = data.join("outputs");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut index = String::from("&[\n");
    let mut bytes = 0;
    for (name, written) in outputs {
        bytes += written.len();
        fs::write(folder.join(format!("{name}.txt")), written)?;
        writeln!(index, "    (\"{name}\", include_str!(\"../data/outputs/{name}.txt\")),")?;
    }
    index.push_str("]\n");
    fs::write(data.join("index.in"), index)?;
    fs::write(data.join("services.txt"), names.join("\n") + "\n")?;
    Ok(bytes)
}

/// The name of a service in resources of AWS SDK integrations: that of the Java SDK's package.
fn sdk_name(id: &str) -> String {
    let name: String = id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    match name.strip_suffix("service") {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => name,
    }
}

/// A model, reduced.
fn write(model: &Value) -> Result<String> {
    let shapes = model["shapes"].as_object().context("the model has no shapes")?;
    let mut writer = Writer { shapes, numbers: BTreeMap::new(), order: Vec::new() };
    let metadata = &model["metadata"];
    let mut written = format!(
        "# {} {}, from botocore {}\n",
        text(&metadata["serviceId"])?,
        text(&metadata["apiVersion"])?,
        text(&model["botocore"])?
    );
    let operations = model["operations"].as_object().context("the model has no operations")?;
    let sorted: BTreeMap<&String, &Value> = operations.iter().collect();
    for (name, operation) in sorted {
        match operation["output"]["shape"].as_str() {
            Some(shape) => writeln!(written, "{name} {}", writer.kind(shape)?)?,
            None => writeln!(written, "{name}")?,
        }
    }
    written.push('\n');
    let mut done = 0;
    while let Some(shape) = writer.order.get(done).cloned() {
        writeln!(written, "{}", writer.shape(&shape)?)?;
        done += 1;
    }
    Ok(written)
}

/// Numbers the shapes that are met.
struct Writer<'a> {
    shapes: &'a Map<String, Value>,
    numbers: BTreeMap<String, usize>,
    order: Vec<String>,
}

impl Writer<'_> {
    /// A type: a letter with bounds, or the number of a shape.
    fn kind(&mut self, name: &str) -> Result<String> {
        let shape = self.shapes.get(name).with_context(|| format!("there is no shape {name}"))?;
        let is_open = shape["document"] == true || shape["eventstream"] == true;
        Ok(match text(&shape["type"])? {
            "string" if shape.get("enum").is_none() => format!("t{}", bounds(shape, true)),
            "blob" => format!("b{}", bounds(shape, true)),
            "integer" | "long" | "float" | "double" | "bigdecimal" => format!("n{}", bounds(shape, false)),
            "boolean" => "f".into(),
            "timestamp" => "d".into(),
            "structure" if is_open => "a".into(),
            "string" | "structure" | "list" | "map" => {
                if let Some(number) = self.numbers.get(name) {
                    return Ok(number.to_string());
                }
                let number = self.order.len();
                self.numbers.insert(name.into(), number);
                self.order.push(name.into());
                number.to_string()
            }
            other => bail!("the shape {name} has the unknown type {other}"),
        })
    }

    /// The line of a shape.
    fn shape(&mut self, name: &str) -> Result<String> {
        let shape = self.shapes.get(name).with_context(|| format!("there is no shape {name}"))?;
        let mut line = match text(&shape["type"])? {
            "string" => {
                let values: Vec<&str> =
                    shape["enum"].as_array().into_iter().flatten().map(text).collect::<Result<_>>()?;
                ensure!(
                    !values.iter().any(|value| value.contains('|')),
                    "an enumeration of {name} has a bar"
                );
                format!("e {}", values.join("|"))
            }
            "structure" => {
                let required: Vec<&str> =
                    shape["required"].as_array().into_iter().flatten().map(text).collect::<Result<_>>()?;
                let mut line = String::from("s");
                for (member, of) in shape["members"].as_object().into_iter().flatten() {
                    let mark = if required.contains(&member.as_str()) { "!" } else { "" };
                    let kind = self.kind(text(&of["shape"])?)?;
                    write!(line, " {mark}{}:{kind}", capital(member))?;
                }
                line
            }
            "list" => format!("l {} {}", self.kind(text(&shape["member"]["shape"])?)?, bounds(shape, true)),
            "map" => format!(
                "m {} {} {}",
                self.kind(text(&shape["key"]["shape"])?)?,
                self.kind(text(&shape["value"]["shape"])?)?,
                bounds(shape, true)
            ),
            other => bail!("the shape {name} has the unknown type {other}"),
        };
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// `1..5`, or as much of it as there is; a length is never below 0.
fn bounds(shape: &Value, of_length: bool) -> String {
    let bound = |name: &str| match &shape[name] {
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let low = match bound("min") {
        zero if of_length && zero == "0" => String::new(),
        low => low,
    };
    match (low, bound("max")) {
        (low, high) if low.is_empty() && high.is_empty() => String::new(),
        (low, high) => format!("{low}..{high}"),
    }
}

/// Step Functions begins every member with a capital letter.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the model has no text where one was expected")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn services_are_called_as_the_java_sdk_calls_them() {
        for (id, name) in [
            ("SFN", "sfn"),
            ("CloudWatch Logs", "cloudwatchlogs"),
            ("Config Service", "config"),
            ("Elastic Load Balancing v2", "elasticloadbalancingv2"),
        ] {
            assert_eq!(sdk_name(id), name);
        }
    }

    #[test]
    fn the_data_is_that_of_the_pinned_botocore() {
        let requirements = include_str!("../requirements.txt");
        let pin = requirements.lines().find_map(|line| line.strip_prefix("botocore==")).unwrap();
        let workspace = Workspace::locate().unwrap();
        for file in fs::read_dir(workspace.path(DATA).join("outputs")).unwrap() {
            let written = fs::read_to_string(file.unwrap().path()).unwrap();
            let first = written.lines().next().unwrap();
            assert!(first.ends_with(&format!(", from botocore {pin}")), "{first}: run `cargo xtask shapes`");
        }
    }

    #[test]
    fn a_model_is_reduced_to_what_a_check_needs() {
        let model = json!({
            "botocore": "1", "metadata": {"serviceId": "S", "apiVersion": "2020"},
            "operations": {"Put": {}, "Get": {"output": {"shape": "Out"}}},
            "shapes": {
                "Out": {"type": "structure", "required": ["name"], "members": {
                    "name": {"shape": "Name"}, "size": {"shape": "Size"}, "state": {"shape": "State"},
                    "children": {"shape": "Children"}, "at": {"shape": "At"}, "open": {"shape": "Open"},
                }},
                "Name": {"type": "string", "min": 0, "max": 5}, "Size": {"type": "long", "min": 0},
                "State": {"type": "string", "enum": ["A", "B"]}, "At": {"type": "timestamp"},
                "Children": {"type": "list", "member": {"shape": "Out"}, "min": 1},
                "Open": {"type": "structure", "document": true, "members": {}},
            },
        });
        let want = "# S 2020, from botocore 1\nGet 0\nPut\n\ns !Name:t..5 Size:n0.. State:1 Children:2 At:d Open:a\ne \
                    A|B\nl 0 1..\n";
        assert_eq!(write(&model).unwrap(), want);
    }
}
