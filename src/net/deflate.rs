//! Raw DEFLATE (RFC 1951) in both directions on top of another stream.
//!
//! What it will not do: bound what a peer's small input grows to. It need not: it decompresses only into the space its
//! reader has, and the reader's space has a limit.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Compressed octets held in each direction.
const HELD_OCTETS: usize = 16 * 1024;

pub(super) struct Deflate<S> {
    inner: S,
    compress: Compress,
    decompress: Decompress,
    /// Compressed, not yet taken by `inner`.
    outgoing: Vec<u8>,
    outgoing_start: usize,
    /// Something was compressed since the last flush point: the peer could not read it all yet.
    unflushed: bool,
    /// Compressed, from `inner`, not yet decompressed.
    incoming: Box<[u8]>,
    incoming_start: usize,
    incoming_end: usize,
    /// The last call filled its space: the decompressor may hold more although nothing is left to feed it.
    more_inside: bool,
    ended: bool,
}

impl<S> Deflate<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            // Level 1: mail is bound by the network here, and a session should not cost a core.
            compress: Compress::new(Compression::fast(), false),
            decompress: Decompress::new(false),
            outgoing: Vec::with_capacity(HELD_OCTETS),
            outgoing_start: 0,
            unflushed: false,
            incoming: vec![0; HELD_OCTETS].into_boxed_slice(),
            incoming_start: 0,
            incoming_end: 0,
            more_inside: false,
            ended: false,
        }
    }

    fn outgoing_is_empty(&self) -> bool {
        self.outgoing_start == self.outgoing.len()
    }
}

impl<S: AsyncWrite + Unpin> Deflate<S> {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing_is_empty() {
            let rest = &self.outgoing[self.outgoing_start..];
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing_start += written;
        }
        self.outgoing.clear();
        self.outgoing_start = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflate<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.incoming_start == this.incoming_end && !this.more_inside && !this.ended {
                let mut space = ReadBuf::new(&mut this.incoming);
                ready!(Pin::new(&mut this.inner).poll_read(context, &mut space))?;
                (this.incoming_start, this.incoming_end) = (0, space.filled().len());
                if this.incoming_end == 0 {
                    this.ended = true;
                }
            }
            if this.ended || into.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let (in_before, out_before) = (this.decompress.total_in(), this.decompress.total_out());
            let input = &this.incoming[this.incoming_start..this.incoming_end];
            let space = into.initialize_unfilled();
            let space_octets = space.len();
            let status = this
                .decompress
                .decompress(input, space, FlushDecompress::None)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // Both differences are bounded by the slices' lengths.
            this.incoming_start += (this.decompress.total_in() - in_before) as usize;
            let produced = (this.decompress.total_out() - out_before) as usize;
            into.advance(produced);
            this.more_inside = produced == space_octets;
            // The end of the compressed stream is the end of what the peer has to say.
            this.ended = status == Status::StreamEnd;
            if produced > 0 {
                return Poll::Ready(Ok(()));
            }
            if status == Status::BufError && this.incoming_start < this.incoming_end {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflate<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_drain(context))?;
            let taken_before = this.compress.total_in();
            this.compress.compress_vec(octets, &mut this.outgoing, FlushCompress::None)?;
            this.unflushed = true;
            let taken = (this.compress.total_in() - taken_before) as usize;
            // Nothing taken means that its room was needed for what was taken before; a writer would read 0 as failure.
            if taken > 0 || octets.is_empty() {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_drain(context))?;
            if !this.unflushed {
                return Pin::new(&mut this.inner).poll_flush(context);
            }
            this.compress.compress_vec(&[], &mut this.outgoing, FlushCompress::Sync)?;
            // A full buffer means that there may be more of it.
            this.unflushed = this.outgoing.len() == this.outgoing.capacity();
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// Whatever is written on one side and flushed can be read on the other, in both directions at once.
    async fn check(octets: &[u8], pipe_octets: usize) {
        let (left, right) = duplex(pipe_octets);
        let (mut left, mut right) = (Deflate::new(left), Deflate::new(right));
        let send = async {
            left.write_all(octets).await.unwrap();
            left.flush().await.unwrap();
            let mut answer = vec![0; 3];
            left.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"OK\n");
            left.shutdown().await.unwrap();
            drop(left);
        };
        let receive = async {
            let mut got = vec![0; octets.len()];
            right.read_exact(&mut got).await.unwrap();
            assert!(got == octets);
            right.write_all(b"OK\n").await.unwrap();
            right.flush().await.unwrap();
            assert_eq!(right.read(&mut [0; 8]).await.unwrap(), 0);
        };
        tokio::join!(send, receive);
    }

    fn noise(octets: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..octets)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect()
    }

    #[tokio::test]
    async fn both_sides_understand_each_other() {
        // Not less than what stands behind the last octet a reader needs: it may never read that.
        for pipe_octets in [16, 100, 65_536] {
            check(b"a001 NOOP\r\n", pipe_octets).await;
            check(&vec![b'x'; 300_000], pipe_octets).await;
            check(&noise(100_000), pipe_octets).await;
            check(&noise(HELD_OCTETS), pipe_octets).await;
        }
    }

    #[tokio::test]
    async fn garbage_is_an_error_and_no_endless_loop() {
        let (mut left, right) = duplex(1000);
        left.write_all(&[0xff; 100]).await.unwrap();
        drop(left);
        assert!(Deflate::new(right).read(&mut [0; 100]).await.is_err());
    }
}
