//! The host against real runtimes: `lambda_runtime` functions as local processes and, where a Docker engine answers,
//! as containers built FROM scratch; awslambdaric where `LOVELESS_TEST_PYTHON` names a Python that has it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod containers;
mod endpoint;
mod functions;
mod processes;
mod python;
mod rest;
mod runtime_api;
