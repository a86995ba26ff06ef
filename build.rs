//! Linker arguments: the entry point, which blocks signals before the C library starts (`src/sys/startup.rs`),
//! and packed relocations.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // The binaries for other architectures have no entry point of ours, and no relocations, as their addresses are fixed.
    if target("ARCH") != "x86_64" {
        return;
    }
    // `rust-lld` takes its arguments as they are, and any other linker is a C compiler that passes them on.
    let libc = target("ENV").to_uppercase();
    println!("cargo:rerun-if-env-changed=CARGO_TARGET_X86_64_UNKNOWN_LINUX_{libc}_LINKER");
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    let is_lld = Path::new(&linker).file_stem().is_some_and(|name| name.to_string_lossy().ends_with("lld"));
    let pass = |argument: &str| {
        println!("cargo:rustc-link-arg-bins={}{argument}", if is_lld { "" } else { "-Wl," });
    };
    pass("-esv_entry");
    // A static PIE relocates itself: relocations need 2 KB in this form (DT_RELR) and 115 KB in the other. The musl
    // of the Rust toolchain reads it since 1.93, whatever the kernel is. A C library from elsewhere may be older.
    if libc == "MUSL" {
        pass("-zpack-relative-relocs");
    }
}
