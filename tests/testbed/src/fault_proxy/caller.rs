//! The process at the other end of a connection on loopback, by the tables of Linux.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The number of the process whose socket connects `peer` to `own`. `None` once it has ended, and on other systems.
pub(super) fn of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let inode = inode(&fs::read_to_string("/proc/net/tcp").ok()?, peer, own)?;
    let socket = format!("socket:[{inode}]");
    let numbers = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    // The caller is most likely a young process, and least likely our own.
    numbers.sort_by_key(|number| (*number == std::process::id(), std::cmp::Reverse(*number)));
    let found = numbers.into_iter().find(|number| holds(*number, &socket))?;
    match parent(found) {
        // A child has the sockets of its parent until it becomes another program.
        Some(parent) if holds(parent, &socket) => Some(parent),
        Some(_) => Some(found),
        // It has ended since: it was such a child, or nobody is left.
        None => of(peer, own),
    }
}

/// The socket's inode. The lines of the table begin with `sl local_address rem_address`, and the tenth column is the inode.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<String> {
    let (local, remote) = (address(local)?, address(remote)?);
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let found = columns.get(1) == Some(&local.as_str()) && columns.get(2) == Some(&remote.as_str());
        found.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    })
}

/// An address in the format of the table, with the bytes in the order of the machine.
fn address(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

fn parent(number: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{number}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

fn holds(number: u32, socket: &str) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{number}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == Path::new(socket)))
}
