//! Errors of the API client in few words, for logs and status messages.
//!
//! The whole of a Kubernetes `Status` is for programs and is left out.

use std::error::Error;

/// What the API server said, or else what is at the bottom of the error.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut current = error;
    loop {
        if let Some(kube::Error::Api(status)) = current.downcast_ref() {
            return status.message.clone();
        }
        match current.source() {
            Some(source) => current = source,
            None => return current.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::{core::Status, runtime::watcher};

    use super::*;

    fn refused() -> kube::Error {
        kube::Error::Api(Status::failure("secrets is forbidden", "Forbidden").boxed())
    }

    #[test]
    fn the_words_of_the_api_server_are_enough() {
        assert_eq!(cause(&refused()), "secrets is forbidden");
        let wrapped = watcher::Error::InitialListFailed(refused());
        assert_eq!(cause(&wrapped), "secrets is forbidden");
    }

    #[test]
    fn otherwise_the_root_cause_tells() {
        let refused = std::io::Error::other("connection refused");
        let error = kube::Error::Service(Box::new(refused));
        assert_eq!(cause(&error), "connection refused");
    }
}
