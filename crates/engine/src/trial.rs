//! One state, tried alone: what TestState gives in place of the world, and what it gets to see.
//!
//! A trial is no second interpreter. [`apply`](crate::apply) runs the state as it runs any other; where a trial hangs on
//! the moment's [`World`](crate::World), the execution begins at the state that is tried and ends when it is left, and
//! the values between its fields are told. An execution has no trial, and pays one look at `None` for each of these
//! places.

pub(crate) mod map;

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use asl::json::Json;
use asl::machine::StateId;
use asl::states::work::Work;

use crate::execution::FrameId;
use crate::failure::{Failure, Raised};
use crate::flow::Outcome;
use crate::step::{Data, Site, Step};

/// A state under trial.
#[derive(Debug)]
pub struct Trial {
    /// Which state of the machine.
    pub state: StateId,
    /// Variables that are there before it, with the texts of their values.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
    /// What `$$` is instead of the execution's own.
    pub context: Option<Json>,
    /// What a Parallel or Map comes to, instead of running anything.
    pub mock: Option<Mock>,
    /// Retries that the state has had.
    pub retries: u32,
    /// Iterations of a Map that failed.
    pub failed_iterations: Option<u64>,
    /// What a Map's reader read: an array, or an object whose members are the items.
    pub items: Option<Json>,
    seen: RefCell<Seen>,
}

/// What a mocked state comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mock {
    /// This result, a JSON text.
    Result(Arc<str>),
    /// This failure.
    Failure(Failure),
}

/// A place between two fields of a state, in the order in which data passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// After `InputPath`.
    InputPath,
    /// After `Parameters`.
    Parameters,
    /// After `Arguments`.
    Arguments,
    /// After `ItemsPath`.
    ItemsPath,
    /// After `ItemSelector`: the array of what each iteration gets.
    ItemSelector,
    /// After `ItemsPointer`.
    ItemsPointer,
    /// After `ItemBatcher`: the array of what each child gets.
    ItemBatcher,
    /// The result, raw.
    Result,
    /// After `ResultSelector`.
    ResultSelector,
    /// After `ResultPath`.
    ResultPath,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The texts at the places that data passed.
    pub texts: Vec<(Station, Arc<str>)>,
    /// What a Map's numbers came to, once it has its items.
    pub map: Option<MapNumbers>,
    /// What went wrong in the state, whether or not something handled it.
    pub failure: Option<Failure>,
    /// The retrier that is for it, and its delay in milliseconds.
    pub retry: Option<(usize, u64)>,
    /// The catcher that is for it.
    pub caught: Option<usize>,
    /// Where the state led to, and with what.
    pub left: Option<Left>,
}

/// A state that was left.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// To which state, if not out of the container.
    pub next: Option<StateId>,
    /// With this output.
    pub output: Arc<str>,
    /// With these variables, by name.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
}

/// A Map's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapNumbers {
    /// How many items there are, unless a reader would have to read them.
    pub items: Option<usize>,
    /// `MaxConcurrency`, 0 when the definition gives none.
    pub concurrency: u64,
    /// `ToleratedFailureCount`.
    pub tolerated_count: Option<u64>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_percentage: Option<f64>,
}

impl Trial {
    /// A trial of a state as it is, with nothing given.
    pub fn of(state: StateId) -> Trial {
        Trial {
            state,
            variables: Vec::new(),
            context: None,
            mock: None,
            retries: 0,
            failed_iterations: None,
            items: None,
            seen: RefCell::default(),
        }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Ref<'_, Seen> {
        self.seen.borrow()
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        self.seen.borrow_mut().failure = Some(failure.clone());
    }

    pub(crate) fn retried(&self, retrier: usize, delay_ms: u64) {
        self.seen.borrow_mut().retry = Some((retrier, delay_ms));
    }

    pub(crate) fn caught(&self, catcher: usize) {
        self.seen.borrow_mut().caught = Some(catcher);
    }

    pub(crate) fn left(&self, left: Left) {
        self.seen.borrow_mut().left = Some(left);
    }

    fn counted(&self, numbers: MapNumbers) {
        self.seen.borrow_mut().map = Some(numbers);
    }
}

impl<'a> Step<'a> {
    /// Shows data to whoever tries the state; nobody does in an execution.
    pub(crate) fn show(&self, station: Station, data: &Data) {
        let Some(trial) = self.trial else { return };
        let text = match data {
            Data::Named(id) => self.text(*id),
            Data::Text(payload) => payload.text.clone(),
            // Beyond what a payload may be there is nothing to show: the state fails of it.
            Data::Value(value) => match value.to_text_within(self.limits.payload_bytes_max) {
                Ok(text) => text.into(),
                Err(_) => return,
            },
        };
        trial.seen.borrow_mut().texts.push((station, text));
    }

    /// What a state that is not run comes to, if it is tried with a mock.
    pub(crate) fn mocked(&mut self, site: &Site<'a>, work: &Work) -> Option<Result<Outcome, Raised>> {
        Some(match self.trial?.mock.as_ref()? {
            Mock::Failure(failure) => Err(Raised::of_task(failure.clone())),
            Mock::Result(text) => {
                let result = self.name_text(text.clone());
                self.finish_work(site, work, Data::Named(result))
            }
        })
    }

    /// The variables of a frame, by name.
    pub(crate) fn own_variables(&self, frame: FrameId) -> Vec<(Arc<str>, Arc<str>)> {
        let own = self.execution.variables.iter().filter(|((of, _), _)| *of == frame);
        own.map(|((_, name), value)| (name.clone(), self.text(*value))).collect()
    }
}
