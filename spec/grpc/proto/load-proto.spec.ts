import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import protobuf from 'protobufjs'
import t from 'tap'
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import { describeFiles, toFileDescriptorSet } from '../../../lib/grpc/proto/descriptor-set.ts'
import { type LoadedProto, loadProto } from '../../../lib/grpc/proto/load-proto.ts'
import { descriptorType } from '../../../lib/grpc/proto/protobufjs.ts'
import type { Codec } from '../../../lib/grpc/protocol/codec.ts'
import type { MethodDefinition, ServiceDefinition } from '../../../lib/grpc/protocol/method.ts'

const FIXTURES = 'spec/grpc/proto/fixtures'

type LongMaker = { fromNumber(value: number): unknown }

function roundTrip(loaded: LoadedProto<unknown>, name: string, message: unknown): unknown {
  const codec = loaded.messages[name] as Codec<unknown>
  const sink = new ByteSink()
  codec.encode(message, sink)
  return codec.decode(sink.buf, 0, sink.pos, false)
}

t.test('loads a file, its imports, and the well-known types', async (t) => {
  const loaded = await loadProto(`${FIXTURES}/all_kinds.proto`)
  t.same(Object.keys(loaded.services), ['Kinds', 'kinds.Kinds'])
  const { Kinds } = loaded.services
  t.equal(Kinds?.name, 'kinds.Kinds')
  t.match(Kinds?.methods, {
    get: { path: '/kinds.Kinds/Get', kind: 'unary', idempotency: 'noSideEffects' },
    listAll: { path: '/kinds.Kinds/ListAll', kind: 'serverStream', idempotency: 'unknown' },
    upload: { path: '/kinds.Kinds/Upload', kind: 'clientStream', wireName: 'Upload' },
    chat: { path: '/kinds.Kinds/Chat', kind: 'bidi', name: 'chat' },
  })
  t.equal(Kinds?.methods['get']?.request, loaded.messages['kinds.All'])
  t.match(roundTrip(loaded, 'kinds.All', { at: { seconds: 5 }, color: 'RED' }), {
    at: { seconds: 5n, nanos: 0 },
    color: 'RED',
  })
  t.match(roundTrip(loaded, 'google.protobuf.Value', { nullValue: 0 }), {
    kind: 'nullValue',
    nullValue: 'NULL_VALUE',
  })
})

t.test('types come from the caller', async (t) => {
  interface Services {
    Kinds: ServiceDefinition<{ get: MethodDefinition<{ anInt32: number }, unknown, 'unary'> }>
  }
  const { services } = await loadProto<Services>(`${FIXTURES}/all_kinds.proto`)
  const sink = new ByteSink()
  services.Kinds.methods.get.request.encode({ anInt32: 5 }, sink)
  t.equal(sink.pos, 2)
})

t.test('options say what messages look like', async (t) => {
  const loaded = await loadProto(path.resolve(`${FIXTURES}/all_kinds.proto`), {
    keepCase: true,
    longs: 'Long',
    enums: 'number',
    defaults: false,
    oneofs: false,
  })
  const value = { an_int64: 5, color: 'GREEN', chosen_text: 'x' }
  t.same(roundTrip(loaded, 'kinds.All', value), {
    an_int64: (protobuf.util.Long as unknown as LongMaker).fromNumber(5),
    color: 2,
    chosen_text: 'x',
  })
})

t.test('looks for imports in the include directories, then beside the importer', async (t) => {
  const text = 'syntax = "proto3"; import "sub/color.proto"; message A { kinds.sub.Color c = 1; }'
  const loaded = await loadProto({ text }, { includeDirs: ['/nowhere', FIXTURES] })
  t.match(roundTrip(loaded, 'A', { c: 'RED' }), { c: 'RED' })
  const byName = await loadProto(['all_kinds.proto', 'old.proto'], { includeDirs: [FIXTURES] })
  t.ok(byName.messages['old.Old.Inner'])
  await t.rejects(loadProto({ text, name: 'x.proto' }), {
    name: 'ProtoError',
    file: 'x.proto',
    message: /^x.proto: import "sub\/color.proto" not found in \//,
  })
})

t.test('knows the files of protobufjs that are not bundled', async (t) => {
  const text = `syntax = "proto3"; import "google/protobuf/descriptor.proto";
    extend google.protobuf.MethodOptions { string note = 50001; }
    message A { google.protobuf.FileDescriptorProto file = 1; }`
  const loaded = await loadProto({ text })
  t.match(roundTrip(loaded, 'A', { file: { name: 'x', messageType: [{ name: 'M' }] } }), {
    file: { name: 'x', messageType: [{ name: 'M' }] },
  })
})

t.test('fields of the well-known types have names like all others', async (t) => {
  const text = `syntax = "proto3"; import "google/protobuf/any.proto";
    import "google/protobuf/struct.proto";
    message A { google.protobuf.Any some_any = 1; google.protobuf.Value some_value = 2; }`
  const any = { typeUrl: 'x/A', value: Buffer.from('a') }
  const value = { kind: 'numberValue', numberValue: 5 }
  const camel = await loadProto({ text })
  const message = { someAny: any, someValue: value }
  t.same(roundTrip(camel, 'A', message), message)
  const kept = await loadProto({ text }, { keepCase: true })
  const declared = {
    some_any: { type_url: any.typeUrl, value: any.value },
    some_value: { kind: 'number_value', number_value: 5 },
  }
  t.same(roundTrip(kept, 'A', declared), declared)
  for (const { root } of [camel, kept]) {
    const files = decodeFiles(toFileDescriptorSet(root))
    t.match(files.find((file) => file['name'] === 'google/protobuf/any.proto')?.['messageType'], [
      { field: [{ name: 'type_url', jsonName: 'typeUrl' }, { name: 'value' }] },
    ])
  }
})

t.test('says where a file is wrong', async (t) => {
  const table: [file: string, want: object][] = [
    [
      'bad/syntax.proto',
      { file: 'syntax.proto', line: 3, message: /^syntax.proto:3: illegal id ';'/ },
    ],
    ['bad/missing_type.proto', { file: 'missing_type.proto', message: /Nothing.*\.bad\.A/ }],
    [
      'bad/missing_import.proto',
      { file: 'missing_import.proto', message: /"no\/such.proto" not f/ },
    ],
    ['bad/nothing.proto', { message: /nothing.proto: not found in / }],
  ]
  for (const [file, want] of table) {
    await t.rejects(loadProto(`${FIXTURES}/${file}`), { name: 'ProtoError', ...want }, file)
  }
  await t.rejects(loadProto('/no/such.proto'), { name: 'ProtoError', message: /ENOENT/ })
  await t.rejects(loadProto({ text: 'message {' }), {
    message: "inline.proto:1: illegal type name '{'",
    line: 1,
  })
})

t.test('takes a root of protobufjs as it is', async (t) => {
  const { root } = protobuf.parse(
    'syntax = "proto3"; package p; message A { int32 some_field = 1; } service S { rpc Do(A) returns (A); }',
  )
  const loaded = await loadProto(root)
  t.equal(loaded.root, root)
  t.equal(loaded.services['S']?.methods['do']?.path, '/p.S/Do')
  t.same(roundTrip(loaded, 'p.A', { someField: 5 }), { someField: 5 })
  t.same(
    describeFiles(root).map((file) => file.name),
    ['p.proto'],
  )
  const json = root.toJSON()
  const foreign = { resolveAll() {}, toJSON: () => json } as unknown as protobuf.Root
  t.same(roundTrip(await loadProto(foreign), 'p.A', { someField: 5 }), { someField: 5 })
  await t.rejects(loadProto(protobuf.parse('syntax = "proto3"; message A { B b = 1; }').root), {
    name: 'ProtoError',
    message: /B/,
  })
})

t.test('a simple name stands for a service only where it is unique', async (t) => {
  const text = `syntax = "proto3"; message E {}
    service S { rpc Get(E) returns (E); rpc get(E) returns (E); }`
  const one = await loadProto({ text })
  t.same(Object.keys(one.services), ['S'])
  t.same(Object.keys(one.services['S']?.methods ?? {}), ['Get', 'get'])
  const a = protobuf.parse('syntax="proto3"; package a; message E {} service S {}').root
  const both = protobuf.parse('syntax="proto3"; package b; message E {} service S {}', a).root
  t.same(Object.keys((await loadProto(both)).services), ['a.S', 'b.S'])
})

t.test('names of the language are names like others', async (t) => {
  const text = `syntax = "proto3"; message constructor { int32 toString = 1; int32 valueOf = 2; constructor constructor = 3;
      repeated int32 hasOwnProperty = 4; oneof isPrototypeOf { constructor propertyIsEnumerable = 5; } }
    service hasOwnProperty { rpc constructor(constructor) returns (constructor); }`
  const loaded = await loadProto({ text })
  t.same(Object.keys(loaded.services), ['hasOwnProperty'])
  t.equal(loaded.services['toString'], undefined)
  t.equal(loaded.messages['valueOf'], undefined)
  const empty = { toString: 0, valueOf: 0, hasOwnProperty: [] }
  t.same(roundTrip(loaded, 'constructor', { valueOf: 5, constructor: {} }), {
    ...empty,
    valueOf: 5,
    constructor: empty,
  })
  const member = { isPrototypeOf: 'propertyIsEnumerable', propertyIsEnumerable: empty }
  t.same(roundTrip(loaded, 'constructor', member), { ...empty, ...member })
  const bare = await loadProto({ text }, { defaults: false, oneofs: false })
  const value = { hasOwnProperty: [1], propertyIsEnumerable: {} }
  t.same(roundTrip(bare, 'constructor', value), value)
})

t.test('editions say by features what syntaxes said', async (t) => {
  const loaded = await loadProto(`${FIXTURES}/editions.proto`)
  const codec = loaded.messages['ed.New'] as Codec<unknown>
  const sink = new ByteSink()
  const value = {
    implicit: 0,
    explicit: 0,
    needed: 0,
    inner: { implicit: 1, needed: 2, loose: [], tight: [], raw: '' },
    loose: [1, 2],
    tight: [3, 4],
    raw: '',
  }
  codec.encode(value, sink)
  t.equal(
    sink.buf.toString('hex', 0, sink.pos),
    '10001800 23 0801 1802 24 28012802 32020304'.replaceAll(' ', ''),
  )
  t.same(codec.decode(sink.buf, 0, sink.pos, false), value)
  t.match(codec.decode(Buffer.from('18003a01ff', 'hex'), 0, 5, false), { raw: '\ufffd' })
  t.match(decodeFiles(toFileDescriptorSet(loaded.root))[0], {
    syntax: 'editions',
    edition: 'EDITION_2023',
  })
})

/** The files of a descriptor set, as objects. */
function decodeFiles(set: Buffer): Record<string, unknown>[] {
  const Type = descriptorType('FileDescriptorSet')
  return Type.toObject(Type.decode(set), { enums: String, defaults: true })['file']
}

t.test('describes files as protoc does', async (t) => {
  const { root } = await loadProto(['all_kinds.proto', 'old.proto'], { includeDirs: [FIXTURES] })
  const ours = decodeFiles(toFileDescriptorSet(root))
  // protoc --include_imports --descriptor_set_out (libprotoc of grpcio-tools 1.85.1).
  const theirs = decodeFiles(readFileSync(`${FIXTURES}/protoc-descriptors.pb`))
  t.equal(ours.length, theirs.length)
  for (const want of theirs) {
    const got = ours.find((file) => file['name'] === want['name']) ?? {}
    // The well-known types that protobufjs bundles have no options; the order of imports is free.
    if (String(want['name']).startsWith('google/')) want['options'] = null
    for (const file of [got, want]) (file['dependency'] as string[]).sort()
    t.same(got, want, String(want['name']))
  }
})

t.test('describes options that are lists and messages, as often as they were given', async (t) => {
  const text = `syntax = "proto2"; import "google/protobuf/descriptor.proto";
    extend google.protobuf.FieldOptions { optional int32 mine = 50000; }
    message A { optional int32 a = 1 [
      targets = TARGET_TYPE_FIELD, deprecated = true, (mine) = 1, targets = TARGET_TYPE_FILE,
      edition_defaults = { edition: EDITION_PROTO2 value: "x" },
      edition_defaults = { edition: EDITION_2023, value: "y" },
      feature_support.edition_introduced = EDITION_2023,
      feature_support.edition_removed = EDITION_2024 ];
    }`
  const { root } = await loadProto({ text, name: 'options.proto' })
  const files = decodeFiles(toFileDescriptorSet(root))
  t.same(files.map(({ name }) => name).sort(), [
    'google/protobuf/descriptor.proto',
    'options.proto',
  ])
  t.match(files.find(({ name }) => name === 'options.proto')?.['messageType'], [
    {
      field: [
        {
          options: {
            deprecated: true,
            targets: ['TARGET_TYPE_FIELD', 'TARGET_TYPE_FILE'],
            editionDefaults: [
              { edition: 'EDITION_PROTO2', value: 'x' },
              { edition: 'EDITION_2023', value: 'y' },
            ],
            featureSupport: {
              editionIntroduced: 'EDITION_2023',
              editionRemoved: 'EDITION_2024',
            },
          },
        },
      ],
    },
  ])
})

t.test('describes oneofs by their declared names', async (t) => {
  const text = `syntax = "proto3"; package p; message A {
    oneof camelCase { int32 a = 1; } oneof snake_case { int32 b = 2; } oneof Upper_Case { int32 c = 3; }
    optional int32 someInt = 4;
    optional int32 some_text = 5;
    message B { oneof innerCase { int32 a = 1; } }
  }`
  for (const keepCase of [false, true]) {
    const { root } = await loadProto({ text }, { keepCase })
    const names = (...all: string[]) => all.map((name) => ({ name }))
    t.match(decodeFiles(toFileDescriptorSet(root))[0]?.['messageType'], [
      {
        oneofDecl: names('camelCase', 'snake_case', 'Upper_Case', '_someInt', '_some_text'),
        nestedType: [{ name: 'B', oneofDecl: names('innerCase') }],
      },
    ])
    t.ok(describeFiles(root)[0]?.symbols.includes('p.A.B.innerCase'))
  }
})

t.test('describes the default of bytes as it was declared', async (t) => {
  const text = `syntax = "proto2"; message A { optional bytes raw = 1 [default = "abcd\\377"];
    optional bytes text = 2 [default = "\u20ac"]; }`
  const { root } = await loadProto({ text })
  t.match(decodeFiles(toFileDescriptorSet(root))[0]?.['messageType'], [
    { field: [{ defaultValue: 'abcd\\377' }, { defaultValue: '\\342\\202\\254' }] },
  ])
})

t.test('tells reflection where each symbol is', async (t) => {
  const { root } = await loadProto(['all_kinds.proto', 'old.proto'], { includeDirs: [FIXTURES] })
  const files = describeFiles(root)
  const home = (symbol: string) => files.find((file) => file.symbols.includes(symbol))?.name
  const table: [symbol: string, file: string | undefined][] = [
    ['kinds.Kinds', 'all_kinds.proto'],
    ['kinds.Kinds.ListAll', 'all_kinds.proto'],
    ['kinds.All', 'all_kinds.proto'],
    ['kinds.All.an_int32', 'all_kinds.proto'],
    ['kinds.All.choice', 'all_kinds.proto'],
    ['kinds.All.ByNameEntry', 'all_kinds.proto'],
    ['kinds.sub.Color', 'sub/color.proto'],
    ['kinds.sub.RED', 'sub/color.proto'],
    ['google.protobuf.Timestamp', 'google/protobuf/timestamp.proto'],
    ['old.Old.Inner.Kind', 'old.proto'],
    ['old.Old.Inner.ONE', 'old.proto'],
    ['old.note', 'old.proto'],
    ['kinds.Nothing', undefined],
  ]
  for (const [symbol, file] of table) t.equal(home(symbol), file, symbol)
  const oldFile = files.find((file) => file.name === 'old.proto')
  t.same(oldFile?.extensions, [{ extendee: 'old.Old', number: 100 }])
  const order = files.map((file) => file.name)
  for (const file of files) {
    for (const each of file.dependencies) t.ok(order.indexOf(each) < order.indexOf(file.name))
  }
})

t.test('protobufjs is not loaded before it is needed', async (t) => {
  const script = `
    await import('./dist/lib/grpc/proto/load-proto.js')
    await import('./dist/lib/grpc/protocol/status-details.js')
    const { createRequire } = await import('node:module')
    const cache = createRequire(process.cwd() + '/x.js').cache
    console.log(Object.keys(cache).filter((file) => file.includes('protobufjs')).length)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script])
  t.equal(String(out).trim(), '0')
})
