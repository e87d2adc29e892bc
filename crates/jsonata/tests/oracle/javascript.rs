//! The oracle itself.

use std::path::PathBuf;

use asl::json::Json;
use rquickjs::{CatchResultExt, Context, Function, Object, Promise, Runtime};

use crate::ours::Outcome;

/// Where `cargo xtask test` says that it put the package.
const VARIABLE: &str = "LOVELESS_TEST_JSONATA_JS";

/// A JavaScript engine with jsonata-js in it.
pub(crate) struct Oracle {
    context: Context,
    _runtime: Runtime,
}

/// What is not in jsonata-js: evaluating to one text, in which everything is told.
const GLUE: &str = r#"
globalThis.tell = async function (expression, input) {
    try {
        const compiled = jsonata(expression);
        const states = { input: JSON.parse(input) };
        const value = await compiled.evaluate(undefined, { states });
        if (value === undefined) return JSON.stringify({ undefined: true });
        const isFunction = (value) => typeof value === 'function' || (value && (value._jsonata_lambda || value._jsonata_function));
        let functions = false;
        const text = JSON.stringify(value, (key, value) => {
            if (isFunction(value)) { functions = true; return null; }
            if (typeof value === 'number' && !isFinite(value)) return String(value);
            return value;
        });
        if (functions) return JSON.stringify({ function: true });
        return '{"value":' + text + '}';
    } catch (failure) {
        return JSON.stringify({ code: failure.code || '', message: failure.message || '' });
    }
};
globalThis.complaint = function (expression) {
    try { jsonata(expression); return ''; } catch (failure) { return failure.message; }
};
"#;

impl Oracle {
    /// The oracle, or `None`, which it tells, where it is not there and nobody said that it should be.
    pub(crate) fn summon() -> Option<Oracle> {
        let given = std::env::var_os(VARIABLE).map(PathBuf::from);
        let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/xtask/jsonata-js/node_modules/jsonata/jsonata.js");
        let path = given.clone().unwrap_or(usual);
        match std::fs::read_to_string(&path) {
            Ok(script) => Some(Oracle::of(&script)),
            Err(error) if given.is_some() => panic!("{VARIABLE} names {}: {error}", path.display()),
            Err(_) => {
                println!("skipped: jsonata-js is not at {}; `cargo xtask test` fetches it", path.display());
                None
            }
        }
    }

    fn of(script: &str) -> Oracle {
        let runtime = Runtime::new().expect("a JavaScript engine");
        // Deep recursion in the parser of a debug build needs more than the engine's usual quarter of a megabyte.
        runtime.set_max_stack_size(1024 * 1024);
        let context = Context::full(&runtime).expect("a JavaScript context");
        context.with(|js| {
            // The script looks for a place to put its one name.
            js.eval::<(), _>("globalThis.window = globalThis;").catch(&js).expect("this is JavaScript");
            js.eval::<(), _>(script).catch(&js).expect("jsonata-js is JavaScript");
            js.eval::<(), _>(GLUE).catch(&js).expect("the glue is JavaScript");
        });
        Oracle { context, _runtime: runtime }
    }

    /// The value of an expression that finds `input` under `$states.input`.
    pub(crate) fn evaluate(&self, expression: &str, input: &str) -> Outcome {
        let told: String = self.context.with(|js| {
            let tell: Function = js.globals().get("tell").expect("the glue has it");
            let promise: Promise =
                tell.call((expression, input)).catch(&js).expect("it catches what is thrown");
            promise.finish().catch(&js).expect("it catches what is thrown")
        });
        let told = Json::parse(&told).unwrap_or_else(|error| panic!("{expression}: {error} in {told}"));
        if let Some(value) = told.get("value") {
            return Outcome::Value(value.clone());
        }
        if told.get("undefined").is_some() {
            return Outcome::Undefined;
        }
        if told.get("function").is_some() {
            return Outcome::Function;
        }
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Outcome::Error { code: text("code"), message: text("message") }
    }

    /// What it says against a text as JSONata; empty if nothing.
    pub(crate) fn complaint(&self, expression: &str) -> String {
        self.context.with(|js| {
            let globals: Object = js.globals();
            let complaint: Function = globals.get("complaint").expect("the glue has it");
            complaint.call((expression,)).catch(&js).expect("it catches what is thrown")
        })
    }
}
