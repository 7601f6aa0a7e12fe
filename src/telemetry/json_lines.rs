//! The log for machines: each event is one line, a JSON object with its fields beside `timestamp`, `level` and `module`.
//!
//! It writes straight into the line, for every delivery has one. Spans are not shown: no event relies on one.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Formats events as JSON.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (now, metadata) = (Timestamp::now(), event.metadata());
        write!(line, r#"{{"timestamp":"{now:.6}""#)?;
        write!(line, r#","level":"{}""#, metadata.level())?;
        let mut fields = Fields {
            line: &mut line,
            result: Ok(()),
        };
        event.record(&mut fields);
        fields.result?;
        line.write_str(r#","module":""#)?;
        Escaped(&mut line).write_str(metadata.target())?;
        line.write_str("\"}\n")
    }
}

/// Writes fields behind what is already in the line.
struct Fields<'l, 'w> {
    line: &'l mut Writer<'w>,
    result: fmt::Result,
}

impl Fields<'_, '_> {
    fn add(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let add = || {
            self.line.write_str(",\"")?;
            Escaped(self.line).write_str(field.name())?;
            self.line.write_str("\":")?;
            write(self.line)
        };
        if self.result.is_ok() {
            self.result = add();
        }
    }

    fn add_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        self.add(field, |line| {
            line.write_char('"')?;
            Escaped(line).write_fmt(text)?;
            line.write_char('"')
        });
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, |line| write!(line, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, |line| write!(line, "{value}"));
    }
}

/// Escapes what is written as the text of a JSON string (RFC 8259, 7), and the control characters above ASCII too.
struct Escaped<'l, 'w>(&'l mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c.is_control()) {
            let (plain, special) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut characters = special.chars();
            match characters.next() {
                Some(c @ ('"' | '\\')) => write!(self.0, "\\{c}")?,
                Some(c) => write!(self.0, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_again() {
        let texts = [
            "",
            "plain",
            "\"quoted\\\"",
            "a\nb\r\u{1b}[2J\u{0}\u{7f}\u{9b}",
            "größe \u{1f980} \u{2028}",
        ];
        for text in texts {
            let mut line = String::from("\"");
            Escaped(&mut Writer::new(&mut line))
                .write_str(text)
                .unwrap();
            line.push('"');
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
