//! What a worker says about a task: from an invocation's ending to SendTaskSuccess or SendTaskFailure.
//!
//! A function's error becomes the same error name and cause as Step Functions gives for a Lambda function, so that one
//! Catch or Retry matches in both modes. This file decides words; `task` sends them.

use lambda::{failure::ErrorBody, runtime_api::Outcome, sandbox::Ending};

/// Largest output of a task, in bytes (AWS).
const OUTPUT_BYTES_MAX: usize = 262_144;
/// Longest error name (AWS).
const ERROR_LENGTH_MAX: usize = 256;
/// Longest cause (AWS).
const CAUSE_LENGTH_MAX: usize = 32_768;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Success { output: String },
    Failure { error: String, cause: String },
}

impl Report {
    /// The report of an invocation that ended, and whether its process may take another.
    pub(crate) fn of(ending: Ending, task: &TaskFacts<'_>) -> (Report, bool) {
        match ending {
            Ending::Answered(Outcome::Response(payload)) => {
                (Report::success(&payload, task.activity_arn), true)
            }
            Ending::Answered(Outcome::FunctionError(error)) => (Report::function_error(&error), true),
            Ending::Answered(Outcome::InitError(error)) => (Report::function_error(&error), false),
            Ending::Answered(Outcome::ResponseTooLarge) => {
                (Report::function_error(&ErrorBody::response_too_large()), false)
            }
            Ending::Exited { exit, .. } => {
                (Report::function_error(&ErrorBody::exited(task.request_id, &exit)), false)
            }
            Ending::TimedOut => {
                let limit = task.deadline.unwrap_or_default();
                (Report::function_error(&ErrorBody::timed_out(task.request_id, limit)), false)
            }
        }
    }

    /// A function's error in the words of Step Functions.
    pub(crate) fn function_error(error: &ErrorBody) -> Report {
        let payload = String::from_utf8_lossy(&error.body);
        match &error.error_type {
            Some(error_type) => Report::failure(error_type, &payload),
            None => Report::failure(
                "Lambda.Unknown",
                &format!(
                    "The cause could not be determined because Lambda did not return an error type. \
                     Returned payload: {payload}"
                ),
            ),
        }
    }

    /// For the log: `success`, or the error's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Report::Success { .. } => "success",
            Report::Failure { error, .. } => error,
        }
    }

    /// The worker was told to stop and the task did not end in time. It is reported rather than left to its
    /// HeartbeatSeconds: a Retry that names `Runner.Drained` starts it elsewhere at once, and a task without a
    /// heartbeat would hang for ever.
    pub(crate) fn drained(worker_name: &str) -> Report {
        Report::failure(
            "Runner.Drained",
            &format!("The worker {worker_name} was stopped while the task ran."),
        )
    }

    /// The server would not have the output.
    pub(crate) fn refused_output(problem: &str) -> Report {
        Report::failure("Runtime.MarshalError", &format!("The function's result was refused: {problem}"))
    }

    fn success(payload: &[u8], activity_arn: &str) -> Report {
        if payload.len() > OUTPUT_BYTES_MAX {
            let cause = format!(
                "The state/task '{activity_arn}' returned a result with a size exceeding the maximum number of bytes \
                 service limit."
            );
            return Report::failure("States.DataLimitExceeded", &cause);
        }
        let payload = if payload.is_empty() { b"null" } else { payload };
        match std::str::from_utf8(payload) {
            Ok(text) => match serde_json::from_str::<&serde_json::value::RawValue>(text) {
                Ok(_) => Report::Success { output: text.to_owned() },
                Err(problem) => Report::refused_output(&format!("it is not JSON: {problem}")),
            },
            Err(problem) => Report::refused_output(&format!("it is not UTF-8: {problem}")),
        }
    }

    fn failure(error: &str, cause: &str) -> Report {
        Report::Failure { error: cut(error, ERROR_LENGTH_MAX), cause: cut(cause, CAUSE_LENGTH_MAX) }
    }
}

/// What a report may have to name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskFacts<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) activity_arn: &'a str,
    pub(crate) deadline: Option<std::time::Duration>,
}

fn cut(text: &str, length_max: usize) -> String {
    text.chars().take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: TaskFacts<'_> = TaskFacts {
        request_id: "id-1",
        activity_arn: "arn:aws:states:us-east-1:000000000000:activity:a",
        deadline: Some(std::time::Duration::from_secs(2)),
    };

    fn of(outcome: Outcome) -> Report {
        Report::of(Ending::Answered(outcome), &FACTS).0
    }

    fn name_of(report: Report) -> String {
        match report {
            Report::Failure { error, .. } => error,
            Report::Success { output } => panic!("a success: {output}"),
        }
    }

    #[test]
    fn results_pass_through_byte_for_byte() {
        for (payload, output) in [("{ \"a\" : 1.0 }", "{ \"a\" : 1.0 }"), ("", "null"), ("\"é\"", "\"é\"")]
        {
            assert_eq!(of(Outcome::Response(payload.into())), Report::Success { output: output.to_owned() });
        }
    }

    #[test]
    fn results_that_no_state_can_hold_are_failures() {
        let string = |bytes: usize| Outcome::Response(format!("\"{}\"", "x".repeat(bytes - 2)).into());
        assert!(matches!(of(string(OUTPUT_BYTES_MAX)), Report::Success { .. }));
        assert_eq!(name_of(of(string(OUTPUT_BYTES_MAX + 1))), "States.DataLimitExceeded");
        assert_eq!(name_of(of(Outcome::Response("{".into()))), "Runtime.MarshalError");
        assert_eq!(name_of(of(Outcome::Response(vec![b'"', 0xff, b'"'].into()))), "Runtime.MarshalError");
    }

    #[test]
    fn errors_are_named_as_for_a_lambda_function() {
        let body = r#"{"errorMessage": "x", "errorType": "KeyError"}"#;
        let error = ErrorBody::posted(body.into(), None);
        let expected = Report::Failure { error: "KeyError".into(), cause: body.into() };
        assert_eq!(of(Outcome::FunctionError(error)), expected);

        let Report::Failure { error, cause } = Report::of(Ending::TimedOut, &FACTS).0 else { panic!() };
        assert_eq!(error, "Lambda.Unknown");
        assert!(
            cause.contains("Returned payload: {") && cause.contains("Task timed out after 2.00 seconds"),
            "{cause}"
        );
        assert_eq!(name_of(of(Outcome::ResponseTooLarge)), "Function.ResponseSizeTooLarge");
    }

    #[test]
    fn long_errors_are_cut_at_characters() {
        let body =
            serde_json::json!({"errorType": "é".repeat(300), "errorMessage": "é".repeat(40_000)}).to_string();
        let Report::Failure { error, cause } =
            of(Outcome::FunctionError(ErrorBody::posted(body.into(), None)))
        else {
            panic!()
        };
        assert_eq!((error.chars().count(), cause.chars().count()), (ERROR_LENGTH_MAX, CAUSE_LENGTH_MAX));
    }
}
