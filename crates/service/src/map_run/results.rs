//! What a Map Run returns without an export: the outputs of its children in the order of their items, or what else
//! WriterConfig makes of them. They are kept only while they can fit: a state returns no more than a payload.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::Transformation;
use engine::Failure;

use crate::map_run::export;
use crate::map_run::feed::data_limit;
use crate::map_run::work::Work;
use crate::refusal::Refusal;
use crate::service::Shared;

/// The results of the children that have succeeded.
pub(super) struct Results {
    transformation: Option<Transformation>,
    bytes_max: usize,
    /// Absent texts are read from the children at the end.
    kept: BTreeMap<u32, Option<Arc<str>>>,
    overflow: bool,
}

impl Results {
    pub(super) fn new(work: &Work, bytes_max: usize) -> Results {
        let transformation = work.plan.writer.is_none().then_some(work.transformation);
        Results { transformation, bytes_max, kept: BTreeMap::new(), overflow: false }
    }

    /// Bytes of outputs that are worth having told.
    pub(super) fn room(work: &Work, bytes_max: usize) -> usize {
        let texts = work.plan.writer.is_none() && work.transformation != Transformation::None;
        if texts { bytes_max } else { 0 }
    }

    /// A child has succeeded. `told`: it was told of with its output, if there was room for it.
    pub(super) fn put(&mut self, index: u32, output: Option<Arc<str>>, told: bool) {
        let Some(transformation) = self.transformation else { return };
        if self.overflow {
            return;
        }
        let lost = told && output.is_none() && transformation != Transformation::None;
        self.kept.insert(index, output);
        // Each result has a byte and a comma.
        if lost || self.kept.len() > self.bytes_max / 2 + 1 {
            self.overflow = true;
            self.kept.clear();
        }
    }

    /// The result of the state.
    pub(super) async fn into_text(
        self,
        shared: &Shared,
        work: &Work,
    ) -> Result<Result<String, Failure>, Refusal> {
        let too_large = || Ok(Err(data_limit(&work.state_name)));
        let Some(transformation) = self.transformation.filter(|_| !self.overflow) else { return too_large() };
        let mut text = String::from("[");
        for (index, output) in self.kept {
            let output = match output {
                Some(output) => output,
                None => match export::result_of(shared, work, index, transformation).await? {
                    Some(result) => result,
                    None => continue,
                },
            };
            let mut add = |part: &str| {
                if text.len() > 1 {
                    text.push(',');
                }
                text.push_str(part);
            };
            match (transformation, Json::parse(&output)) {
                (Transformation::Flatten, Ok(Json::Array(items))) => {
                    items.iter().for_each(|item| add(&item.to_text()));
                }
                _ => add(&output),
            }
            if text.len() >= self.bytes_max {
                return too_large();
            }
        }
        text.push(']');
        Ok(Ok(text))
    }
}
