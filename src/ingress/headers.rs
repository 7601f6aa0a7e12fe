//! Which headers of a delivery may be shown to the operator: those on a list, and no others.
//!
//! Pure. A header that nobody has thought of may be a credential.

use std::borrow::Cow;

use http::HeaderMap;

/// Who sent it, what it is, and where it was set up; none of them proves anything. In order.
const HARMLESS: [&str; 17] = [
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "x-event-key",
    "x-event-time",
    "x-forgejo-event",
    "x-gitea-event",
    "x-gitea-event-type",
    "x-github-enterprise-version",
    "x-github-event",
    "x-github-hook-id",
    "x-github-hook-installation-target-type",
    "x-gitlab-event",
    "x-gitlab-instance",
    "x-gogs-event",
    "x-quay-event",
];

/// The harmless headers of a request, in the order of their names.
pub(super) fn harmless(headers: &HeaderMap) -> Vec<(Cow<'static, str>, String)> {
    let mut shown: Vec<_> = headers
        .keys()
        .filter_map(|name| {
            let place = HARMLESS.binary_search(&name.as_str()).ok()?;
            let value = headers.get(name)?.to_str().ok()?;
            Some((Cow::Borrowed(*HARMLESS.get(place)?), value.to_owned()))
        })
        .collect();
    shown.sort_unstable();
    shown
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::hook::{Draft, Sender, Token};

    #[test]
    fn no_credential_of_any_sender_is_shown() {
        let token = b"whsec_YSBzZWNyZXQgb2YgMjQgYnl0ZXMgISEh".to_vec();
        let secrets_of_hook = Token::new(token).unwrap().into();
        let bare = HeaderMap::new();
        let draft = Draft {
            delivery: "1",
            headers: &bare,
            body: b"",
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut headers = HeaderMap::new();
        let mut secrets = vec![
            "cookie",
            "authorization",
            "x-hub-signature",
            "host",
            "x-forwarded-for",
        ];
        let signing = Sender::ALL.into_iter();
        let signing = signing.filter(|sender| !sender.is_vouched_for());
        let credentials = signing.flat_map(|sender| sender.sign(&secrets_of_hook, &draft).unwrap());
        secrets.extend(credentials.map(|credential| credential.header));
        for name in secrets {
            headers.insert(name, HeaderValue::from_static("a secret"));
        }
        headers.insert("user-agent", HeaderValue::from_static("GitHub-Hookshot"));
        let shown = harmless(&headers);
        assert_eq!(shown, [("user-agent".into(), "GitHub-Hookshot".to_owned())]);
    }

    #[test]
    fn all_on_the_list_are_shown_in_order() {
        let names = HARMLESS.iter().rev();
        let headers: HeaderMap = names
            .map(|name| (name.parse().unwrap(), HeaderValue::from_static("1")))
            .collect();
        let shown = harmless(&headers).into_iter();
        let shown: Vec<_> = shown.map(|(name, _)| name.into_owned()).collect();
        assert_eq!(shown, HARMLESS);
    }
}
