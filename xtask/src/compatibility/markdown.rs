//! Pieces of Markdown: tables, code, and lists that fold away.
//!
//! Knows nothing of what they say. Whatever comes from data goes through `code`, so that no id can break a table.

use std::fmt::Write;

/// Text as code, whatever it holds.
pub(super) fn code(text: &str) -> String {
    let shown: String =
        text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect();
    if shown.contains('`') { format!("`` {shown} ``") } else { format!("`{shown}`") }
}

/// A table. Vertical bars in its cells are escaped here, since only here they mean something.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    row(&mut text, headings.iter().map(|heading| (*heading).to_owned()));
    row(&mut text, headings.iter().map(|_| "---".to_owned()));
    for cells in rows {
        row(&mut text, cells.iter().map(|cell| cell.replace('|', "\\|")));
    }
    text.push('\n');
    text
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    text.push('|');
    for cell in cells {
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
}

/// A list that is folded away behind its summary.
pub(super) fn folded(summary: &str, items: &[String]) -> String {
    let mut text = format!("<details><summary>{summary}</summary>\n\n");
    text += &list(items);
    text += "\n</details>\n\n";
    text
}

/// A list.
pub(super) fn list(items: &[String]) -> String {
    items.iter().fold(String::new(), |mut text, item| {
        let _ = writeln!(text, "- {item}");
        text
    })
}

/// A number, and a dash for none: a table of zeros hides its numbers.
pub(super) fn number(count: usize) -> String {
    if count == 0 { "–".to_owned() } else { count.to_string() }
}

/// Per cent with one digit, rounded down: what is not whole is never shown as 100.
pub(super) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = part * 1000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_is_rounded_down() {
        assert_eq!(percent(999, 1000), "99.9 %");
        assert_eq!(percent(2999, 3000), "99.9 %");
        assert_eq!(percent(3, 3), "100.0 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn data_cannot_break_a_table() {
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a\u{7}b"), "`a\u{fffd}b`");
        let table = table(&["id"], &[vec![code("name[a|b]")]]);
        assert_eq!(table, "| id |\n| --- |\n| `name[a\\|b]` |\n\n");
    }
}
