// The services of grpc/testing/test.proto as @bufbuild/protobuf reads them from descriptors.bin, a
// google.protobuf.FileDescriptorSet: no generated code.
import { readFileSync } from 'node:fs'
import { createFileRegistry, type DescService, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

const bytes = readFileSync(new URL('./descriptors.bin', import.meta.url))
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))

/** A service of package grpc.testing. */
export function service(name: string): DescService {
  const found = registry.getService(`grpc.testing.${name}`)
  if (found === undefined) throw new Error(`descriptors.bin has no grpc.testing.${name}`)
  return found
}
