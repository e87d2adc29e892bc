//! The runner as its users start it: the built program, real `lambda_runtime` functions (and awslambdaric where
//! `LOVELESS_TEST_PYTHON` names a Python that has it), against a Step Functions server that plays a script.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod functions;
mod modes;
mod process;
mod server;
mod worker;
