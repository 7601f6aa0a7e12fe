//! What strangers and senders can make the log say: nothing that is secret, and nothing on lines of its own.

use std::{
    io,
    sync::{Arc, Mutex},
};

use hookgate::hook::Sender;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
};

use super::port::{Port, TOKEN, path, raw, signed, unsigned};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_signature_body_or_path_is_logged_and_no_line_is_forged() {
    let log = Log::default();
    // As `telemetry` has it at the level `trace`: dependencies never say more than `warn`.
    let targets = Targets::new().with_default(LevelFilter::WARN);
    let lines = fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = registry()
        .with(lines)
        .with(targets.with_target("hookgate", LevelFilter::TRACE));
    let _guard = tracing::subscriber::set_default(subscriber);
    let port = Port::open();
    let body = br#"{"ref":"a body that nobody may see","eventType":"x\nERROR forged \u001b[31m"}"#;
    for delivery in [
        signed(Sender::Github, body).with("x-github-delivery", "known by its id"),
        signed(Sender::Github, body).with("x-github-event", "x\tERROR forged \\u{1b}[31m"),
        signed(Sender::AzureDevops, body),
        signed(Sender::Gitlab, body).with("cookie", "a cookie that nobody may see"),
        unsigned(Sender::Github, body)
            .with("x-hub-signature-256", "a signature that nobody may see"),
        signed(Sender::Github, body).to("/hook/a%20path%20that%20nobody%20may%20see"),
        signed(Sender::Github, body).with("host", "host.nobody.may.see"),
        unsigned(
            Sender::Dockerhub,
            b"{\"push_data\":\"a value that nobody may see\"}",
        ),
    ] {
        port.say(raw(&delivery)).await;
    }
    let text = log.text();
    assert!(
        text.contains("delivery answered") && text.contains("delivery refused"),
        "{text}"
    );
    let digest = path(Sender::Github).split_off("/hook/".len());
    for secret in [TOKEN, &digest, "nobody", "sha256="] {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    let lines = text.lines();
    let mut forged = lines.filter(|line| line.trim_start().starts_with("ERROR"));
    assert_eq!(forged.next(), None);
}
