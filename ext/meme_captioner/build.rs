//! How the library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The AV1 decoder exports C functions of the names that libdav1d has; a process may have loaded that one too.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    }
}
