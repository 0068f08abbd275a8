import fc from 'fast-check'
import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import { binaryFault, Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import type { MetadataError } from '../../../lib/grpc/protocol/metadata-error.ts'

function fieldsOf(metadata: Metadata): string[] {
  const fields: string[] = []
  metadata.toFields(fields)
  return fields
}

function errorOf(action: () => unknown): MetadataError {
  try {
    action()
  } catch (thrown) {
    return thrown as MetadataError
  }
  throw new Error('nothing was thrown')
}

t.test('keeps values in order under names without case', async (t) => {
  const metadata = new Metadata().append('X-Id', 'one').append('other', 'x').append('x-id', 'two')
  t.equal(metadata.get('X-ID'), 'one')
  t.same(metadata.getAll('x-iD'), ['one', 'two'])
  t.equal(metadata.size, 3)
  t.ok(metadata.has('Other'))
  t.notOk(metadata.has('nothing'))
  t.equal(metadata.get('nothing'), undefined)
  t.same(
    [...metadata],
    [
      ['x-id', 'one'],
      ['other', 'x'],
      ['x-id', 'two'],
    ],
  )
  t.same([...metadata.entries()], [...metadata])
  metadata.set('x-id', 'three')
  t.same(
    [...metadata],
    [
      ['other', 'x'],
      ['x-id', 'three'],
    ],
  )
  t.ok(metadata.delete('OTHER'))
  t.notOk(metadata.delete('other'))
  t.same(fieldsOf(metadata), ['x-id', 'three'])
})

t.test('is made of a record, of pairs, and of metadata', async (t) => {
  const want = ['a', '1', 'b', '2', 'b', '3', 'c-bin', 'aGk']
  const record = Metadata.from({ A: '1', b: ['2', '3'], 'c-bin': new Uint8Array([104, 105]) })
  t.same(fieldsOf(record), want)
  t.same(fieldsOf(Metadata.from([...record])), want)
  t.same(fieldsOf(Metadata.from(new Map([['a', '1']]))), ['a', '1'])
  const copy = Metadata.from(record)
  copy.set('a', 'changed')
  t.equal(record.get('a'), '1')
  t.equal(copy.clone().get('a'), 'changed')
})

t.test('merges, itself included', async (t) => {
  const metadata = Metadata.from({ a: '1' })
  metadata.merge({ a: '2', b: '3' }).merge(metadata)
  t.same(metadata.getAll('a'), ['1', '2', '1', '2'])
  t.equal(metadata.size, 6)
})

t.test('carries octets as base64 without padding', async (t) => {
  for (const [text, wire] of [
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
  ] as const) {
    const metadata = Metadata.from({ 'x-bin': Buffer.from(text) })
    t.same(fieldsOf(metadata), ['x-bin', wire])
    t.equal(Metadata.fromFields(['x-bin', wire]).get('x-bin')?.toString(), text)
  }
  const view = new Uint8Array(new Uint8Array([0, 1, 2, 3]).buffer, 1, 2)
  t.same(Metadata.from({ 'x-bin': view }).get('x-bin'), Buffer.from([1, 2]))
})

t.test('refuses names and values that cannot be sent, naming the key', async (t) => {
  const table: [name: string, value: unknown, token: string][] = [
    ['', 'x', 'metadata_name_invalid'],
    ['with space', 'x', 'metadata_name_invalid'],
    ['név', 'x', 'metadata_name_invalid'],
    ['a:b', 'x', 'metadata_name_invalid'],
    ['a\r\nb', 'x', 'metadata_name_invalid'],
    [':path', 'x', 'metadata_name_reserved'],
    [':anything', 'x', 'metadata_name_reserved'],
    ['GRPC-Status', 'x', 'metadata_name_reserved'],
    ['grpc-status-details-bin', Buffer.of(1), 'metadata_name_reserved'],
    ['grpc-new-thing', 'x', 'metadata_name_reserved'],
    ['content-type', 'x', 'metadata_name_reserved'],
    ['te', 'x', 'metadata_name_reserved'],
    ['user-agent', 'x', 'metadata_name_reserved'],
    ['connection', 'x', 'metadata_name_reserved'],
    ['transfer-encoding', 'x', 'metadata_name_reserved'],
    ['host', 'x', 'metadata_name_reserved'],
    ['content-length', '5', 'metadata_name_reserved'],
    ['key-x', ' x', 'metadata_value_invalid'],
    ['key-x', 'x ', 'metadata_value_invalid'],
    ['key-x', '\tx', 'metadata_value_invalid'],
    ['key-x', 'a\r\nb', 'metadata_value_invalid'],
    ['key-x', 'a\u0000', 'metadata_value_invalid'],
    ['key-x', '\u007f', 'metadata_value_invalid'],
    ['key-x', 'é', 'metadata_value_invalid'],
    ['key-x', Buffer.of(1), 'metadata_value_invalid'],
    ['key-x', 5, 'metadata_value_invalid'],
    ['key-x', undefined, 'metadata_value_invalid'],
    ['key-x', null, 'metadata_value_invalid'],
    ['key-bin', 'text', 'metadata_value_invalid'],
    ['key-bin', [1, 2], 'metadata_value_invalid'],
  ]
  for (const [name, value, token] of table) {
    for (const method of ['set', 'append'] as const) {
      const error = errorOf(() => new Metadata()[method](name, value as string))
      t.match(error, { name: 'MetadataError', token, code: Code.Internal }, `${name} = ${value}`)
      t.ok(
        name === '' || error.message.includes(JSON.stringify(name.toLowerCase()).slice(1, -1)),
        error.message,
      )
    }
  }
  t.equal(errorOf(() => Metadata.from({ 'key-x': 5 as never })).token, 'metadata_value_invalid')
})

t.test('takes every name and value that the rules allow', async (t) => {
  const metadata = Metadata.from({
    '0-9_a.z': '!~ inner  space ~',
    empty: '',
    'grpc-previous-rpc-attempts': '1',
    'grpc-retry-pushback-ms': '5',
    'grpc-trace-bin': Buffer.of(0),
    __proto__x: 'p',
    constructor: 'c',
    authorization: 'Bearer x',
  })
  t.equal(metadata.size, 8)
  t.equal(metadata.get('constructor'), 'c')
  t.equal(metadata.get('tostring'), undefined)
  t.equal(new Metadata().set('__proto__', 'x').get('__proto__'), 'x')
})

t.test('reads received fields when asked, without those of the protocol', async (t) => {
  const metadata = Metadata.fromFields([
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    '/s/M',
    ':authority',
    'a.example', // biome-ignore format: a list of pairs
    'content-type',
    'application/grpc',
    'user-agent',
    'ua',
    'te',
    'trailers',
    'grpc-timeout',
    '1S',
    'grpc-encoding',
    'gzip',
    'grpc-accept-encoding',
    'gzip',
    'grpc-status',
    '0',
    'grpc-message',
    'm',
    'grpc-status-details-bin',
    'AA',
    'grpc-retry-pushback-ms',
    '7',
    'a',
    '1',
    'b-bin',
    'Zm9v',
    'b-bin',
    'Zg==',
    'b-bin',
    'Zg,Zm8=, Zm9v',
    'a',
    '2',
    '__proto__',
    'x',
  ])
  t.same(
    [...metadata].map(([name, value]) => `${name}=${value}`),
    [
      ':authority=a.example',
      'content-type=application/grpc',
      'user-agent=ua',
      'grpc-retry-pushback-ms=7',
      'a=1',
      'b-bin=foo',
      'b-bin=f',
      'b-bin=f',
      'b-bin=fo',
      'b-bin=foo',
      'a=2',
      '__proto__=x',
    ],
  )
})

t.test('passes received metadata on without the names that only the library sends', async (t) => {
  const received = Metadata.fromFields([
    ':authority',
    'a',
    'user-agent',
    'u',
    'x',
    '1',
    'y-bin',
    'AQ==',
  ])
  t.same(fieldsOf(received.clone().append('z', '2')), ['x', '1', 'y-bin', 'AQ', 'z', '2'])
  t.same(fieldsOf(received), ['x', '1', 'y-bin', 'AQ'])
})

t.test('tells malformed base64', async (t) => {
  for (const good of ['', 'Zg', 'Zg==', 'Zm8', 'Zm8=', 'Zm9v', '+/+/', 'Zg,Zm8=', ',', 'Zg, Zg']) {
    t.equal(binaryFault('x-bin', good), undefined, JSON.stringify(good))
  }
  for (const bad of ['Z', 'Zm9vZ', 'Zg=', 'Zg===', '=', 'Z-_v', 'Zm9v\n', 'Zg==Zg', 'é', 'Zg,!']) {
    t.match(binaryFault('x-bin', bad), /"x-bin".*want base64/, JSON.stringify(bad))
  }
})

t.test('refuses to send more than the soft limit', async (t) => {
  const metadata = Metadata.from({ a: 'x'.repeat(8192 - 33) })
  t.equal(fieldsOf(metadata).length, 2)
  metadata.append('b', '')
  t.match(
    errorOf(() => fieldsOf(metadata)),
    {
      token: 'metadata_too_large',
      code: Code.ResourceExhausted,
      message: /8225 vs. 8192/,
    },
  )
  metadata.toFields([], 10_000)
})

t.test('gives every octet string back', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (octets) => {
      const wire = fieldsOf(Metadata.from({ 'x-bin': octets }))
      const back = Metadata.fromFields(wire).get('x-bin')
      return binaryFault('x-bin', wire[1]!) === undefined && Buffer.compare(back!, octets) === 0
    }),
  )
  t.pass()
})
