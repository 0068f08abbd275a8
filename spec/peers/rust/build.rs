//! Generates grpc.testing's client and server from the .proto files, with no protoc.

const PROTOS: &str = "../../interop-programs/protos";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={PROTOS}");
    let descriptors = protox::compile(["grpc/testing/test.proto"], [PROTOS])?;
    // Methods that the server leaves out answer with UNIMPLEMENTED.
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
