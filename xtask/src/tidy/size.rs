//! Small files, short functions.
//!
//! Counts lines as an editor shows them, comments included, because that is what a reader scrolls through; clippy's own
//! lint counts code lines only. Tests count too: a test that needs 150 lines wants to be a table.

use super::Finding;
use super::source::Code;
use super::tree::Tree;

const FUNCTION_LINES_MAX: usize = 150;
const FILE_LINES_MAX: usize = 900;

/// Functions over the limit.
pub(super) fn functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let code = match Code::whole(&file.text) {
            Ok(code) => code,
            Err(error) => {
                findings.push(Finding::new(file.path.clone(), format!("cannot be read as Rust: {error}")));
                continue;
            }
        };
        for function in code.functions().iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let what =
                format!("`{}` has {} lines; at most {FUNCTION_LINES_MAX}", function.name, function.lines);
            findings.push(Finding::new(format!("{}:{}", file.path, function.line), what));
        }
    }
    findings
}

/// Source files over the limit.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    let is_source = |path: &str| [".rs", ".py", ".sh"].iter().any(|end| path.ends_with(end));
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| is_source(&file.path)) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(Finding::new(
                file.path.clone(),
                format!("has {lines} lines; at most {FILE_LINES_MAX}"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn a_function_one_line_too_long_is_found() {
        let function = |inside: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(inside));
        assert_eq!(functions(&samples::file("a.rs", &function(FUNCTION_LINES_MAX - 2))), []);
        assert_eq!(functions(&samples::file("a.rs", &function(FUNCTION_LINES_MAX - 1))).len(), 1);
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        assert_eq!(files(&samples::file("a.rs", &"\n".repeat(FILE_LINES_MAX))), []);
        assert_eq!(files(&samples::file("a.rs", &"\n".repeat(FILE_LINES_MAX + 1))).len(), 1);
        assert_eq!(files(&samples::file("a.json", &"\n".repeat(FILE_LINES_MAX + 1))), []);
    }
}
