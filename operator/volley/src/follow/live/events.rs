//! Server-sent events from bytes as they come. Source: WHATWG HTML, "Parsing an event stream"; lines end with a line feed,
//! with or without a carriage return before it.

/// The longest that an event may be: a course of six scopes and 3,600 steps has 5 MB at most.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name; empty: none.
    pub kind: String,
    /// The newest id so far.
    pub id: Option<String>,
    /// Its data.
    pub data: String,
}

/// An event is longer than this program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// Parses a stream.
#[derive(Debug, Default)]
pub struct EventParser {
    /// The beginning of a line.
    line: Vec<u8>,
    kind: String,
    id: Option<String>,
    data: Option<String>,
}

impl EventParser {
    /// Takes the next bytes; answers the events that they complete.
    ///
    /// # Errors
    /// [`EventTooLong`]; the stream is of no use any more.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<ServerEvent>, EventTooLong> {
        let mut events = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.line.extend_from_slice(line);
            bytes = rest.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            events.extend(self.line(&String::from_utf8_lossy(&line))?);
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_EVENT_BYTES {
            return Err(EventTooLong);
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Result<Option<ServerEvent>, EventTooLong> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            // An event without data is none.
            return Ok(self.data.take().map(|data| ServerEvent { kind, id: self.id.clone(), data }));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "id" => self.id = Some(value.to_owned()),
            "data" => {
                let data = match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data
                    }
                    none => none.insert(String::new()),
                };
                data.push_str(value);
                if data.len() > MAX_EVENT_BYTES {
                    return Err(EventTooLong);
                }
            }
            // A comment has an empty name; unknown fields are ignored.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use proptest::prelude::*;

    fn event(kind: &str, id: Option<&str>, data: &str) -> ServerEvent {
        ServerEvent { kind: kind.into(), id: id.map(Into::into), data: data.into() }
    }

    #[test]
    fn fields_comments_and_several_lines_of_data_are_understood() {
        let text = ": a comment\n\nevent: frame\nid: 7\ndata: {\"a\":\ndata: 1}\n\r\nretry: 5\r\ndata:x\r\n\r\nevent: nothing\n\n";
        let events = EventParser::default().push(text.as_bytes()).unwrap();
        assert_eq!(events, [event("frame", Some("7"), "{\"a\":\n1}"), event("", Some("7"), "x")]);
    }

    #[test]
    fn an_endless_line_and_endless_data_are_refused() {
        let mebibyte = vec![b'x'; 1 << 20];
        let mut parser = EventParser::default();
        let refused = (0..17).find_map(|_| parser.push(&mebibyte).err());
        assert_eq!(refused, Some(EventTooLong));
        let line = [b"data: ".as_slice(), &mebibyte, b"\n"].concat();
        let mut parser = EventParser::default();
        let refused = (0..17).find_map(|_| parser.push(&line).err());
        assert_eq!(refused, Some(EventTooLong));
    }

    proptest! {
        #[test]
        fn events_are_the_same_however_the_bytes_are_cut(
            events in proptest::collection::vec(("[a-z]{1,6}", 0_i64..1000, "[^\r\n]{0,20}"), 0..6),
            cuts in proptest::collection::vec(0_usize..400, 0..12),
        ) {
            let mut text = String::new();
            for (kind, id, data) in &events {
                write!(text, "event: {kind}\nid: {id}\ndata: {data}\n\n:\n\n").unwrap();
            }
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut parser = EventParser::default();
            let mut found = Vec::new();
            for pair in cuts.windows(2) {
                found.extend(parser.push(&text.as_bytes()[pair[0]..pair[1]]).unwrap());
            }
            let expected: Vec<_> = events.iter().map(|(kind, id, data)| event(kind, Some(&id.to_string()), data)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
