//! A YAML text to the tree of the definition it stands for, or the first reason why it stands for none.
//!
//! saphyr's parser gives events with their places; this file builds the tree, resolves anchors and merge keys, and
//! refuses what has no equal in JSON: names that are no strings, tags of other tools, several documents. Aliases share
//! their anchor's node and are counted at full length, so that a few lines cannot unfold into gigabytes.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use self::offsets::Offsets;
use super::node::{Member, Node, Value, quoted};

mod offsets;
mod scalar;

/// The longest definition that is built, as JSON in bytes: the longest that AWS takes has this many characters, of at
/// most four bytes each.
const UNFOLDED_BYTES_MAX: usize = 4 * super::DEFINITION_CHARACTERS_MAX;

/// Why a text is no definition in YAML, and where.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
    pub(crate) help: Option<&'static str>,
}

impl Refusal {
    fn new(span: Range<usize>, message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), span, help: None }
    }
}

/// The tree of the only document in `text`; none if there is no document.
pub(crate) fn read(text: &str) -> Result<Option<Rc<Node>>, Refusal> {
    let offsets = Offsets::new(text);
    let mut builder = Builder::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| {
            // What is missing at the end is shown behind the last thing that is there.
            let at = offsets.byte(error.marker().index()).min(text.trim_end().len());
            Refusal::new(at..at, error.info())
        })?;
        let span = offsets.byte(span.start.index())..offsets.byte(span.end.index());
        builder.event(event, span)?;
    }
    Ok(builder.root)
}

/// A finished value with what an alias to it costs.
#[derive(Clone)]
struct Built {
    node: Rc<Node>,
    /// Its length as compact JSON, or somewhat more: what `<<` brings counts even where a name of its own wins.
    length: usize,
    /// How many arrays and objects are nested in it.
    depth: usize,
}

/// An array or object that is not closed yet.
struct Open {
    span: Range<usize>,
    anchor: usize,
    length: usize,
    depth: usize,
    content: Content,
}

enum Content {
    Array(Vec<Rc<Node>>),
    Object(OpenObject),
}

#[derive(Default)]
struct OpenObject {
    members: Vec<Member>,
    names: HashSet<String>,
    /// The name that waits for its value.
    pending: Option<Pending>,
    /// What `<<` merges in, in its order.
    merged: Vec<Rc<Node>>,
}

struct Pending {
    name: String,
    span: Range<usize>,
    is_merge: bool,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    documents: usize,
    root: Option<Rc<Node>>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Refusal> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refusal::new(
                        span,
                        "A file holds one definition, but another document begins here",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                return self.scalar(&text, style, anchor, tag.as_deref(), span);
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => {
                scalar::check_container_tag(tag.as_deref(), "seq", &span)?;
                self.begin(Content::Array(Vec::new()), anchor, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                scalar::check_container_tag(tag.as_deref(), "map", &span)?;
                self.begin(Content::Object(OpenObject::default()), anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.end(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Range<usize>,
    ) -> Result<(), Refusal> {
        let json = scalar::to_json(text, style, tag, &span)?;
        let is_merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
        let length = json.len();
        let node = Rc::new(Node { span: span.clone(), value: Value::Scalar(json) });
        let built = Built { node, length, depth: 0 };
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        match self.awaits_name() {
            Some(object) => name(object, &built.node, span, is_merge),
            None => self.value(built, &span),
        }
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Refusal> {
        let Some(built) = self.anchors.get(&anchor).cloned() else {
            return Err(Refusal::new(span, "The alias stands inside of what it refers to"));
        };
        match self.awaits_name() {
            Some(object) => name(object, &built.node, span, false),
            None => self.value(built, &span),
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, span: Range<usize>) -> Result<(), Refusal> {
        if self.awaits_name().is_some() {
            return Err(Refusal::new(span, "A name must be a string, and no list or mapping"));
        }
        if self.open.len() >= asl::json::DEPTH_MAX {
            return Err(too_deep(span));
        }
        self.open.push(Open { span, anchor, length: "{}".len(), depth: 1, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let open = self.open.pop().expect("the parser ends only what it began");
        let Open { mut span, anchor, length, depth, content } = open;
        let value = match content {
            Content::Array(items) => Value::Array(items),
            Content::Object(object) => {
                if let (true, Some(first)) = (span.is_empty(), object.members.first()) {
                    // A mapping in block style has no brace to show: its first name stands for it.
                    span = first.name_span.clone();
                }
                Value::Object(object.with_merged())
            }
        };
        let built = Built { node: Rc::new(Node { span: span.clone(), value }), length, depth };
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        self.value(built, &span)
    }

    /// Puts a finished value where it belongs; `span` is where it was written or referred to.
    fn value(&mut self, built: Built, span: &Range<usize>) -> Result<(), Refusal> {
        let around = self.open.len();
        let Some(open) = self.open.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        if around + built.depth > asl::json::DEPTH_MAX {
            return Err(too_deep(span.clone()));
        }
        open.depth = open.depth.max(built.depth + 1);
        open.length += built.length + ",".len();
        match &mut open.content {
            Content::Array(items) => items.push(built.node),
            Content::Object(object) => {
                let pending = object.pending.take().expect("a value in an object follows its name");
                open.length += quoted(&pending.name).len() + ":".len();
                object.put(pending, built.node, span)?;
            }
        }
        if open.length > UNFOLDED_BYTES_MAX {
            let message =
                format!("With its aliases unfolded the definition has more than {UNFOLDED_BYTES_MAX} bytes");
            return Err(Refusal::new(span.clone(), message));
        }
        Ok(())
    }

    /// The innermost object, if its next event is a name.
    fn awaits_name(&mut self) -> Option<&mut OpenObject> {
        match &mut self.open.last_mut()?.content {
            Content::Object(object) if object.pending.is_none() => Some(object),
            _ => None,
        }
    }
}

impl OpenObject {
    fn put(&mut self, pending: Pending, value: Rc<Node>, span: &Range<usize>) -> Result<(), Refusal> {
        let Pending { name, span: name_span, is_merge } = pending;
        if !is_merge {
            self.members.push(Member { name, name_span, value });
            return Ok(());
        }
        match &value.value {
            Value::Object(_) => self.merged.push(value),
            Value::Array(items) if items.iter().all(|item| matches!(item.value, Value::Object(_))) => {
                self.merged.extend(items.iter().cloned());
            }
            _ => return Err(Refusal::new(span.clone(), "`<<` merges a mapping or a list of mappings")),
        }
        Ok(())
    }

    /// The members, and those of the merged mappings that are not among them: the earlier one wins.
    fn with_merged(mut self) -> Vec<Member> {
        for merged in &self.merged {
            for member in merged.members() {
                if self.names.insert(member.name.clone()) {
                    self.members.push(member.clone());
                }
            }
        }
        self.members
    }
}

/// Takes a scalar as the name of the next member.
fn name(object: &mut OpenObject, node: &Node, span: Range<usize>, is_merge: bool) -> Result<(), Refusal> {
    let Value::Scalar(json) = &node.value else {
        return Err(Refusal::new(span, "A name must be a string, and no list or mapping"));
    };
    let Ok(name) = serde_json::from_str::<String>(json) else {
        let mut refusal = Refusal::new(span, format!("A name must be a string, but {json} is none"));
        refusal.help = Some("put it in quotes");
        return Err(refusal);
    };
    if !object.names.insert(name.clone()) {
        return Err(Refusal::new(span, format!("The name '{name}' is given twice")));
    }
    object.pending = Some(Pending { name, span, is_merge });
    Ok(())
}

fn too_deep(span: Range<usize>) -> Refusal {
    let depth = asl::json::DEPTH_MAX;
    Refusal::new(span, format!("Lists and mappings are nested deeper than {depth} levels"))
}
