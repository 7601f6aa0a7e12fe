//! The least that any gateway must do: a bare hyper server that reads a body and computes its HMAC.
//!
//! It locates nothing, records nothing and triggers nothing; hookgate is compared with it.

use std::{convert::Infallible, io::Write as _, process::Stdio};

use anyhow::Context as _;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::support::objects::TOKEN;

/// The flag with which the bench starts itself to be that server.
const FLAG: &str = "--bare-server";

/// The server as a process of its own.
pub(crate) struct Bare {
    /// Where it listens.
    pub(crate) address: std::net::SocketAddr,
    /// The id of the process.
    pub(crate) id: String,
    _process: Child,
}

impl Bare {
    /// Starts it.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(FLAG)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let said = BufReader::new(process.stdout.take().context("no pipe")?);
        let address = said.lines().next_line().await?;
        Ok(Self {
            address: address.context("the bare server ended")?.parse()?,
            id: process.id().context("the bare server ended")?.to_string(),
            _process: process,
        })
    }
}

/// Serves for ever, on as many threads as hookgate does.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        // A sender that goes away early is none of its concern.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = match is_signed(request).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    Ok(response)
}

async fn is_signed(request: Request<Incoming>) -> anyhow::Result<bool> {
    let (head, mut body) = request.into_parts();
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes())?;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            mac.update(data);
        }
    }
    let signature = signature(&head.headers);
    Ok(signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok()))
}

fn signature(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get("x-hub-signature-256")?.to_str().ok()?;
    hex::decode(value.strip_prefix("sha256=")?).ok()
}
