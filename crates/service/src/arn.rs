//! ARNs: how resources are named, and the one way to read such a name.

use store::ExecutionId;

use crate::refusal::Refusal;

/// The longest name of a machine, an execution or an activity, in characters.
const NAME_CHARS_MAX: usize = 80;

/// Where this server is, as its ARNs say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `us-east-1` unless configured.
    pub region: String,
    /// `000000000000` unless configured.
    pub account: String,
}

impl Place {
    /// A state machine.
    pub fn machine(&self, name: &str) -> String {
        self.states("stateMachine", name)
    }

    /// A version or an alias of a machine.
    pub fn qualified(&self, machine: &str, qualifier: &str) -> String {
        self.states("stateMachine", &format!("{machine}:{qualifier}"))
    }

    /// An execution of a machine.
    pub fn execution(&self, machine: &str, name: &str) -> String {
        self.states("execution", &format!("{machine}:{name}"))
    }

    /// One run of an EXPRESS machine: a name may have many, and the last part tells them apart.
    pub fn express(&self, machine: &str, name: &str, run: &str) -> String {
        self.states("express", &format!("{machine}:{name}:{run}"))
    }

    /// What tries a state: an express execution that is not kept (recorded).
    pub fn trial(&self, machine: &str, name: &str) -> String {
        self.states("express", &format!("{machine}:{name}"))
    }

    /// A Map Run.
    pub fn map_run(&self, machine: &str, label: &str, uuid: &str) -> String {
        self.states("mapRun", &format!("{machine}/{label}:{uuid}"))
    }

    /// An activity.
    pub fn activity(&self, name: &str) -> String {
        self.states("activity", name)
    }

    fn states(&self, kind: &str, rest: &str) -> String {
        format!("arn:aws:states:{}:{}:{kind}:{rest}", self.region, self.account)
    }
}

/// A resource of Step Functions, read from its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatesArn<'a> {
    /// `stateMachine`, `execution`, `activity`, …
    pub kind: &'a str,
    /// What stands behind the kind, split at colons.
    pub parts: Vec<&'a str>,
}

impl<'a> StatesArn<'a> {
    /// Reads an ARN of one of these kinds.
    ///
    /// # Errors
    /// [`Refusal::InvalidArn`] with AWS's text.
    pub fn parse(arn: &'a str, kinds: &[&str]) -> Result<StatesArn<'a>, Refusal> {
        let mut parts = arn.split(':');
        if parts.next() != Some("arn") || arn.is_empty() {
            return Err(Refusal::InvalidArn(format!("Invalid ARN prefix: {arn}")));
        }
        let (_partition, service, _region, _account) =
            (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some("states"), Some(kind)) = (service, parts.next()) else {
            return Err(Refusal::InvalidArn(format!("Invalid ARN: {arn}")));
        };
        if !kinds.contains(&kind) {
            return Err(Refusal::InvalidArn(format!("Resource type not valid in this context: {kind}")));
        }
        let parts: Vec<&str> = parts.collect();
        if parts.is_empty() || parts.iter().any(|part| part.is_empty()) {
            return Err(Refusal::InvalidArn(format!("Invalid ARN: {arn}")));
        }
        Ok(StatesArn { kind, parts })
    }
}

/// An execution of a STANDARD machine.
pub(crate) fn execution_id(arn: &str) -> Result<ExecutionId, Refusal> {
    StatesArn::parse(arn, &["execution"])?;
    Ok(ExecutionId::of(arn))
}

/// An execution that can be described: one of a STANDARD machine, or any child of a Map Run (asl-facts 6), whose machine's
/// name has a label.
pub(crate) fn described_id(arn: &str) -> Result<ExecutionId, Refusal> {
    let parsed = StatesArn::parse(arn, &["execution", "express"])?;
    if parsed.kind == "express" && !parsed.parts[0].contains('/') {
        return execution_id(arn);
    }
    Ok(ExecutionId::of(arn))
}

/// Checks a name as AWS does (asl-facts 5, recorded).
///
/// # Errors
/// [`Refusal::InvalidName`] with the name.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| {
        c.is_whitespace()
            || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c)
            || ('\u{0}'..='\u{1f}').contains(&c)
            || ('\u{7f}'..='\u{9f}').contains(&c)
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{10ffff}')
    };
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || name.chars().any(forbidden) {
        return Err(Refusal::InvalidName(name.to_owned()));
    }
    Ok(())
}
