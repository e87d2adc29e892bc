//! Services and their operations, found in the data.
//!
//! ```text
//!   # KMS 2014-11-01                       what it is
//!   DeleteAlias                            operations; those with an output have its type
//!   Encrypt 0
//!                                          an empty line
//!   s CiphertextBlob:b1..6144 KeyId:t      shapes, numbered from 0
//! ```

/// The services whose outputs are known, by the names of their files.
const KNOWN: &[(&str, &str)] = include!("../data/index.in");

/// Every service of the AWS SDKs, by name.
const NAMES: &str = include_str!("../data/services.txt");

/// A service that AWS has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Its outputs are known.
    Modelled(Model),
    /// Nothing but its name is.
    Named,
}

/// The outputs of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    text: &'static str,
}

/// An operation of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The type of its output, if it has one.
    pub(crate) output: Option<&'static str>,
    model: Model,
}

/// Finds a service by the name that it has in resources of AWS SDK integrations: `kms`, `cloudwatchlogs`, `sfn`.
pub fn service(name: &str) -> Option<Service> {
    match KNOWN.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Some(Service::Modelled(Model { text })),
        None => NAMES.lines().any(|known| known == name).then_some(Service::Named),
    }
}

impl Model {
    /// Finds an operation by its name, whose first letter may be small as in resources.
    pub fn operation(self, name: &str) -> Option<Operation> {
        let (_, output) = self.operations().find(|(known, _)| same_name(known, name))?;
        Some(Operation { output, model: self })
    }

    /// The operations with the types of their outputs.
    fn operations(self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        let lines = self.text.lines().skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.split_once(' ').map_or((line, None), |(name, output)| (name, Some(output))))
    }

    #[cfg(test)]
    pub(crate) fn operation_names(self) -> impl Iterator<Item = &'static str> {
        self.operations().map(|(name, _)| name)
    }
}

impl Operation {
    /// The lines of the shapes, which types name by number.
    pub(crate) fn shapes(self) -> Vec<&'static str> {
        self.model.text.split_once("\n\n").map(|(_, shapes)| shapes.lines().collect()).unwrap_or_default()
    }
}

fn same_name(known: &str, name: &str) -> bool {
    let (mut known, mut name) = (known.chars(), name.chars());
    match (known.next(), name.next()) {
        (Some(first), Some(other)) => first.eq_ignore_ascii_case(&other) && known.as_str() == name.as_str(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_operations_have_the_names_of_resources() {
        let operation = |name: &str, operation: &str| match service(name) {
            Some(Service::Modelled(model)) => model.operation(operation).map(|found| found.output.is_some()),
            Some(Service::Named) => panic!("{name} has no model"),
            None => panic!("there is no service {name}"),
        };
        assert_eq!(operation("kms", "encrypt"), Some(true));
        assert_eq!(operation("kms", "Encrypt"), Some(true));
        assert_eq!(operation("kms", "deleteAlias"), Some(false));
        assert_eq!(operation("kms", "encryp"), None);
        assert_eq!(operation("kms", ""), None);
        assert_eq!(operation("sfn", "startExecution"), Some(true));
        assert_eq!(operation("cloudwatchlogs", "putLogEvents"), Some(true));
        assert_eq!(service("ec2"), Some(Service::Named));
        assert_eq!(service("nothing"), None);
    }

    #[test]
    fn every_file_is_in_the_index_and_every_service_has_a_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/outputs");
        let mut files: Vec<String> = (std::fs::read_dir(folder).expect("the folder of data can be read"))
            .map(|file| {
                file.expect("the folder of data can be read").file_name().into_string().expect("a name")
            })
            .collect();
        files.sort();
        let known: Vec<String> = KNOWN.iter().map(|(name, _)| format!("{name}.txt")).collect();
        assert_eq!(files, known);
        for (name, _) in KNOWN {
            assert!(NAMES.lines().any(|service| service == *name), "{name}");
        }
    }
}
