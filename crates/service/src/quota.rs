//! How much there may be of everything: AWS's quotas, or the operator's.
//!
//! Under `compat = strict` every number is AWS's (asl-facts 22), so a program that runs into one here would have run
//! into it there. Under `compat = extended` the numbers below are larger, and each may be set. What AWS throttles by
//! rate is not throttled here: a slower answer is no other answer.

use engine::Limits;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Every quota that this service enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// State machines.
    pub machines_max: usize,
    /// Activities.
    pub activities_max: usize,
    /// STANDARD executions that have not ended.
    pub open_executions_max: usize,
    /// Versions of one machine.
    pub versions_max: usize,
    /// Aliases of one machine.
    pub aliases_max: usize,
    /// Tags of one resource.
    pub tags_max: usize,
    /// Workers that poll one activity at a time.
    pub pollers_max: usize,
    /// What the engine enforces: payloads, variables, histories, how long an execution may run and when it may be
    /// redriven.
    pub limits: Limits,
}

impl Quotas {
    /// AWS's.
    pub const STRICT: Quotas = Quotas {
        machines_max: 100_000,
        activities_max: 100_000,
        open_executions_max: 1_000_000,
        versions_max: 1000,
        aliases_max: 100,
        tags_max: 50,
        pollers_max: 1000,
        limits: Limits::STRICT,
    };

    /// Where AWS's numbers are those of a shared service and not of the machine that this runs on.
    pub const EXTENDED: Quotas = Quotas {
        // The catalogue is read by key and by page, so what bounds these is the disk.
        machines_max: 1_000_000,
        activities_max: 1_000_000,
        open_executions_max: 10_000_000,
        // Kept below what one listing under the lock of the catalogue should read.
        versions_max: 10_000,
        aliases_max: 1000,
        // Tags lie in the row of their resource, which every start reads.
        tags_max: 200,
        // Each is a connection, and the port takes about as many.
        pollers_max: 8000,
        limits: Limits {
            // The longest payload member of the service's model (GetActivityTask), so clients take it.
            payload_bytes_max: 1_048_576,
            // A history is read by page; a redo reads what came after the last checkpoint.
            history_events_max: 250_000,
            execution_ms_max: Some(10 * 365 * DAY_MS),
            // As long as executions are kept unless the operator says otherwise.
            redrive_ms_max: Some(90 * DAY_MS),
            ..Limits::STRICT
        },
    };

    /// The names by which an operator sets quotas, with what each is now.
    pub fn named(&mut self) -> [(&'static str, Setting<'_>); 11] {
        [
            ("state-machines", Setting::Count(&mut self.machines_max)),
            ("activities", Setting::Count(&mut self.activities_max)),
            ("open-executions", Setting::Count(&mut self.open_executions_max)),
            ("versions", Setting::Count(&mut self.versions_max)),
            ("aliases", Setting::Count(&mut self.aliases_max)),
            ("tags", Setting::Count(&mut self.tags_max)),
            ("pollers", Setting::Count(&mut self.pollers_max)),
            ("execution-days", Setting::Days(&mut self.limits.execution_ms_max)),
            ("redrive-days", Setting::Days(&mut self.limits.redrive_ms_max)),
            ("payload-bytes", Setting::Count(&mut self.limits.payload_bytes_max)),
            ("history-events", Setting::Events(&mut self.limits.history_events_max)),
        ]
    }

    /// Sets a quota by its name.
    ///
    /// # Errors
    /// No quota has this name, or the number is out of its range.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), String> {
        let mut named = self.named();
        let names = named.each_ref().map(|(name, _)| *name).join(", ");
        let Some((_, setting)) = named.iter_mut().find(|(known, _)| *known == name) else {
            return Err(format!("there is no limit '{name}'; there are {names}"));
        };
        let bounds = match name {
            // A start names its input several times in one step, and a body is held in memory.
            "payload-bytes" => 1024..=16 * 1024 * 1024,
            // What an execution needs to start and to tell that its history is full, and what 32 bits count.
            "history-events" => 10..=100_000_000,
            // A hundred years in milliseconds fit any clock.
            "execution-days" | "redrive-days" => 1..=36_500,
            _ => 1..=1_000_000_000,
        };
        if !bounds.contains(&value) {
            return Err(format!("the limit {name} lies between {} and {}", bounds.start(), bounds.end()));
        }
        let count = usize::try_from(value).map_err(|_| format!("{value} is too much for {name}"))?;
        match setting {
            Setting::Count(max) => **max = count,
            Setting::Events(max) => **max = value,
            Setting::Days(ms) => **ms = Some(value.cast_signed() * DAY_MS),
        }
        Ok(())
    }
}

/// One quota that can be set, and in which unit.
#[derive(Debug)]
pub enum Setting<'a> {
    /// How many, or how many bytes.
    Count(&'a mut usize),
    /// How many events.
    Events(&'a mut u64),
    /// Days, kept in milliseconds; `None` is for ever.
    Days(&'a mut Option<i64>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_set_by_its_name() {
        let mut quotas = Quotas::EXTENDED;
        let names = quotas.named().map(|(name, _)| name);
        for name in names {
            let before = quotas;
            quotas.set(name, 2048).unwrap();
            assert_ne!(quotas, before, "{name}");
        }
        assert_eq!((quotas.versions_max, quotas.limits.redrive_ms_max), (2048, Some(2048 * DAY_MS)));
        let unknown = quotas.set("version", 1).unwrap_err();
        assert!(unknown.contains("there is no limit 'version'") && unknown.contains("open-executions"));
        assert_eq!(quotas.set("tags", 0).unwrap_err(), "the limit tags lies between 1 and 1000000000");
    }

    #[test]
    fn extended_is_never_less() {
        let (mut strict, mut extended) = (Quotas::STRICT, Quotas::EXTENDED);
        for ((name, strict), (_, extended)) in strict.named().into_iter().zip(extended.named()) {
            let number = |setting: Setting<'_>| match setting {
                Setting::Count(count) => *count as u64,
                Setting::Events(events) => *events,
                Setting::Days(ms) => ms.map_or(u64::MAX, i64::cast_unsigned),
            };
            assert!(number(extended) >= number(strict), "{name}");
        }
    }
}
