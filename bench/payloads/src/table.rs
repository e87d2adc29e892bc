//! The figures for people, as tables, and for programs, as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::limits::Floor;
use crate::measure::{Chain, Cost, Growth};

/// Everything that one run of the benchmark measured.
#[derive(Default)]
pub struct Report {
    /// The floors of each document, by its bytes.
    pub floors: Vec<(usize, Vec<Floor>)>,
    /// Every chain.
    pub chains: Vec<Chain>,
    /// What grows with the document, by the chain's name and its number of states.
    pub growths: Vec<(&'static str, usize, Growth)>,
}

impl Report {
    /// Three tables.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let written = self.write(&mut out);
        debug_assert!(written.is_ok(), "a String takes every text");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "What the machine needs for one document")?;
        writeln!(out, "{:>9}  {:<18} {:>12} {:>12} {:>10}", "document", "", "allocations", "bytes", "time")?;
        for (bytes, floors) in &self.floors {
            for floor in floors {
                let Cost { count, time } = floor.cost;
                let (name, time) = (floor.name, shown(time));
                let document = format!("{} KiB", bytes.div_ceil(1024));
                writeln!(
                    out,
                    "{document:>9}  {name:<18} {:>12} {:>12} {time:>10}",
                    count.allocations, count.bytes
                )?;
            }
        }
        writeln!(out, "\nChains: for each state, the start and the end shared among them")?;
        writeln!(
            out,
            "{:>9} {:>6}  {:<11} {:>12} {:>12} {:>12} {:>10} {:>10} {:>14}",
            "document", "states", "", "allocations", "bytes", "journal", "decide", "encode", "parse+write"
        )?;
        for chain in &self.chains {
            let states = chain.states as f64;
            let each = |whole: u64| whole as f64 / states;
            let time = |time: Duration| shown(time.div_f64(states));
            writeln!(
                out,
                "{:>9} {:>6}  {:<11} {:>12.1} {:>12.0} {:>12.0} {:>10} {:>10} {:>14.3}",
                format!("{} KiB", chain.input_bytes.div_ceil(1024)),
                chain.states,
                chain.shape.name,
                each(chain.decide.count.allocations),
                each(chain.decide.count.bytes),
                each(chain.journal_bytes as u64),
                time(chain.decide.time),
                time(chain.encode.time),
                self.ratio(chain)
            )?;
        }
        writeln!(out, "\nWhat a whole run does with the document itself, however many states it passes")?;
        writeln!(
            out,
            "{:>6}  {:<11} {:>8} {:>24} {:>20}",
            "states", "", "parses", "bytes per byte of it", "times in the journal"
        )?;
        for (name, states, growth) in &self.growths {
            writeln!(
                out,
                "{states:>6}  {name:<11} {:>8.2} {:>24.2} {:>20.2}",
                growth.parses, growth.bytes, growth.journaled
            )?;
        }
        Ok(())
    }

    /// A state's time against one parse and one writing of its document with serde_json: what an interpreter that goes
    /// through text at each state cannot be below.
    fn ratio(&self, chain: &Chain) -> f64 {
        let floors = self.floors.iter().find(|(bytes, _)| *bytes == chain.input_bytes);
        let through_text: Duration = floors
            .into_iter()
            .flat_map(|(_, floors)| floors)
            .filter(|floor| ["parse, serde_json", "write, serde_json"].contains(&floor.name))
            .map(|floor| floor.cost.time)
            .sum();
        chain.decide.time.as_secs_f64() / chain.states as f64 / through_text.as_secs_f64()
    }

    /// The same, with nothing rounded.
    pub fn json(&self) -> Value {
        let cost = |cost: Cost| {
            json!({
                "allocations": cost.count.allocations,
                "bytes": cost.count.bytes,
                "nanoseconds": cost.time.as_nanos() as u64,
            })
        };
        let floors = self.floors.iter().flat_map(|(bytes, floors)| {
            floors.iter().map(
                move |floor| json!({"document_bytes": bytes, "what": floor.name, "cost": cost(floor.cost)}),
            )
        });
        let chains = self.chains.iter().map(|chain| {
            json!({
                "document_bytes": chain.input_bytes,
                "states": chain.states,
                "shape": chain.shape.name,
                "decide": cost(chain.decide),
                "encode": cost(chain.encode),
                "journal_bytes": chain.journal_bytes,
                "state_per_parse_and_write": self.ratio(chain),
            })
        });
        let growths = self.growths.iter().map(|(shape, states, growth)| {
            json!({
                "shape": shape,
                "states": states,
                "parses": growth.parses,
                "bytes_per_document_byte": growth.bytes,
                "times_in_journal": growth.journaled,
            })
        });
        json!({
            "floors": floors.collect::<Vec<_>>(),
            "chains": chains.collect::<Vec<_>>(),
            "growths": growths.collect::<Vec<_>>(),
        })
    }
}

/// A time with three digits.
fn shown(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.3} us", ns / 1e3),
        ns => format!("{:.3} ms", ns / 1e6),
    }
}
