//! Timestamps of the language: RFC 3339 text to and from milliseconds since the epoch.
//!
//! AWS takes a capital `T`, and a capital `Z` or a numeric offset; a space in the middle or a missing offset is
//! refused (asl-facts 9.2, recorded). Nothing here asks what time it is.

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Parses an RFC 3339 timestamp as AWS accepts it; milliseconds since the epoch, `None` when it is malformed.
///
/// Digits beyond milliseconds are dropped.
pub fn parse(text: &str) -> Option<i64> {
    parse_nanos(text).map(|nanos| nanos.div_euclid(1_000_000) as i64)
}

/// Like [`parse`], in nanoseconds: comparisons must tell `.0001Z` from `.0002Z`.
pub fn parse_nanos(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = bytes.get(range)?;
        part.iter().all(u8::is_ascii_digit).then(|| part.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
    };
    for (at, want) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if bytes[at] != want {
            return None;
        }
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, offset_at) = fraction(bytes)?;
    let offset_s = match &bytes[offset_at..] {
        b"Z" => 0,
        rest => offset_seconds(rest)?,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

/// The optional fraction after the seconds: nanoseconds, and where the offset begins.
fn fraction(bytes: &[u8]) -> Option<(i64, usize)> {
    if bytes[19] != b'.' {
        return Some((0, 19));
    }
    let len = bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&len) || 20 + len >= bytes.len() {
        return None;
    }
    let value = bytes[20..20 + len].iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    Some((value * 10_i64.pow(9 - len as u32), 20 + len))
}

/// `+hh:mm` or `-hh:mm`, in seconds.
fn offset_seconds(rest: &[u8]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = rest else { return None };
    if ![h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |a: &u8, b: &u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
    let (hours, minutes) = (two(h1, h2), two(m1, m2));
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if *sign == b'-' { -seconds } else { seconds })
}

/// Writes milliseconds since the epoch as the context object does: `2026-11-23T09:37:00.123Z`.
pub fn format(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, millis) = (in_day / 1000, in_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in 400-year eras that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_aws_accepts() {
        let table: &[(&str, Option<i64>)] = &[
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2016-12-05T21:29:29Z", Some(1_480_973_369_000)),
            ("2016-12-05T21:29:29.123456Z", Some(1_480_973_369_123)),
            ("2016-12-05T22:29:29+01:00", Some(1_480_973_369_000)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2016-12-05 21:29:29Z", None),
            ("2016-12-05T21:29:29", None),
            ("2016-12-05t21:29:29Z", None),
            ("2016-12-05T21:29:29z", None),
            ("2016-13-05T21:29:29Z", None),
            ("2016-12-05T25:29:29Z", None),
            ("05-12-2016T21:29:29Z", None),
            ("2001-02-29T00:00:00Z", None),
            ("2016-12-05T21:29:29.Z", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(parse(text), *want, "{text}");
        }
    }

    #[test]
    fn format_and_parse_are_inverse() {
        for ms in [0, 1, -1, 951_782_400_000, 1_480_973_369_123, 253_402_300_799_999] {
            assert_eq!(parse(&format(ms)), Some(ms), "{}", format(ms));
        }
    }
}
