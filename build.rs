//! Names the entry point, which blocks signals before the C library starts.
//!
//! Leaves the unwind tables out of the static release binary: an eighth of it, and of no use where a
//! panic aborts. Debug builds and those for glibc keep theirs, for backtraces.
//!
//! Its relocations are packed, which saves another twenty-fifth. musl 1.2.4 is the first that unpacks
//! them; Rust has brought 1.2.5 since the version that the manifest asks for.

use std::env;

/// Taken by GNU's linker and by LLVM's.
const SCRIPT: &str = "no-unwind-tables.ld";

fn main() {
    println!("cargo:rerun-if-changed={SCRIPT}");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    // Where the kernel begins: `src/sys/startup.rs`.
    if is("CARGO_CFG_TARGET_ARCH", "x86_64") {
        println!("cargo:rustc-link-arg-bins=-Wl,-e,sv_entry");
    }
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "musl") {
        let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{here}/{SCRIPT}");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
