//! What the demo asserted, for people as it goes and for machines at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

/// The report in the making.
pub(crate) struct Report {
    began: Instant,
    steps: Vec<Value>,
    facts: Map<String, Value>,
    current: Option<Step>,
}

struct Step {
    letter: char,
    title: String,
    began: Instant,
    assertions: Vec<Value>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report { began: Instant::now(), steps: Vec::new(), facts: Map::new(), current: None }
    }

    /// Begins a step of the story.
    pub(crate) fn step(&mut self, letter: char, title: &str) {
        self.close();
        println!("\n({letter}) {title}");
        self.current =
            Some(Step { letter, title: title.into(), began: Instant::now(), assertions: Vec::new() });
    }

    /// Says something that is not asserted.
    pub(crate) fn say(&self, text: &str) {
        for line in text.lines() {
            println!("    {line}");
        }
    }

    /// Keeps a fact for the machines.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.into(), value.into());
    }

    /// Asserts; the story ends at the first assertion that does not hold.
    pub(crate) fn check(&mut self, what: &str, holds: bool, detail: impl Into<Value>) -> Result<()> {
        let detail = detail.into();
        println!("    {} {what}", if holds { "✓" } else { "✗" });
        if let Some(step) = &mut self.current {
            step.assertions.push(json!({"what": what, "holds": holds, "detail": detail.clone()}));
        }
        if !holds {
            bail!("it does not hold that {what}: {detail}");
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(step) = self.current.take() {
            self.steps.push(json!({
                "step": step.letter.to_string(),
                "title": step.title,
                "seconds": seconds(step.began.elapsed()),
                "assertions": step.assertions,
            }));
        }
    }

    /// Writes the report, whether the story came to its end or not.
    pub(crate) fn write(mut self, file: Option<&Path>, outcome: &Result<()>) -> Result<()> {
        self.close();
        let Some(file) = file else { return Ok(()) };
        let report = json!({
            "passed": outcome.is_ok(),
            "error": outcome.as_ref().err().map(|error| format!("{error:#}")),
            "seconds": seconds(self.began.elapsed()),
            "facts": self.facts,
            "steps": self.steps,
        });
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("the report cannot be written to {}", file.display()))
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A line that moves while something is waited for; nothing where there is no terminal.
pub(crate) fn waiting(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("    {spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
