//! What depends on the moment: `$now`, `$millis`, and `$toMillis`, which takes the parts of a date that its picture does
//! not have from today's.

use jsonata_core::evaluator::{EvaluatorError, HostFnResult};
use jsonata_core::value::JValue;

use super::{Moment, bounded};

/// Milliseconds since the epoch.
pub(super) fn now(_: &[JValue], moment: &Moment) -> HostFnResult {
    Ok(JValue::Number(moment.now_ms as f64))
}

/// The argument, unless no date has so many milliseconds.
pub(super) fn date(arguments: &[JValue], _: &Moment) -> HostFnResult {
    match arguments.first() {
        Some(JValue::Number(millis)) if millis.is_nan() || millis.abs() > DATE_MS_MAX => {
            // JavaScript's own words; there is no code.
            Err(EvaluatorError::EvaluationError("Invalid time value".to_owned()))
        }
        // JavaScript's dates have no parts of milliseconds.
        Some(JValue::Number(millis)) => Ok(JValue::Number(millis.trunc() + 0.0)),
        other => Ok(other.cloned().unwrap_or(JValue::Undefined)),
    }
}

/// The last date of JavaScript.
const DATE_MS_MAX: f64 = 8.64e15;

/// The text with what its picture lacks before it.
pub(super) fn dated_text(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let (Some(JValue::String(text)), Some(JValue::String(picture))) = (arguments.first(), arguments.get(1))
    else {
        return Ok(JValue::Undefined);
    };
    let today = Today::at(moment.now_ms);
    let before: String = missing(picture).iter().map(|part| today.text(*part) + SEPARATOR).collect();
    Ok(JValue::from(before + text))
}

/// The picture of that text.
pub(super) fn dated_picture(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let picture = bounded::picture(arguments, moment)?;
    let JValue::String(text) = &picture else { return Ok(picture) };
    let before: String =
        missing(text).iter().map(|part| format!("[{}]{SEPARATOR}", part_picture(*part))).collect();
    Ok(JValue::from(before + text))
}

/// Between parts; one that no part's text has.
const SEPARATOR: &str = "/";

fn part_picture(part: char) -> &'static str {
    match part {
        'Y' => "Y0001",
        'M' => "M01",
        'D' => "D01",
        'P' => "PN",
        'H' => "H01",
        'h' => "h01",
        'm' => "m01",
        's' => "s01",
        _ => "f001",
    }
}

/// The parts that JSONata takes from the current moment: those before the first that the picture has, from the year on.
fn missing(picture: &str) -> Vec<char> {
    let has = components(picture);
    // A date by weeks cannot be parsed, and a picture without parts gives nothing.
    if has.is_empty() || has.iter().any(|part| "XxWw".contains(*part)) {
        return Vec::new();
    }
    let date = if has.contains(&'d') && !has.contains(&'M') && !has.contains(&'D') { "Y" } else { "YMD" };
    let half_days = (has.contains(&'P') || has.contains(&'h')) && !has.contains(&'H');
    let time = if half_days { "Phmsf" } else { "Hmsf" };
    let wanted = date.chars().chain(if date == "Y" { "" } else { time }.chars());
    wanted.take_while(|part| !has.contains(part)).collect()
}

/// The letters at the beginning of each `[…]`; `[[` is a bracket.
fn components(picture: &str) -> Vec<char> {
    let mut found = Vec::new();
    let mut rest = picture;
    while let Some(at) = rest.find('[') {
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('[') {
            rest = behind;
            continue;
        }
        let Some(end) = rest.find(']') else { break };
        found.extend(rest[..end].trim_start().chars().next());
        rest = &rest[end + 1..];
    }
    found
}

/// A moment in UTC by its parts.
struct Today {
    year: i64,
    month: i64,
    day: i64,
    ms_of_day: i64,
}

impl Today {
    /// From days to a date by counting years from March on, so that a leap day is the last of its year.
    fn at(now_ms: i64) -> Today {
        let days = now_ms.div_euclid(MS_PER_DAY) + DAYS_FROM_YEAR_0_TO_EPOCH;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Today {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            ms_of_day: now_ms.rem_euclid(MS_PER_DAY),
        }
    }

    fn text(&self, part: char) -> String {
        let hour = self.ms_of_day / 3_600_000;
        match part {
            'Y' => format!("{:04}", self.year),
            'M' => format!("{:02}", self.month),
            'D' => format!("{:02}", self.day),
            'P' => if hour < 12 { "am" } else { "pm" }.to_owned(),
            'H' => format!("{hour:02}"),
            'h' => format!("{:02}", (hour + 11) % 12 + 1),
            'm' => format!("{:02}", self.ms_of_day / 60_000 % 60),
            's' => format!("{:02}", self.ms_of_day / 1_000 % 60),
            _ => format!("{:03}", self.ms_of_day % 1_000),
        }
    }
}

const MS_PER_DAY: i64 = 86_400_000;
const DAYS_PER_ERA: i64 = 146_097;
/// From the first of March of the year 0.
const DAYS_FROM_YEAR_0_TO_EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_parts() {
        let text = |now_ms| {
            let today = Today::at(now_ms);
            "YMDHhmsfP".chars().map(|part| today.text(part)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(0), "1970 01 01 00 12 00 00 000 am");
        assert_eq!(text(1_700_000_000_123), "2023 11 14 22 10 13 20 123 pm");
        assert_eq!(text(1_709_208_000_000), "2024 02 29 12 12 00 00 000 pm");
        assert_eq!(text(-1), "1969 12 31 23 11 59 59 999 pm");
    }

    #[test]
    fn what_stands_before_the_first_given_part_is_missing() {
        let check = |picture, expected: &str| {
            assert_eq!(missing(picture).iter().collect::<String>(), expected, "{picture}")
        };
        check("[Y]-[M]-[D]", "");
        check("[M01]/[D01]", "Y");
        check("[D]", "YM");
        check("[d]", "Y");
        check("[H01]:[m01]", "YMD");
        check("[h]:[m] [PN]", "YMD");
        check("[h]:[m]", "YMDP");
        check("[m]", "YMDH");
        check("[s].[f]", "YMDHm");
        check("[FNn]", "YMDHmsf");
        check("[X]-[W]", "");
        check("plain [[text]]", "");
    }
}
