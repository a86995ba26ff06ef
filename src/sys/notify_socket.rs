//! Sockets of systemd's notify protocol: datagrams with the credentials of their sender, and with descriptors.

use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::ptr;

use nix::libc;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, socket_with};

use super::kept::kept;
use crate::model::{Pid, UserId};

/// A worker that has dropped its privileges runs as a different user than its program: the reader checks the
/// sender of each datagram instead.
const SOCKET_MODE: u32 = 0o666;

/// Other users can reach a socket by its path, and nothing else.
const FOLDER_MODE: u32 = 0o711;

/// The maximum number of descriptors in one datagram: SCM_MAX_FD of the kernel.
const DESCRIPTORS_MAX: usize = 253;

/// The size of the ancillary data of a datagram, with room for the headers of three messages.
const CONTROL_BYTES: usize =
    DESCRIPTORS_MAX * size_of::<RawFd>() + size_of::<libc::ucred>() + 3 * (size_of::<libc::cmsghdr>() + 16);

/// A folder for the sockets of one supervisor, removed when it is dropped.
#[derive(Debug)]
pub struct NotifyFolder(PathBuf);

impl NotifyFolder {
    /// Creates one in `base`, with an unpredictable name.
    ///
    /// # Errors
    /// The errors of mkdir(2) and chmod(2).
    pub fn make_in(base: &Path) -> io::Result<Self> {
        let folder = Self(nix::unistd::mkdtemp(&base.join("sv-notify-XXXXXX"))?);
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(FOLDER_MODE))?;
        Ok(folder)
    }

    /// The path of a socket in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for NotifyFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A socket that receives datagrams. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct NotifySocket {
    fd: OwnedFd,
    address: String,
    file: Option<PathBuf>,
}

/// The sender of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifySender {
    /// Its user.
    pub user: UserId,
    /// `None` if it is outside of our PID namespace.
    pub pid: Option<Pid>,
}

/// A received datagram.
#[derive(Debug)]
pub struct NotifyDatagram {
    /// Its length; a longer datagram is truncated to the buffer.
    pub length: usize,
    /// Always present on Linux.
    pub sender: Option<NotifySender>,
    /// Closed when they are dropped, which is what the sender of a barrier waits for.
    pub descriptors: Vec<OwnedFd>,
}

impl NotifySocket {
    /// With a file, which must not exist.
    ///
    /// # Errors
    /// The error of bind(2); EINVAL for a path that is too long.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        let fd = Self::open(&SocketAddrUnix::new(&path)?)?;
        let address = path.display().to_string();
        let socket = Self { fd, address, file: Some(path.clone()) };
        fs::set_permissions(&path, fs::Permissions::from_mode(SOCKET_MODE))?;
        Ok(socket)
    }

    /// With a name in the abstract namespace, which needs no file system. The kernel chooses an unused one.
    ///
    /// # Errors
    /// The error of bind(2).
    pub fn without_file() -> io::Result<Self> {
        let fd = Self::open(&SocketAddrUnix::new_unnamed())?;
        let bound = SocketAddrUnix::try_from(getsockname(&fd)?)?;
        let name = bound.abstract_name().and_then(|name| std::str::from_utf8(name).ok());
        let name = name.ok_or_else(|| io::Error::other("the kernel has given it no name"))?;
        let address = format!("@{name}");
        Ok(Self { fd, address, file: None })
    }

    fn open(address: &SocketAddrUnix) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Set before it has a name, so that every datagram has credentials.
        set_socket_passcred(&fd, true)?;
        bind(&fd, address)?;
        Ok(kept(fd))
    }

    /// The value of NOTIFY_SOCKET for programs.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Reads the next datagram into a buffer; `None` if there is none.
    ///
    /// # Errors
    /// The error of recvmsg(2).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<NotifyDatagram>> {
        let mut control = Control([0; CONTROL_BYTES]);
        let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header = empty_header();
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_BYTES as _;
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the header points to the buffer and to the control data with their lengths, and all outlive
        // the call; recvmsg(2) writes no more than that.
        #[expect(
            unsafe_code,
            reason = "rustix can't hold the pid 0 of another namespace, nix loses descriptors"
        )]
        let received = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut header, flags) };
        let Ok(length) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        };
        let mut datagram = NotifyDatagram { length, sender: None, descriptors: Vec::new() };
        #[allow(clippy::unnecessary_cast, reason = "it is a u32 with musl")]
        let control_length = header.msg_controllen as usize;
        datagram.take_control(&control.0[..control_length.min(CONTROL_BYTES)]);
        Ok(Some(datagram))
    }
}

impl NotifyDatagram {
    /// Parses the ancillary data, described in cmsg(3): messages of a header and data, both aligned.
    fn take_control(&mut self, mut control: &[u8]) {
        while let Some((header, rest)) = split_header(control) {
            #[allow(clippy::unnecessary_cast, reason = "it is a u32 with musl")]
            let length = header.cmsg_len as usize;
            let Some(data) = control.get(HEADER_BYTES..length) else { return };
            match (header.cmsg_level, header.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    self.descriptors.extend(integers(data).map(own));
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    let mut fields = integers(data);
                    let pid = fields.next().filter(|pid| *pid > 0).map(Pid);
                    self.sender = fields.next().map(|user| NotifySender { user: user.cast_unsigned(), pid });
                }
                _ => {}
            }
            control = rest.get(align(length).saturating_sub(HEADER_BYTES)..).unwrap_or_default();
        }
    }
}

/// Aligned as the kernel expects it of the first header.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const HEADER_BYTES: usize = align(size_of::<libc::cmsghdr>());

/// CMSG_ALIGN: to the size of a pointer.
const fn align(length: usize) -> usize {
    length.next_multiple_of(size_of::<usize>())
}

fn empty_header() -> libc::msghdr {
    // SAFETY: a plain C struct of integers and pointers, for which zeros are valid.
    #[expect(unsafe_code, reason = "it has private padding on some targets")]
    unsafe {
        std::mem::zeroed()
    }
}

fn split_header(control: &[u8]) -> Option<(libc::cmsghdr, &[u8])> {
    let (bytes, rest) = control.split_at_checked(HEADER_BYTES)?;
    // SAFETY: there are at least as many bytes as the header has, a plain C struct that is read unaligned.
    #[expect(unsafe_code, reason = "the layout of the header differs between targets")]
    let header = unsafe { ptr::read_unaligned(bytes.as_ptr().cast::<libc::cmsghdr>()) };
    Some((header, rest))
}

fn integers(data: &[u8]) -> impl Iterator<Item = i32> {
    data.as_chunks().0.iter().map(|bytes| i32::from_ne_bytes(*bytes))
}

fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and it has no other owner.
    #[expect(unsafe_code, reason = "descriptors arrive as numbers")]
    unsafe {
        OwnedFd::from_raw_fd(fd)
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests;
