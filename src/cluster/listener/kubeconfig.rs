//! The kubeconfig that lets `kubectl` and other clients in: where, whom to trust, and with which token.
//!
//! It is text only; writing it with the right mode is done by `private`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::token::Token;

/// The URL under which clients of this machine reach an address.
pub(super) fn url(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("https://{address}")
}

/// The text of a kubeconfig.
pub(super) fn render(url: &str, authority_pem: &str, token: &Token) -> Zeroizing<String> {
    let authority = STANDARD.encode(authority_pem);
    let token = token.reveal();
    Zeroizing::new(format!(
        "apiVersion: v1
kind: Config
current-context: embedded
contexts:
- name: embedded
  context:
    cluster: embedded
    namespace: default
    user: embedded
clusters:
- name: embedded
  cluster:
    server: {url}
    certificate-authority-data: {authority}
users:
- name: embedded
  user:
    token: {token}
"
    ))
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn unspecified_addresses_are_reached_on_loopback() {
        let check = |address: &str, expected: &str| {
            assert_eq!(url(address.parse().expect("an address")), expected);
        };
        check("127.0.0.1:6443", "https://127.0.0.1:6443");
        check("0.0.0.0:6443", "https://127.0.0.1:6443");
        check("[::]:6443", "https://[::1]:6443");
        check("10.0.0.1:1", "https://10.0.0.1:1");
    }
}
