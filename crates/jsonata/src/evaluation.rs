//! Programs run: in surroundings, on one thread, within bounds.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::json::Json;
use asl::jsonata::{Evaluation, Jsonata, Program, Refusal, Surroundings, Thrown};
use indexmap::IndexMap;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{CancelToken, Context, Evaluator as Core, EvaluatorOptions};
use jsonata_core::value::JValue;

use crate::chance::Chance;
use crate::compile::{self, Compiled};
use crate::errors::{Failure, MEMORY};
use crate::functions::{self, Moment};
use crate::limits::Limits;
use crate::member::Found;
use crate::meter::Metering;
use crate::names::Names;
use crate::observation::Seen;
use crate::quiet;
use crate::values::{self, NotJson};

/// JSONata as AWS has it, within [`Limits`].
#[derive(Clone, Debug, Default)]
pub struct Evaluator {
    limits: Limits,
}

impl Evaluator {
    /// An evaluator with these bounds for each evaluation.
    pub fn new(limits: Limits) -> Evaluator {
        Evaluator { limits }
    }
}

impl Jsonata for Evaluator {
    fn compile(&self, source: &str) -> Result<Program, Refusal> {
        compile::compile(source, &self.limits)
    }

    fn begin<'a>(&'a self, surroundings: &'a dyn Surroundings) -> Box<dyn Evaluation + 'a> {
        Box::new(Session::new(self.limits, surroundings))
    }
}

/// The stack under an expression that makes functions. Address space, of which only what is used becomes memory.
const FUNCTIONS_STACK_BYTES: usize = 1 << 30;

/// Evaluations that share what they converted, and one stream of random numbers.
pub(crate) struct Session<'a> {
    limits: Limits,
    surroundings: &'a dyn Surroundings,
    variables: HashMap<Arc<str>, Option<JValue>>,
    states: HashMap<Arc<str>, Option<JValue>>,
    moment: OnceCell<Moment>,
    spent: Duration,
}

/// The members that `$states` can have: those an expression means that takes it whole.
const STATES_MEMBERS: [&str; 4] = ["input", "result", "errorOutput", "context"];

impl<'a> Session<'a> {
    pub(crate) fn new(limits: Limits, surroundings: &'a dyn Surroundings) -> Session<'a> {
        Session {
            limits,
            surroundings,
            variables: HashMap::new(),
            states: HashMap::new(),
            moment: OnceCell::new(),
            spent: Duration::ZERO,
        }
    }

    fn run(&mut self, compiled: &Compiled) -> Result<Option<Json>, Thrown> {
        if let Some(path) = &compiled.member_path
            && let Found::Value(value) = path.find(self.surroundings)
        {
            return Ok(value);
        }
        self.run_on(compiled, &JValue::Undefined)
    }

    /// Evaluates with a context item.
    pub(crate) fn run_on(&mut self, compiled: &Compiled, input: &JValue) -> Result<Option<Json>, Thrown> {
        if !compiled.guarded.chains_functions {
            return self.run_here(compiled, input);
        }
        // A function holds what it was made with, perhaps a function again: the library drops such a chain by recursion,
        // one call for each link. There are no longer chains than fit into the heap's bound.
        stacker::grow(FUNCTIONS_STACK_BYTES, || self.run_here(compiled, input))
    }

    fn run_here(&mut self, compiled: &Compiled, input: &JValue) -> Result<Option<Json>, Thrown> {
        let flag = CancelToken::new();
        let _metering = Metering::begin(self.limits.heap_bytes, flag.clone());
        let begun = Instant::now();
        let context = self.context(&compiled.names);
        let chance = self.moment().chance.position();
        let tree = compiled.guarded.tree(|name| self.variables.get(name).is_some_and(Option::is_some));
        let mut core = Core::with_options(context, self.options(flag.clone(), Duration::ZERO));
        functions::register(&mut core, &compiled.guarded.functions, self.moment())
            .map_err(|_| Thrown::Internal)?;
        let value = match core.evaluate(&tree, input) {
            Ok(value) => value,
            Err(failure) => {
                let failure = Failure::of(&failure, &self.limits);
                drop(core);
                let spent = begun.elapsed();
                let seen = if failure.wants_observation() && self.leaves_time(spent) {
                    self.moment().chance.go_back_to(chance);
                    self.observe(compiled, tree.into_owned(), input, self.options(flag, spent))
                        .filter(|(again, _)| again.has_code_of(&failure))
                        .map(|(_, seen)| seen)
                } else {
                    None
                };
                return Err(failure.thrown(seen.as_ref()));
            }
        };
        values::to_json(&value, self.limits.text_bytes, &flag).map_err(|problem| match problem {
            NotJson::Function => Thrown::Function,
            NotJson::TooLong => Thrown::Limit(MEMORY.to_owned()),
        })
    }

    /// Lets a failed evaluation fail again, watched.
    fn observe(
        &mut self,
        compiled: &Compiled,
        mut tree: AstNode,
        input: &JValue,
        options: EvaluatorOptions,
    ) -> Option<(Failure, Seen)> {
        let seen = Seen::watch(&mut tree);
        let mut core = Core::with_options(self.context(&compiled.names), options);
        functions::register(&mut core, &compiled.guarded.functions, self.moment()).ok()?;
        seen.register(&mut core).ok()?;
        let again = core.evaluate(&tree, input).err()?;
        Some((Failure::of(&again, &self.limits), seen))
    }

    /// The bounds of an evaluation of which `spent` is over.
    fn options(&self, flag: CancelToken, spent: Duration) -> EvaluatorOptions {
        let spent_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        let left_ms = self.surroundings.budget_ms().saturating_sub(self.spent_ms());
        EvaluatorOptions {
            timeout_ms: Some(self.limits.time_ms.min(left_ms).saturating_sub(spent_ms)),
            cancel: Some(flag),
            max_stack_depth: Some(self.limits.core_depth()),
            max_sequence_length: Some(self.limits.sequence_items),
        }
    }

    /// Whether what took `spent` can be done once more within the bound.
    fn leaves_time(&self, spent: Duration) -> bool {
        spent.as_millis() * 4 < u128::from(self.limits.time_ms)
    }

    /// What the program names, bound.
    fn context(&mut self, names: &Names) -> Context {
        let mut context = Context::new();
        for name in names.variables.iter().chain(&names.builtins) {
            let surroundings = self.surroundings;
            let value = self
                .variables
                .entry(name.clone())
                .or_insert_with(|| surroundings.variable(name).as_ref().map(values::to_core));
            if let Some(value) = value {
                context.bind(name.to_string(), value.clone());
            }
        }
        if names.builtins.iter().any(|name| **name == *"eval") {
            // AWS has none: calling it is calling something undefined.
            context.bind("eval".to_owned(), JValue::Undefined);
        }
        if names.whole_states || !names.states.is_empty() {
            context.bind("states".to_owned(), self.states_of(names));
        }
        context
    }

    /// `$states` with the members that the program names.
    fn states_of(&mut self, names: &Names) -> JValue {
        let members: Vec<Arc<str>> = match names.whole_states {
            true => STATES_MEMBERS.map(Arc::from).to_vec(),
            false => names.states.clone(),
        };
        let mut object = IndexMap::with_capacity(members.len());
        for name in members {
            let surroundings = self.surroundings;
            let value = self
                .states
                .entry(name.clone())
                .or_insert_with(|| surroundings.states(&name).as_ref().map(values::to_core));
            if let Some(value) = value {
                object.insert(name.to_string(), value.clone());
            }
        }
        JValue::object(object)
    }

    fn moment(&self) -> &Moment {
        self.moment.get_or_init(|| Moment {
            now_ms: self.surroundings.now_ms(),
            chance: Rc::new(Chance::new(self.surroundings.seed())),
            limits: self.limits,
            counters: Rc::default(),
        })
    }
}

impl Evaluation for Session<'_> {
    fn evaluate(&mut self, program: &Program) -> Result<Option<Json>, Thrown> {
        let compiled = program.code.downcast_ref::<Compiled>().ok_or(Thrown::Internal)?;
        let begun = Instant::now();
        // What a panic could leave half done is dropped with the evaluator; the session's own maps are only added to.
        let outcome = quiet::caught(|| catch_unwind(AssertUnwindSafe(|| self.run(compiled))));
        self.spent += begun.elapsed();
        outcome.unwrap_or(Err(Thrown::Internal))
    }

    fn spent_ms(&self) -> u64 {
        u64::try_from(self.spent.as_millis()).unwrap_or(u64::MAX)
    }
}
