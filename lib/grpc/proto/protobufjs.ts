// protobufjs, loaded when it is first needed: importing this package must not cost its start-up time.
import { createRequire } from 'node:module'
import type protobuf from 'protobufjs'

const require = createRequire(import.meta.url)

/** The library. */
export function protobufjs(): typeof protobuf {
  return require('protobufjs')
}

/** The types of descriptor.proto. Gives the classes of protobufjs their `toDescriptor`. */
export function loadDescriptors(): protobuf.Namespace {
  return require('protobufjs/ext/descriptor.js')
}

/** A message type of descriptor.proto. */
export function descriptorType(name: string): protobuf.Type {
  return loadDescriptors().lookupType(name)
}

/** The full name of a reflected object without its leading dot. */
export function fullName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '')
}

/** The oneof that a field was declared in; what stands in for proto3's `optional` is none. */
export function realOneof(field: protobuf.Field): protobuf.OneOf | undefined {
  const { partOf } = field
  return partOf === null || partOf.isProto3Optional ? undefined : partOf
}

/** The octets of the default that a bytes field was declared with; protobufjs may see base64 in it. */
export function defaultOctets(text: string): Buffer {
  // It made of each escape the character of that octet; one beyond an octet stood in the file as text.
  return Buffer.from(text, /[\u0100-\uffff]/.test(text) ? 'utf8' : 'latin1')
}
