//! Linker arguments: the entry point, which blocks signals before the C library starts (`src/sys/startup.rs`), packed
//! relocations of a position-independent binary, and one copy of functions that are the same.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let target = variable("TARGET").to_uppercase().replace('-', "_");
    println!("cargo:rerun-if-env-changed=CARGO_TARGET_{target}_LINKER");
    // `rust-lld` takes its arguments as they are, and any other linker is a C compiler that passes them on.
    let linker = variable("RUSTC_LINKER");
    let is_lld = Path::new(&linker).file_stem().is_some_and(|name| name.to_string_lossy().ends_with("lld"));
    let pass = |argument: &str| {
        println!("cargo:rustc-link-arg-bins={}{argument}", if is_lld { "" } else { "-Wl," });
    };
    // Generic functions of different types often have the same code. No other linker that is used here merges them.
    if is_lld {
        pass("--icf=all");
    }
    // The binaries for other architectures have no entry point of ours, and their addresses are fixed.
    if variable("CARGO_CFG_TARGET_ARCH") != "x86_64" {
        return;
    }
    pass("-esv_entry");
    // A static PIE relocates itself: relocations need 2 KB in this form (DT_RELR) and 115 KB in the other. The musl
    // of the Rust toolchain reads it since 1.93, whatever the kernel is. A C library from elsewhere may be older.
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        pass("-zpack-relative-relocs");
    }
}
