//! The readiness probe: a real request to a real collector.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How often: `periodSeconds` of the worker's probe.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// `timeoutSeconds` of the worker's probe.
const TIMEOUT: Duration = Duration::from_secs(2);
/// `failureThreshold` of the worker's probe.
pub(crate) const FAILURES: u32 = 3;
/// Bytes of an answer's status line that are read: `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// Whether `GET /ready` is answered with 200 in time.
pub(crate) async fn ready(address: SocketAddr) -> bool {
    matches!(timeout(TIMEOUT, status_line(address)).await, Ok(Ok(line)) if line.ends_with(b" 200"))
}

async fn status_line(address: SocketAddr) -> std::io::Result<[u8; STATUS_LINE]> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[rstest::rstest]
    #[case("HTTP/1.1 200 OK\r\n\r\n", true)]
    #[case("HTTP/1.1 503 Service Unavailable\r\n\r\n", false)]
    #[case("HTTP/1.1", false)]
    #[tokio::test]
    async fn only_200_is_ready(#[case] answer: &'static str, #[case] expected: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        assert_eq!(ready(address).await, expected);
        server.await.unwrap();
        assert!(!ready(address).await, "nobody listens any more");
    }
}
