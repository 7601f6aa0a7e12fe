//! Recorded requests: one HTTP/1.1 request in a file, as `receivers/*/*.http` hold them.
//!
//! Whether the recording is authentic is not looked at; a signature covers exact bytes, so the body is kept as it is.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_LENGTH, uri::PathAndQuery};

/// The longest file that is read, in bytes: the largest body the gateway takes and room for headers.
pub const MAX_FILE_BYTES: u64 = 25 * 1024 * 1024 + 64 * 1024;

/// The most headers that a recording may have.
pub const MAX_HEADERS: usize = 100;

/// One recorded request.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The method of the request line.
    pub method: Method,
    /// The path and query of the request line.
    pub path: PathAndQuery,
    /// The headers, in lower case, in the order they were recorded.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// Why a file is not a recorded request.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read recorded request `{}`", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is longer than [`MAX_FILE_BYTES`].
    #[error("recorded request `{}` is longer than {MAX_FILE_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
    /// A line cannot be understood.
    #[error("recorded request `{}`, line {line}: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: &'static str,
    },
}

impl Recording {
    /// Reads a file of at most [`MAX_FILE_BYTES`].
    pub async fn read(path: &Path) -> Result<Self, RecordingError> {
        let unreadable = |error| RecordingError::Read(path.to_owned(), error);
        let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
        if length > MAX_FILE_BYTES {
            return Err(RecordingError::TooLong(path.to_owned()));
        }
        let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
        Self::parse(path, &bytes.into())
    }

    /// Understands the bytes of a file; `path` is for messages.
    pub fn parse(path: &Path, bytes: &Bytes) -> Result<Self, RecordingError> {
        let mut lines = Lines {
            bytes,
            offset: 0,
            number: 0,
        };
        parse(&mut lines).map_err(|problem| RecordingError::Malformed {
            path: path.to_owned(),
            line: lines.number,
            problem,
        })
    }
}

/// A cursor over lines that end in `\n` or `\r\n`.
struct Lines<'a> {
    bytes: &'a Bytes,
    offset: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a [u8], &'static str> {
        self.number += 1;
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or("the headers must end in an empty line")?;
        self.offset += end + 1;
        let line = rest.get(..end).unwrap_or_default();
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn rest(&self) -> Bytes {
        self.bytes.slice(self.offset..)
    }
}

fn parse(lines: &mut Lines<'_>) -> Result<Recording, &'static str> {
    let (method, path) = request_line(lines.next()?)?;
    let mut headers = HeaderMap::new();
    loop {
        let line = lines.next()?;
        if line.is_empty() {
            break;
        }
        if headers.len() == MAX_HEADERS {
            return Err("a recording may have at most 100 headers");
        }
        let (name, value) = header(line)?;
        headers.append(name, value);
    }
    let body = body(&headers, lines.rest())?;
    Ok(Recording {
        method,
        path,
        headers,
        body,
    })
}

fn request_line(line: &[u8]) -> Result<(Method, PathAndQuery), &'static str> {
    const EXPECTED: &str = "expected a request line such as `POST /hook/0123 HTTP/1.1`";
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(path), Some(b"HTTP/1.1" | b"HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(EXPECTED);
    };
    let method = Method::from_bytes(method).map_err(|_| EXPECTED)?;
    let path = PathAndQuery::try_from(path).map_err(|_| EXPECTED)?;
    Ok((method, path))
}

fn header(line: &[u8]) -> Result<(HeaderName, HeaderValue), &'static str> {
    const EXPECTED: &str = "expected a header such as `Content-Type: application/json`";
    let colon = line.iter().position(|&byte| byte == b':').ok_or(EXPECTED)?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    Ok((
        HeaderName::from_bytes(name).map_err(|_| EXPECTED)?,
        HeaderValue::from_bytes(value).map_err(|_| EXPECTED)?,
    ))
}

/// The body: as long as `Content-Length` says, where one line end too many is an editor's and is left out.
fn body(headers: &HeaderMap, rest: Bytes) -> Result<Bytes, &'static str> {
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return Ok(rest);
    };
    let length: usize = length
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or("`Content-Length` is not a number")?;
    match rest.get(length..) {
        None => Err("the body is shorter than `Content-Length` says"),
        Some(b"" | b"\n" | b"\r\n") => Ok(rest.slice(..length)),
        Some(_) => Err("the body is longer than `Content-Length` says"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(text: &str) -> Result<Recording, String> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Recording::parse(Path::new("push.http"), &bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_is_kept_byte_for_byte() {
        let check = |text: &str, body: &str| {
            assert_eq!(recorded(text).unwrap().body, body.as_bytes(), "{text:?}");
        };
        check(
            "POST /hook/x HTTP/1.1\nA: b\n\n{\"a\": 1}\n",
            "{\"a\": 1}\n",
        );
        check("POST /hook/x HTTP/1.1\r\nA: b\r\n\r\na\r\nb", "a\r\nb");
        check("POST /hook/x HTTP/1.1\nContent-Length: 2\n\nab\n", "ab");
        check("POST /hook/x HTTP/1.1\n\n", "");
    }

    #[test]
    fn headers_keep_their_values() {
        let recording = recorded("POST /hook/x HTTP/1.1\nX-A:  b c \nX-A: d\n\n").unwrap();
        let values: Vec<_> = recording.headers.get_all("x-a").iter().collect();
        assert_eq!(values, ["b c", "d"]);
        assert_eq!(recording.path, "/hook/x");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let check = |text: &str, expected: &str| {
            let error = recorded(text).unwrap_err();
            assert!(error.contains("`push.http`"), "{error}");
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        check("", "line 1: the headers must end");
        check("POST /hook/x\n\n", "line 1: expected a request line");
        check(
            "POST hook x HTTP/1.1\n\n",
            "line 1: expected a request line",
        );
        check(
            "POST /x HTTP/1.1\nno colon\n\n",
            "line 2: expected a header",
        );
        check("POST /x HTTP/1.1\nA: b\n", "line 3: the headers must end");
        check(
            "POST /x HTTP/1.1\nContent-Length: 3\n\nab",
            "line 3: the body is shorter",
        );
        check(
            "POST /x HTTP/1.1\nContent-Length: 1\n\nabc",
            "line 3: the body is longer",
        );
        check("POST /x HTTP/1.1\nContent-Length: x\n\n", "not a number");
        let many = "A: b\n".repeat(MAX_HEADERS + 1);
        check(
            &format!("POST /x HTTP/1.1\n{many}\n"),
            "line 102: a recording",
        );
    }
}
