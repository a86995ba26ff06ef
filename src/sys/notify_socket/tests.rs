//! Datagrams through real sockets.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::*;
use crate::sys::scratch::Folder;
use crate::sys::users::own_id;

fn connected(socket: &NotifySocket) -> UnixDatagram {
    let sender = UnixDatagram::unbound().unwrap();
    match socket.address().strip_prefix('@') {
        Some(name) => {
            rustix::net::connect(&sender, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap())
                .unwrap();
        }
        None => sender.connect(socket.address()).unwrap(),
    }
    sender
}

fn send_with(sender: &UnixDatagram, text: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(sender, &[IoSlice::new(text)], &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn datagrams_carry_their_senders() {
    let folder = Folder::new("notify-socket");
    let path = folder.join("a.sock");
    let sockets = [NotifySocket::at(path.clone()).unwrap(), NotifySocket::without_file().unwrap()];
    assert_eq!(sockets[0].address(), path.display().to_string());
    assert!(sockets[1].address().len() > 1, "{}", sockets[1].address());
    for socket in sockets {
        let mut buffer = [0; 16];
        assert!(socket.receive(&mut buffer).unwrap().is_none());
        let sender = connected(&socket);
        sender.send(b"READY=1").unwrap();
        sender.send(&[b'x'; 100]).unwrap();
        drop(sender);
        let first = socket.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..first.length], b"READY=1");
        let own_pid = Pid(std::process::id().cast_signed());
        assert_eq!(first.sender, Some(NotifySender { user: own_id(), pid: Some(own_pid) }));
        assert!(first.descriptors.is_empty());
        assert_eq!(socket.receive(&mut buffer).unwrap().unwrap().length, 16, "cut off");
        assert!(socket.receive(&mut buffer).unwrap().is_none());
    }
    assert!(!path.exists());
}

#[test]
fn descriptors_are_closed_when_they_are_dropped() {
    let socket = NotifySocket::without_file().unwrap();
    let sender = connected(&socket);
    let (read, write) = rustix::pipe::pipe().unwrap();
    send_with(&sender, b"BARRIER=1", &[write.as_fd(), write.as_fd()]);
    drop(write);
    let mut buffer = [0; 16];
    let datagram = socket.receive(&mut buffer).unwrap().unwrap();
    assert_eq!(datagram.descriptors.len(), 2);
    assert!(datagram.sender.is_some());
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    assert!(rustix::io::read(&read, &mut [0; 1]).is_err(), "still open");
    drop(datagram);
    assert_eq!(rustix::io::read(&read, &mut [0; 1]), Ok(0));
}

#[test]
fn as_many_descriptors_as_the_kernel_passes_on_are_closed() {
    let socket = NotifySocket::without_file().unwrap();
    let sender = connected(&socket);
    let (read, write) = rustix::pipe::pipe().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [write.as_fd(); DESCRIPTORS_MAX];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&sender, &[IoSlice::new(b"FDSTORE=1")], &mut control, SendFlags::empty()).unwrap();
    drop(write);
    assert_eq!(socket.receive(&mut [0; 16]).unwrap().unwrap().descriptors.len(), DESCRIPTORS_MAX);
    assert_eq!(rustix::io::read(&read, &mut [0; 1]), Ok(0));
}

#[test]
fn the_folder_is_passable_and_removed_with_its_owner() {
    let base = Folder::new("notify-folder");
    let folder = NotifyFolder::make_in(&base.join("")).unwrap();
    let path = folder.join("a.sock");
    let permissions = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(permissions(path.parent().unwrap()), 0o711);
    let socket = NotifySocket::at(path.clone()).unwrap();
    assert_eq!(permissions(&path), 0o666);
    drop(socket);
    drop(folder);
    assert!(!path.parent().unwrap().exists());
}
