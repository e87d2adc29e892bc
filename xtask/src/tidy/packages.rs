//! Few packages: every one is code that somebody must trust, build and update.

use super::Finding;
use super::purity::PURE;
use super::tree::Tree;

/// Packages in `Cargo.lock`. Raise it in the commit that needs it, and say there what the new ones are for.
const PACKAGES_MAX: usize = 405;
/// Direct dependencies of a crate below the line.
const PURE_DIRECT_MAX: usize = 9;

/// Pure crates that lean on too much.
pub(super) fn direct(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| PURE.iter().any(|(name, _)| *name == package.name)) {
        let count = package.direct.len();
        if count > PURE_DIRECT_MAX {
            let what = format!("has {count} direct dependencies; at most {PURE_DIRECT_MAX}");
            findings.push(Finding::new(package.name.clone(), what));
        }
    }
    findings
}

/// A lock file that outgrew its cap.
pub(super) fn locked(tree: &Tree) -> Vec<Finding> {
    let count = tree.packages_locked;
    if count <= PACKAGES_MAX {
        return Vec::new();
    }
    vec![Finding::new("Cargo.lock", format!("names {count} packages; at most {PACKAGES_MAX}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn one_dependency_too_many_is_found() {
        let names: Vec<String> = (0..=PURE_DIRECT_MAX).map(|index| format!("d{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(direct(&samples::package("asl", &names, &[])).len(), 1);
        assert_eq!(direct(&samples::package("asl", &names[1..], &[])), []);
        assert_eq!(direct(&samples::package("service", &names, &[])), []);
    }

    #[test]
    fn one_package_too_many_is_found() {
        let tree = |packages_locked| Tree { packages_locked, ..Tree::default() };
        assert_eq!(locked(&tree(PACKAGES_MAX)), []);
        assert_eq!(locked(&tree(PACKAGES_MAX + 1)).len(), 1);
    }
}
