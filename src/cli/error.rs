//! How a failed command ends: one sentence on standard error and an exit code.
//!
//! Errors are worded where they happen; here they are only joined.

use std::{error::Error, process::ExitCode};

use kube::core::Status;

/// Says why a command failed, in one line, and gives exit code 1.
#[expect(
    clippy::print_stderr,
    reason = "the sentence is for whoever ran the command"
)]
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", sentence(error));
    ExitCode::FAILURE
}

/// Prints help, the version, or what is wrong with the arguments; exit code 2 for the latter.
pub(super) fn usage(refused: &clap::Error) -> ExitCode {
    // A closed terminal is no reason to fail differently.
    let _ = refused.print();
    if refused.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

/// Joins an error and its causes to one line, leaving out causes that are already quoted by the one before.
fn sentence(error: &anyhow::Error) -> String {
    let mut joined = String::new();
    for cause in error.chain() {
        let text = words(cause)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if joined.is_empty() {
            joined = text;
        } else if !joined.contains(&text) {
            joined = format!("{joined}: {text}");
        }
    }
    joined
}

/// What one cause says; of an API server's answer only the message, not the whole object.
fn words(cause: &(dyn Error + 'static)) -> String {
    let status = match cause.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => Some(&**status),
        _ => cause.downcast_ref::<Box<Status>>().map(|status| &**status),
    };
    match status {
        Some(status) if !status.message.is_empty() => status.message.clone(),
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_answer_of_the_api_server_is_quoted_once() {
        let status = Status::failure("unknown field `x`", "BadRequest");
        let error = anyhow!(kube::Error::Api(Box::new(status))).context("cannot load `y`");
        assert_eq!(sentence(&error), "cannot load `y`: unknown field `x`");
    }

    #[test]
    fn causes_are_joined_on_one_line_without_repetition() {
        let error = anyhow!("connection refused\n  by peer")
            .context("cannot reach `x`: connection refused by peer")
            .context("cannot list receivers");
        assert_eq!(
            sentence(&error),
            "cannot list receivers: cannot reach `x`: connection refused by peer"
        );
    }
}
