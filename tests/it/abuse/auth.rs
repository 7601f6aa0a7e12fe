//! Credentials that prove nothing, and what a refusal gives away.

use hookgate::hook::{Secrets, Sender, Token};
use http::{HeaderName, HeaderValue};

use super::port::{Port, path, raw, signed, unsigned};
use crate::support::wire::Delivery;

const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

/// A delivery that its sender proves, and the header that does: of several the one with the signature.
struct Proven {
    sender: Sender,
    delivery: Delivery,
    header: HeaderName,
    right: String,
}

impl Proven {
    /// Nothing for a sender whose path is all there is.
    fn by(sender: Sender) -> Option<Self> {
        let (delivery, bare) = (signed(sender, BODY), unsigned(sender, BODY));
        let headers = delivery.headers.iter();
        let added = headers.filter(|(name, _)| !bare.headers.contains_key(*name));
        let (header, right) = added.max_by_key(|(_, value)| value.len())?;
        Some(Self {
            sender,
            header: header.clone(),
            right: right.to_str().expect("text").to_owned(),
            delivery,
        })
    }

    /// Each sender that signs, or sends a token along.
    fn each() -> impl Iterator<Item = Self> {
        let senders = Sender::ALL.into_iter().filter(|it| !it.is_vouched_for());
        senders.filter_map(Self::by)
    }

    /// The same with these values for the header.
    fn with(&self, values: &[&[u8]]) -> Delivery {
        let mut delivery = self.delivery.clone();
        delivery.headers.remove(&self.header);
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a value");
            delivery.headers.append(self.header.clone(), value);
        }
        delivery
    }

    /// Fails unless these values prove nothing.
    async fn is_refused_with(&self, values: &[&[u8]]) {
        let status = Port::open().status(&self.with(values)).await;
        assert_eq!(status, 401, "{}: {values:?}", self.sender.as_str());
    }
}

#[tokio::test]
async fn only_the_one_right_credential_proves_a_sender() {
    for proven in Proven::each() {
        let right = proven.right.as_bytes();
        let half = &right[..right.len() / 2];
        let wrong: [&[&[u8]]; 13] = [
            &[],
            &[b""],
            &[b" "],
            &[half],
            &[&right[1..]],
            &[&right[..right.len() - 1]],
            &[right, right],
            &[right, half],
            &[half, right],
            &[b"", right],
            &[b"\xe4\xf6\xfc"],
            &[b"sha256="],
            &[b"md5=d41d8cd98f00b204e9800998ecf8427e"],
        ];
        for values in wrong {
            proven.is_refused_with(values).await;
        }
        let status = Port::open().status(&proven.with(&[right])).await;
        assert_eq!(status, 200, "{}", proven.sender.as_str());
    }
}

#[tokio::test]
async fn a_right_credential_with_something_around_it_is_wrong() {
    for proven in Proven::each() {
        let right = &proven.right;
        for wrong in [
            format!("{right},{right}"),
            format!("{right}, {right}"),
            format!("{right};"),
            format!("{right}0"),
            format!("\"{right}\""),
            format!("x{right}"),
            right.replace('=', " = "),
            right.replacen("sha256=", "SHA256=", 1),
            right.replacen("sha256=", "sha1=", 1),
            right.replacen("v1,", "v1", 1),
            right.replacen("v1,", "V1,", 1),
            right.replacen("Basic ", "basic ", 1),
            right.trim_end_matches('=').to_owned(),
        ] {
            if wrong != *right {
                proven.is_refused_with(&[wrong.as_bytes()]).await;
            }
        }
    }
}

/// HTTP takes white space away from around a value (RFC 9110, 5.5).
#[tokio::test]
async fn white_space_around_a_credential_is_not_part_of_it() {
    let port = Port::open();
    let text = String::from_utf8(raw(&signed(Sender::Github, BODY))).expect("text");
    let spaced = text.replace("sha256=", " \t sha256=");
    assert_eq!(port.say(spaced).await, "200 open");
}

#[tokio::test]
async fn a_body_is_signed_with_the_receivers_own_token() {
    let token = Token::new(b"whsec_YW5vdGhlciB0b2tlbiB0aGFuIHRoZSByZWNlaXZlcnMu".to_vec());
    let other = Secrets::from(token.expect("not blank"));
    for Proven { sender, .. } in Proven::each() {
        let foreign = unsigned(sender, BODY).signed_by(sender, &other);
        let status = Port::open().status(&foreign).await;
        assert_eq!(status, 401, "{}", sender.as_str());
    }
}

/// What two parsers take for the same is not: GitLab, Harbor and Azure DevOps alone do not sign it.
#[tokio::test]
async fn a_body_is_signed_byte_for_byte() {
    let is_signing = |it: &Proven| {
        !matches!(
            it.sender,
            Sender::Gitlab | Sender::Harbor | Sender::AzureDevops
        )
    };
    for mut proven in Proven::each().filter(is_signing) {
        proven.delivery.body = br#"{ "ref": "refs/heads/main" }"#.as_slice().into();
        let status = Port::open().status(&proven.delivery).await;
        assert_eq!(status, 401, "{}", proven.sender.as_str());
    }
}

#[tokio::test]
async fn a_path_is_known_as_it_is_written_or_not_at_all() {
    let port = Port::open();
    let right = path(Sender::Github);
    let digest = right.strip_prefix("/hook/").expect("a hook");
    for wrong in [
        format!("{right}/"),
        format!("{right}//"),
        format!("/{right}"),
        format!("{right}?a=b"),
        format!("{right}?"),
        format!("{right}%00"),
        format!("{right};a=b"),
        format!("{right}%20"),
        format!("/hook//{digest}"),
        format!("/hook/./{digest}"),
        format!("/hook/a/../{digest}"),
        format!("/hook%2f{digest}"),
        format!("/HOOK/{digest}"),
        format!("/hook/{}", digest.to_uppercase()),
        format!("/hook/%{:x}{}", digest.as_bytes()[0], &digest[1..]),
        format!("/hook/{}", &digest[1..]),
        format!("/hook/{digest}0"),
        "/hook/".to_owned(),
        "/hook/..%2f..%2fetc%2fpasswd".to_owned(),
    ] {
        let delivery = signed(Sender::Github, BODY).to(&wrong);
        assert_eq!(port.status(&delivery).await, 404, "{wrong}");
    }
}

/// Whoever has no path learns nothing from trying, and whoever has one learns nothing of what was wrong.
#[tokio::test]
async fn refusals_are_the_same_to_the_byte() {
    let unknown = [
        "/hook/0123".to_owned(),
        format!("/hook/{}", "0".repeat(64)),
        format!("{}/", path(Sender::Github)),
        "/hook/%00".to_owned(),
    ];
    let unknown = unknown.map(|path| signed(Sender::Github, BODY).to(&path));
    let proven = Proven::by(Sender::Github).expect("it signs");
    let digest = format!("sha256={}", "0".repeat(64));
    let wrong: [&[&[u8]]; 5] = [
        &[],
        &[b"sha256="],
        &[digest.as_bytes()],
        &[b"md5=00"],
        &[b"a", b"b"],
    ];
    let wrong = wrong.map(|values| proven.with(values));
    for same in [unknown.as_slice(), &wrong] {
        let mut answers = Vec::new();
        for delivery in same {
            let mut caller = Port::open().call();
            caller.send(&raw(delivery)).await;
            caller.finish().await;
            let (answer, _) = caller.end_bytes().await;
            let answer = String::from_utf8(answer).expect("text");
            let lines = answer
                .split("\r\n")
                .filter(|line| !line.starts_with("date: "));
            answers.push(lines.map(ToOwned::to_owned).collect::<Vec<_>>());
        }
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:#?}"
        );
        assert!(
            answers[0].ends_with(&[String::new(), String::new()]),
            "no body: {answers:?}"
        );
    }
}
