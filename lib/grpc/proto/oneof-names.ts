// The declared names of oneofs: protobufjs keeps those of fields only. Undoing the camel case is exact
// but for names with capitals, which are taken from a second parse that leaves names alone.
import type protobuf from 'protobufjs'
import { protobufjs } from './protobufjs.ts'

const declared = new WeakMap<protobuf.OneOf, string>()

/** Notes what cannot be told from camel case, after `text` was parsed into `root`. */
export function noteOneofNames(text: string, root: protobuf.Root): void {
  if (!/\boneof\s+\w*[A-Z]/.test(text)) return
  noteBelow(root, protobufjs().parse(text, { keepCase: true }).root)
}

/** `kept` has a part of what `scope` has, in the same order. */
function noteBelow(scope: protobuf.NamespaceBase, kept: protobuf.NamespaceBase): void {
  for (const object of kept.nestedArray) {
    const twin = scope.get(object.name)
    if ('oneofsArray' in object) noteOneofs(twin as protobuf.Type, object as protobuf.Type)
    if ('nestedArray' in object) {
      noteBelow(twin as protobuf.NamespaceBase, object as protobuf.NamespaceBase)
    }
  }
}

function noteOneofs(type: protobuf.Type, kept: protobuf.Type): void {
  for (const [i, oneof] of type.oneofsArray.entries()) {
    declared.set(oneof, (kept.oneofsArray[i] as protobuf.OneOf).name)
  }
}

/** The name of a oneof as its .proto file has it; of what stands for `optional`, as protoc makes it. */
export function declaredOneofName(oneof: protobuf.OneOf): string {
  const [field] = oneof.fieldsArray
  if (field !== undefined && oneof.isProto3Optional) return `_${field.protoName ?? field.name}`
  return declared.get(oneof) ?? oneof.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
