//! Random bytes, and more connections than there are descriptors: the process lives through both, and gives back what
//! they took.
//!
//! The subject is the built binary, so that its memory and its limits are its own.

use std::{fs, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::support::{
    binary::{Dev, data_dir, has},
    say,
    wire::Delivery,
};

/// How many bytes are thrown in one round; three rounds count.
const ROUND: usize = 8 << 20;
/// How much more memory than after the first round a process may have after the last, in kB: what an allocator keeps.
const SLACK: u64 = 16 << 10;
/// How long anything may take; a loaded machine needs most of it.
const DEADLINE: Duration = Duration::from_mins(1);
/// What connections begin with, so that the noise gets past the first check.
const OPENINGS: [&[u8]; 6] = [
    b"",
    b"POST /hook/0 HTTP/1.1\r\nHost: a\r\n",
    b"POST /hook/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
    b"POST /hook/0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
];

/// Numbers that look random and are the same each time (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("small");
        usize::try_from(self.next() % bound).expect("below a size")
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(count).collect()
    }

    /// Throws one round at a port, in connections of all sizes up to a quarter of a megabyte.
    async fn throw(&mut self, authority: &str) {
        let mut left = ROUND;
        while left > 0 {
            let count = (1 << self.below(19)).min(left);
            left -= count;
            let opening = OPENINGS[self.below(OPENINGS.len())];
            let bytes = [opening, &self.bytes(count)].concat();
            let stream = TcpStream::connect(authority).await.expect("it listens");
            let (mut answers, mut requests) = stream.into_split();
            let exchange = async {
                // Whoever is refused finds the connection closed, or reset.
                let sending = async {
                    requests
                        .write_all(&bytes)
                        .await
                        .and(requests.shutdown().await)
                };
                let mut answer = Vec::new();
                let reading = answers.read_to_end(&mut answer);
                drop(tokio::join!(sending, reading));
            };
            timeout(DEADLINE, exchange)
                .await
                .expect("each connection ends");
        }
    }
}

/// How much memory a process has, in kB; nothing where the system does not say.
fn resident(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Where deliveries of a `hookgate dev` go.
fn gateway(dev: &Dev) -> String {
    let url = dev.url("/hook/");
    let authority = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next());
    authority.expect("a URL").to_owned()
}

/// Deliveries are still answered.
async fn answers(authority: &str) {
    let delivery = Delivery::post("/hook/0123", "{}");
    let answer = timeout(DEADLINE, delivery.send(authority)).await;
    let answer = answer.expect("there is room for one who asks");
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_random_bytes_take_is_given_back() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let authority = gateway(&dev);
    let mut noise = Noise(24);
    noise.throw(&authority).await;
    let Some(after_one) = resident(&dev.id()) else {
        return say("the memory of a process cannot be seen here: it is not tested");
    };
    for _ in 0..3 {
        noise.throw(&authority).await;
    }
    let after_all = resident(&dev.id()).expect("it was seen before");
    assert!(
        after_all <= after_one + SLACK,
        "{after_one} kB after one round, {after_all} kB after four"
    );
    answers(&authority).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn running_out_of_descriptors_is_overcome() {
    if !has("prlimit").await {
        return;
    }
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let authority = gateway(&dev);
    let open = fs::read_dir(format!("/proc/{}/fd", dev.id())).map(Iterator::count);
    let Ok(open) = open else {
        return say("the descriptors of a process cannot be seen here: it is not tested");
    };
    let limit = Command::new("prlimit")
        .args(["--pid", &dev.id(), &format!("--nofile={}", open + 16)])
        .status()
        .await;
    assert!(limit.expect("prlimit is there").success());
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(
            TcpStream::connect(&authority)
                .await
                .expect("the backlog has room"),
        );
    }
    answers(&authority).await;
    drop(silent);
    answers(&authority).await;
    assert_eq!(dev.end("INT").await, Some(0));
}
