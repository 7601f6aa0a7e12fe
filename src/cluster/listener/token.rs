//! The token that proves a client may come in: random, kept, compared in constant time.
//!
//! There is one, for whoever can read the kubeconfig; there are no users.

use std::{fmt, path::Path};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{ListenError, private};

const BYTES: usize = 32;

/// The token, in hexadecimal digits.
pub(super) struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl Token {
    /// Reads the token from a file, or makes it.
    pub(super) fn load_or_make(path: &Path) -> Result<Self, ListenError> {
        if let Some(text) = private::read(path)?.map(Zeroizing::new) {
            let text = Zeroizing::new(text.trim().to_owned());
            let is_whole =
                text.len() == BYTES * 2 && text.bytes().all(|one| one.is_ascii_hexdigit());
            return if is_whole {
                Ok(Self(text))
            } else {
                Err(ListenError::Damaged {
                    path: path.to_owned(),
                })
            };
        }
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(ListenError::Random)?;
        let text = Zeroizing::new(hex::encode(bytes.as_slice()));
        private::write(path, text.as_bytes())?;
        Ok(Self(text))
    }

    /// Whether this is the token; takes the same time however much of it is right.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The token itself, for the kubeconfig.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}
