//! The operations of CloudWatch Logs that read groups and look after them, by their JSON.
//!
//! Pages go by place: of a group by name, of a stream by the number of a line. A reader goes through at most
//! [`SCAN_BYTES_MAX`] of files for a page, and gets a token to go on with, as on AWS.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::LogsError;
use crate::filter::Filter;
use crate::folder::Group;
use crate::logs::Logs;
use crate::stream::{Line, Stream};

/// Bytes of files that one request goes through.
const SCAN_BYTES_MAX: u64 = 32 << 20;
/// Bytes of events in a page, as on AWS.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// Entries in a page of groups or streams, as on AWS.
const NAMES_PER_PAGE_MAX: i64 = 50;
/// Events in a page, as on AWS.
const EVENTS_PER_PAGE_MAX: i64 = 10_000;
/// The days that a retention may have.
const RETENTION_DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// Tags of a group, as on AWS.
const TAGS_MAX: usize = 50;

impl Logs {
    /// Answers an operation such as `FilterLogEvents`. It reads files, so it belongs on a thread that may wait.
    ///
    /// # Errors
    /// What CloudWatch Logs refuses, or what it has and this server has not.
    pub fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, LogsError> {
        let body = if body.is_empty() { b"{}" } else { body };
        let request: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| LogsError::malformed(format!("The request is no JSON object: {error}")))?;
        let request = Request(request);
        match operation {
            "CreateLogGroup" => self.create_group(&request),
            "DeleteLogGroup" => self.delete(&request.group(self)?).map(|()| json!({})),
            "DescribeLogGroups" => self.describe_groups(&request),
            "DescribeLogStreams" => self.describe_streams(&request),
            "GetLogEvents" => self.get_events(&request),
            "FilterLogEvents" => self.filter_events(&request),
            "PutRetentionPolicy" => self.put_retention(&request),
            "DeleteRetentionPolicy" => self.retain(&request.group(self)?, None),
            "TagResource" | "TagLogGroup" => self.tag(&request),
            "UntagResource" | "UntagLogGroup" => self.untag(&request),
            "ListTagsForResource" | "ListTagsLogGroup" => {
                let group = request.tagged(self)?;
                self.with(&group, |group| json!({"tags": group.record.tags}))
            }
            other => Err(LogsError::unknown(other)),
        }
    }

    fn create_group(&self, request: &Request) -> Result<Value, LogsError> {
        let name = request.needed("logGroupName")?;
        check_name(&name)?;
        if request.text("kmsKeyId")?.is_some() {
            return Err(LogsError::invalid("kmsKeyId: Loveless holds no KMS keys; leave it out"));
        }
        let tags = request.tags("tags")?;
        check_tags(&tags)?;
        self.create(name, tags)?;
        Ok(json!({}))
    }

    fn describe_groups(&self, request: &Request) -> Result<Value, LogsError> {
        let prefix = request.text("logGroupNamePrefix")?.unwrap_or_default();
        let part = request.text("logGroupNamePattern")?.unwrap_or_default();
        let limit = request.limit(NAMES_PER_PAGE_MAX)?;
        let after = request.text("nextToken")?;
        let shown = |group: &Group| {
            let record = &group.record;
            let arn = self.arn(&record.name);
            let mut shown = json!({
                "logGroupName": record.name,
                "creationTime": record.created_ms,
                "metricFilterCount": 0,
                "arn": format!("{arn}:*"),
                "storedBytes": group.bytes(),
                "logGroupClass": "STANDARD",
                "logGroupArn": arn,
            });
            if let Some(days) = record.retention_days {
                shown["retentionInDays"] = days.into();
            }
            shown
        };
        let wanted = |name: &str| name.starts_with(&prefix) && name.contains(&part);
        let (groups, next) = self.page(after.as_deref(), limit, wanted, shown);
        Ok(with_next(json!({"logGroups": groups}), next))
    }

    fn describe_streams(&self, request: &Request) -> Result<Value, LogsError> {
        let group = request.group(self)?;
        let prefix = request.text("logStreamNamePrefix")?.unwrap_or_default();
        let by_time = request.text("orderBy")?.as_deref() == Some("LastEventTime");
        if by_time && !prefix.is_empty() {
            return Err(LogsError::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let limit = request.limit(NAMES_PER_PAGE_MAX)?;
        let from = request.place("nextToken")?.unwrap_or(0);
        let mut streams = self.with(&group, |group| group.streams.clone())?;
        streams.retain(|stream| stream.name.starts_with(&prefix));
        match by_time {
            true => streams.sort_by_key(|stream| stream.last_ms),
            false => streams.sort_by(|one, other| one.name.cmp(&other.name)),
        }
        if request.flag("descending")? == Some(true) {
            streams.reverse();
        }
        let arn = self.arn(&group);
        let shown: Vec<Value> =
            streams.iter().skip(from).take(limit).map(|stream| stream_shown(stream, &arn)).collect();
        let next = (from + limit < streams.len()).then(|| (from + limit).to_string());
        Ok(with_next(json!({"logStreams": shown}), next))
    }

    fn get_events(&self, request: &Request) -> Result<Value, LogsError> {
        let group = request.group(self)?;
        let name = request.needed("logStreamName")?;
        let stream =
            self.with(&group, |group| group.streams.iter().find(|stream| stream.name == name).cloned())?;
        let stream = stream.ok_or_else(LogsError::no_stream)?;
        let span = request.span()?;
        let limit = request.limit(EVENTS_PER_PAGE_MAX)?;
        let lines = read(&stream)?;
        let wanted: Vec<(usize, &Line)> =
            lines.iter().enumerate().filter(|(_, line)| span.holds(line.at_ms)).collect();
        // A token says from which line on, or up to which.
        let token = request.text("nextToken")?;
        let forward = match token.as_deref().map(|token| token.split_at_checked(2)) {
            None => request.flag("startFromHead")? == Some(true),
            Some(Some(("f/", _))) => true,
            Some(Some(("b/", _))) => false,
            Some(_) => return Err(LogsError::invalid("The specified nextToken is invalid.")),
        };
        let place = match token.as_deref().map(|token| token[2..].parse::<usize>()) {
            None => None,
            Some(Ok(place)) => Some(place),
            Some(Err(_)) => return Err(LogsError::invalid("The specified nextToken is invalid.")),
        };
        let page: Vec<(usize, &Line)> = if forward {
            let from = wanted.into_iter().skip_while(|(at, _)| place.is_some_and(|place| *at < place));
            within_a_page(from, limit)
        } else {
            let back = wanted.into_iter().rev();
            let mut page =
                within_a_page(back.skip_while(|(at, _)| place.is_some_and(|place| *at >= place)), limit);
            page.reverse();
            page
        };
        let (first, behind) = match (page.first(), page.last()) {
            (Some((first, _)), Some((last, _))) => (*first, last + 1),
            _ => (place.unwrap_or(0), place.unwrap_or(lines.len())),
        };
        let events: Vec<Value> = page.iter().map(|(_, line)| event_shown(line)).collect();
        Ok(json!({
            "events": events,
            "nextForwardToken": format!("f/{behind}"),
            "nextBackwardToken": format!("b/{first}"),
        }))
    }

    fn filter_events(&self, request: &Request) -> Result<Value, LogsError> {
        let group = request.group(self)?;
        let span = request.span()?;
        let limit = request.limit(EVENTS_PER_PAGE_MAX)?;
        let filter = request.text("filterPattern")?.unwrap_or_default();
        let filter = Filter::parse(&filter)
            .map_err(|why| LogsError::invalid(format!("Invalid filter pattern: {why}")))?;
        let names = request.texts("logStreamNames")?;
        let prefix = request.text("logStreamNamePrefix")?.unwrap_or_default();
        // A token names the file and the line to go on at: files before it may be gone meanwhile.
        let from = match request.text("nextToken")? {
            None => None,
            Some(token) => Some(
                place_of(&token).ok_or_else(|| LogsError::invalid("The specified nextToken is invalid."))?,
            ),
        };
        let streams = self.with(&group, |group| group.streams.clone())?;
        let mut events = Vec::new();
        let (mut page_bytes, mut scanned, mut next) = (0, 0, None);
        'streams: for stream in &streams {
            let file = file_number(stream);
            let skip = match from {
                Some((at, _)) if file < at => continue,
                Some((at, line)) if file == at => line,
                _ => 0,
            };
            let named = names.is_empty() || names.contains(&stream.name);
            let in_time = span.meets(stream.first_ms, stream.last_ms);
            if !named || !in_time || !stream.name.starts_with(&prefix) {
                continue;
            }
            if scanned > 0 && scanned + stream.bytes > SCAN_BYTES_MAX {
                next = Some(format!("{file}/0"));
                break;
            }
            scanned += stream.bytes;
            for (at, line) in read(stream)?.iter().enumerate().skip(skip) {
                if !span.holds(line.at_ms) || !filter.wants(&line.message) {
                    continue;
                }
                let bytes = page_bytes + line.message.len();
                if events.len() == limit || page_bytes > 0 && bytes > PAGE_BYTES_MAX {
                    next = Some(format!("{file}/{at}"));
                    break 'streams;
                }
                page_bytes = bytes;
                let mut shown = event_shown(line);
                shown["logStreamName"] = stream.name.as_str().into();
                shown["eventId"] = format!("{file:028}{at:028}").into();
                events.push((line.at_ms, shown));
            }
        }
        events.sort_by_key(|(at_ms, _)| *at_ms);
        let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
        Ok(with_next(json!({"events": events, "searchedLogStreams": []}), next))
    }

    fn put_retention(&self, request: &Request) -> Result<Value, LogsError> {
        let group = request.group(self)?;
        let days = request.number("retentionInDays")?.unwrap_or_default();
        if !RETENTION_DAYS.contains(&days) {
            return Err(LogsError::invalid(format!(
                "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must \
                 satisfy enum value set"
            )));
        }
        self.retain(&group, Some(days))
    }

    fn retain(&self, group: &str, days: Option<i64>) -> Result<Value, LogsError> {
        self.change(group, |record| record.retention_days = days)?;
        self.make_room();
        Ok(json!({}))
    }

    fn tag(&self, request: &Request) -> Result<Value, LogsError> {
        let (group, tags) = (request.tagged(self)?, request.tags("tags")?);
        let mut all = self.with(&group, |group| group.record.tags.clone())?;
        all.extend(tags);
        check_tags(&all)?;
        self.change(&group, |record| record.tags = all)?;
        Ok(json!({}))
    }

    fn untag(&self, request: &Request) -> Result<Value, LogsError> {
        let group = request.tagged(self)?;
        let mut keys = request.texts("tagKeys")?;
        keys.extend(request.texts("tags")?);
        self.change(&group, |record| record.tags.retain(|key, _| !keys.contains(key)))?;
        Ok(json!({}))
    }
}

/// The members of a request.
struct Request(Map<String, Value>);

impl Request {
    fn text(&self, name: &str) -> Result<Option<String>, LogsError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(LogsError::malformed(format!("{name} must be a string"))),
        }
    }

    fn needed(&self, name: &str) -> Result<String, LogsError> {
        self.text(name)?.ok_or_else(|| {
            LogsError::invalid(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, LogsError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(LogsError::malformed(format!("{name} must be a boolean"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<i64>, LogsError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(LogsError::malformed(format!("{name} must be a whole number"))),
            },
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, LogsError> {
        let items = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(LogsError::malformed(format!("{name} must be a list"))),
        };
        let text = |item: &Value| item.as_str().map(str::to_owned);
        items
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .ok_or_else(|| LogsError::malformed(format!("{name} must be a list of strings")))
    }

    fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, LogsError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(BTreeMap::new()),
            Some(tags) => serde_json::from_value(tags.clone())
                .map_err(|_| LogsError::malformed(format!("{name} must be a map of strings"))),
        }
    }

    /// `limit`, or as much as a page may have.
    fn limit(&self, max: i64) -> Result<usize, LogsError> {
        let limit = self.number("limit")?.unwrap_or(max);
        if !(1..=max).contains(&limit) {
            return Err(LogsError::invalid(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have \
                 value between 1 and {max}"
            )));
        }
        Ok(usize::try_from(limit).unwrap_or(1))
    }

    fn place(&self, name: &str) -> Result<Option<usize>, LogsError> {
        let Some(token) = self.text(name)? else { return Ok(None) };
        token.parse().map(Some).map_err(|_| LogsError::invalid(format!("The specified {name} is invalid.")))
    }

    fn span(&self) -> Result<Span, LogsError> {
        Ok(Span { from_ms: self.number("startTime")?, until_ms: self.number("endTime")? })
    }

    /// The group that a request is about, by its name or by its ARN.
    fn group(&self, logs: &Logs) -> Result<String, LogsError> {
        match (self.text("logGroupName")?, self.text("logGroupIdentifier")?) {
            (Some(name), None) => Ok(name),
            (None, Some(arn)) if arn.starts_with("arn:") => {
                logs.named(&arn).map(str::to_owned).ok_or_else(LogsError::no_group)
            }
            (None, Some(name)) => Ok(name),
            (Some(_), Some(_)) => {
                Err(LogsError::invalid("Either logGroupName or logGroupIdentifier, but not both."))
            }
            (None, None) => self.needed("logGroupName"),
        }
    }

    /// The group whose tags a request is about: the newer operations name it by its ARN.
    fn tagged(&self, logs: &Logs) -> Result<String, LogsError> {
        match self.text("resourceArn")? {
            Some(arn) => logs.named(&arn).map(str::to_owned).ok_or_else(LogsError::no_group),
            None => self.group(logs),
        }
    }
}

/// From when to when, in milliseconds: the end is left out.
#[derive(Clone, Copy)]
struct Span {
    from_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl Span {
    fn holds(self, at_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| at_ms >= from) && self.until_ms.is_none_or(|until| at_ms < until)
    }

    /// Whether a stream from its first to its last event may have something in it.
    fn meets(self, first_ms: Option<i64>, last_ms: Option<i64>) -> bool {
        let (Some(first), Some(last)) = (first_ms, last_ms) else { return false };
        // Events are nearly in order, so a minute is allowed for those that are not.
        const SLACK_MS: i64 = 60_000;
        self.from_ms.is_none_or(|from| last + SLACK_MS >= from)
            && self.until_ms.is_none_or(|until| first - SLACK_MS < until)
    }
}

fn within_a_page<'a>(lines: impl Iterator<Item = (usize, &'a Line)>, limit: usize) -> Vec<(usize, &'a Line)> {
    let mut bytes = 0;
    let fits = |(_, line): &(usize, &Line)| {
        let first = bytes == 0;
        bytes += line.message.len();
        first || bytes <= PAGE_BYTES_MAX
    };
    lines.take(limit).take_while(fits).collect()
}

fn event_shown(line: &Line) -> Value {
    json!({"timestamp": line.at_ms, "message": line.message, "ingestionTime": line.ingested_ms})
}

fn stream_shown(stream: &Stream, group_arn: &str) -> Value {
    let mut shown = json!({
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": format!("{group_arn}:log-stream:{}", stream.name),
        "storedBytes": stream.bytes,
    });
    let times = [
        ("firstEventTimestamp", stream.first_ms),
        ("lastEventTimestamp", stream.last_ms),
        ("lastIngestionTime", stream.ingested_ms),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            shown[name] = time.into();
        }
    }
    shown
}

fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    answer
}

fn read(stream: &Stream) -> Result<Vec<Line>, LogsError> {
    stream.lines().map_err(|error| LogsError::io("a log stream cannot be read", &error))
}

fn file_number(stream: &Stream) -> u64 {
    stream.path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

fn place_of(token: &str) -> Option<(u64, usize)> {
    let (file, line) = token.split_once('/')?;
    Some((file.parse().ok()?, line.parse().ok()?))
}

/// The names that groups may have (the service's model).
fn check_name(name: &str) -> Result<(), LogsError> {
    let must = |must: &str| {
        Err(LogsError::invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must {must}"
        )))
    };
    if name.is_empty() {
        return must("have length greater than or equal to 1");
    }
    if name.len() > 512 {
        return must("have length less than or equal to 512");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/#".contains(c)) {
        return must("satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
    }
    Ok(())
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), LogsError> {
    if tags.len() > TAGS_MAX {
        return Err(LogsError::limit(format!("A log group has at most {TAGS_MAX} tags.")));
    }
    match tags.iter().find(|(key, value)| key.is_empty() || key.len() > 128 || value.len() > 256) {
        Some((key, _)) => {
            Err(LogsError::invalid(format!("The tag '{key}' is too long, or its key is empty.")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Place;
    use crate::recorder::Batch;

    struct World {
        logs: Logs,
        _root: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            let root = tempfile::tempdir().unwrap();
            let place = Place { region: "us-east-1".into(), account: "1".into() };
            let world = World { logs: Logs::open(root.path().into(), place).unwrap(), _root: root };
            world.ok("CreateLogGroup", json!({"logGroupName": "/g"}));
            world
        }

        fn ask(&self, operation: &str, request: Value) -> Result<Value, LogsError> {
            self.logs.answer(operation, request.to_string().as_bytes())
        }

        fn ok(&self, operation: &str, request: Value) -> Value {
            self.ask(operation, request).unwrap()
        }

        fn write(&self, prefix: &str, events: impl IntoIterator<Item = i64>) {
            let events = events.into_iter().map(|at_ms| (at_ms, format!("{prefix} {at_ms}"))).collect();
            let batch = Batch { group_arn: self.logs.arn("/g"), prefix: prefix.into(), events };
            assert!(self.logs.append(batch).unwrap());
        }
    }

    fn times(answer: &Value) -> Vec<i64> {
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["timestamp"].as_i64().unwrap())
            .collect()
    }

    #[test]
    fn the_life_of_a_group() {
        let world = World::new();
        let again = world.ask("CreateLogGroup", json!({"logGroupName": "/g"})).unwrap_err();
        assert_eq!(again.code, "ResourceAlreadyExistsException");
        let wrong = world.ask("CreateLogGroup", json!({"logGroupName": "a b"})).unwrap_err();
        assert_eq!(wrong.code, "InvalidParameterException");
        world.ok("PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 7}));
        world.ask("PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 8})).unwrap_err();
        let described = world.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "/"}));
        let group = &described["logGroups"][0];
        assert_eq!(group["arn"], "arn:aws:logs:us-east-1:1:log-group:/g:*");
        assert_eq!(group["retentionInDays"], 7);
        let arn = group["logGroupArn"].clone();
        world.ok("TagResource", json!({"resourceArn": arn, "tags": {"a": "1", "b": "2"}}));
        world.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]}));
        assert_eq!(world.ok("ListTagsForResource", json!({"resourceArn": arn})), json!({"tags": {"b": "2"}}));
        world.ok("DeleteLogGroup", json!({"logGroupName": "/g"}));
        let gone = world.ask("DeleteLogGroup", json!({"logGroupName": "/g"})).unwrap_err();
        assert_eq!(
            (gone.code, &*gone.message),
            ("ResourceNotFoundException", "The specified log group does not exist.")
        );
        assert_eq!(world.ask("PutLogEvents", json!({})).unwrap_err().code, "UnknownOperationException");
    }

    #[test]
    fn groups_and_streams_page() {
        let world = World::new();
        for number in 0..5 {
            world.ok("CreateLogGroup", json!({"logGroupName": format!("n{number}")}));
        }
        let first = world.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "n", "limit": 3}));
        let second = world.ok(
            "DescribeLogGroups",
            json!({"logGroupNamePrefix": "n", "limit": 3, "nextToken": first["nextToken"]}),
        );
        assert_eq!(first["logGroups"].as_array().unwrap().len(), 3);
        assert_eq!(second["logGroups"].as_array().unwrap().len(), 2);
        assert!(second.get("nextToken").is_none());
        world.write("b", [1]);
        world.write("a", [2]);
        let names = |answer: &Value| -> Vec<String> {
            let streams = answer["logStreams"].as_array().unwrap().iter();
            streams.map(|stream| stream["logStreamName"].as_str().unwrap()[..1].to_owned()).collect()
        };
        assert_eq!(names(&world.ok("DescribeLogStreams", json!({"logGroupName": "/g"}))), ["a", "b"]);
        let newest =
            json!({"logGroupName": "/g", "orderBy": "LastEventTime", "descending": true, "limit": 1});
        let newest = world.ok("DescribeLogStreams", newest);
        assert_eq!(names(&newest), ["a"]);
        assert_eq!(newest["nextToken"], "1");
    }

    #[test]
    fn events_of_a_stream_page_both_ways() {
        let world = World::new();
        world.write("s", 0..10);
        let streams = world.ok("DescribeLogStreams", json!({"logGroupName": "/g"}));
        let stream = streams["logStreams"][0]["logStreamName"].clone();
        let ask = |more: Value| {
            let mut request = json!({"logGroupName": "/g", "logStreamName": stream});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.ok("GetLogEvents", request)
        };
        assert_eq!(times(&ask(json!({}))), (0..10).collect::<Vec<_>>());
        let newest = ask(json!({"limit": 4}));
        assert_eq!(times(&newest), [6, 7, 8, 9]);
        let before = ask(json!({"limit": 4, "nextToken": newest["nextBackwardToken"]}));
        assert_eq!(times(&before), [2, 3, 4, 5]);
        let end = ask(json!({"nextToken": newest["nextForwardToken"]}));
        assert!(times(&end).is_empty());
        assert_eq!(
            end["nextForwardToken"], newest["nextForwardToken"],
            "the same token says that it is the end"
        );
        let oldest = ask(json!({"limit": 4, "startFromHead": true}));
        assert_eq!(times(&oldest), [0, 1, 2, 3]);
        assert_eq!(
            times(&ask(json!({"nextToken": oldest["nextForwardToken"]}))),
            (4..10).collect::<Vec<_>>()
        );
        assert_eq!(times(&ask(json!({"startTime": 3, "endTime": 5}))), [3, 4]);
        let wrong = json!({"logGroupName": "/g", "logStreamName": stream, "nextToken": "é"});
        assert_eq!(world.ask("GetLogEvents", wrong).unwrap_err().code, "InvalidParameterException");
    }

    #[test]
    fn events_of_all_streams_are_filtered_and_paged() {
        let world = World::new();
        world.write("a", 0..5);
        world.write("b", 5..10);
        let ask = |more: Value| {
            let mut request = json!({"logGroupName": "/g"});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.ok("FilterLogEvents", request)
        };
        assert_eq!(times(&ask(json!({}))), (0..10).collect::<Vec<_>>());
        assert_eq!(times(&ask(json!({"filterPattern": "b"}))), (5..10).collect::<Vec<_>>());
        assert_eq!(times(&ask(json!({"logStreamNamePrefix": "a", "startTime": 3}))), [3, 4]);
        let (mut seen, mut token) = (Vec::new(), Value::Null);
        loop {
            let page = ask(json!({"limit": 3, "nextToken": token}));
            seen.extend(times(&page));
            match page.get("nextToken") {
                Some(next) => token = next.clone(),
                None => break,
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}
