//! JSON as people like to read it: what fits goes on one line. The cases are written with it, so that an update of
//! their expectations changes nothing else.

use asl::json::Json;

const WIDTH: usize = 118;

/// The text of a case file.
pub(crate) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out.push('\n');
    out
}

/// Appends a value; `taken` is what its line already holds.
fn write(value: &Json, indent: usize, taken: usize, out: &mut String) {
    let line = inline(value);
    if indent > 0 && indent + taken + line.chars().count() <= WIDTH {
        return out.push_str(&line);
    }
    match value {
        Json::Object(members) if !members.is_empty() => {
            let entries =
                members.iter().map(|(name, value)| (format!("{}: ", Json::from(name.clone())), value));
            block('{', entries, '}', indent, out);
        }
        Json::Array(items) if !items.is_empty() => {
            block('[', items.iter().map(|item| (String::new(), item)), ']', indent, out);
        }
        _ => out.push_str(&line),
    }
}

fn block<'a>(
    open: char,
    entries: impl Iterator<Item = (String, &'a Json)>,
    close: char,
    indent: usize,
    out: &mut String,
) {
    out.push(open);
    for (index, (name, value)) in entries.enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.push_str(&" ".repeat(indent + 2));
        out.push_str(&name);
        write(value, indent + 2, name.len() + 1, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

fn inline(value: &Json) -> String {
    match value {
        Json::Object(members) if !members.is_empty() => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Json::from(name.clone()), inline(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        _ => value.to_text(),
    }
}
