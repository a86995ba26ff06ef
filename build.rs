//! Linker arguments: the entry point, which blocks signals before the C library starts (`src/sys/startup.rs`),
//! and packed relocations.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("ARCH") != "x86_64" {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-e,sv_entry");
    // A static PIE relocates itself: relocations need 2 KB in this form (DT_RELR) and 115 KB in the other. The musl
    // of the Rust toolchain reads it since 1.93. A C library from elsewhere may be older.
    if target("ENV") == "musl" {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
