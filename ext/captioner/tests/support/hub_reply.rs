//! How the loopback hub writes an answer, and gets it wrong when told to.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Fault, State};

pub struct Reply<'a> {
    pub stream: TcpStream,
    pub head_only: bool,
    pub state: &'a State,
}

impl Reply<'_> {
    pub fn head(&mut self, status: u16, headers: &[(String, String)], length: usize) -> std::io::Result<()> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            self.stream,
            "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    }

    pub fn page(&mut self, status: u16, headers: &[(String, String)]) -> std::io::Result<()> {
        let page = "<html>an error page</html>";
        self.head(status, headers, page.len())?;
        if self.head_only {
            Ok(())
        } else {
            self.stream.write_all(page.as_bytes())
        }
    }

    pub fn body(&mut self, name: &str, range: Option<&str>, headers: &[(String, String)]) -> std::io::Result<()> {
        let Some((mut body, _)) = self.state.files.lock().unwrap().get(name).cloned() else {
            return self.page(404, &[]);
        };
        if self.head_only {
            return self.head(200, headers, body.len());
        }
        let fault = self.state.bodies.lock().unwrap().get_mut(name).and_then(VecDeque::pop_front);
        let total = body.len();
        let mut from =
            range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
        let (mut end, mut stall) = (total, false);
        match fault {
            Some(Fault::Status(status, headers)) => return self.page(status, &headers),
            Some(Fault::Page) => return self.page(200, headers),
            Some(Fault::Cut(count)) => end = (from + count).min(total),
            Some(Fault::Stall(count)) => (end, stall) = ((from + count).min(total), true),
            Some(Fault::IgnoreRange) => from = 0,
            Some(Fault::WrongRange) => from += 1,
            Some(Fault::Corrupt) => body[total / 2] ^= 1,
            None => {}
        }
        if from == 0 {
            self.head(200, headers, total)?;
        } else {
            let range = ("Content-Range".to_owned(), format!("bytes {from}-{}/{total}", total - 1));
            self.head(206, &[headers, &[range]].concat(), total - from)?;
        }
        let trickle = *self.state.trickle.lock().unwrap();
        for part in body[from..end].chunks(trickle.unwrap_or(usize::MAX)) {
            self.stream.write_all(part)?;
            if trickle.is_some() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if stall {
            // Until the other side gives up.
            self.stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            let _ = self.stream.read(&mut [0]);
        }
        Ok(())
    }
}
