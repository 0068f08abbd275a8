import fc from 'fast-check'
import t from 'tap'
import { decodeGrpcMessage, encodeGrpcMessage } from '../../../lib/grpc/protocol/grpc-message.ts'

t.test('encodes octets outside printable ASCII and the percent sign', async (t) => {
  const table: [text: string, wire: string][] = [
    ['', ''],
    ['plain text ~', 'plain text ~'],
    ['100%', '100%25'],
    [' ', '%20'],
    [' in the middle ', '%20in the middle%20'],
    ['\r\n\t\u0000\u007f', '%0D%0A%09%00%7F'],
    ['☺😈', '%E2%98%BA%F0%9F%98%88'],
    ['\ud800', '%EF%BF%BD'],
    [
      '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n',
      '%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A',
    ],
  ]
  for (const [text, wire] of table) t.equal(encodeGrpcMessage(text), wire, JSON.stringify(text))
})

t.test('decodes leniently', async (t) => {
  const table: [wire: string, text: string][] = [
    ['a%20b', 'a b'],
    ['%e2%98%ba', '☺'],
    ['%', '%'],
    ['%4', '%4'],
    ['%4g', '%4g'],
    ['%%41', '%A'],
    ['%2541', '%41'],
    ['%FF', '\ufffd'],
    ['%E2%98', '\ufffd'],
    ['\u00e2\u0098\u00ba', '☺'],
    ['%23%2F', '#/'],
  ]
  for (const [wire, text] of table) t.equal(decodeGrpcMessage(wire), text, wire)
})

t.test('gives back every text, as octets that HTTP can carry', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const wire = encodeGrpcMessage(text)
      return wire === wire.trim() && /^[\x20-\x7e]*$/.test(wire) && decodeGrpcMessage(wire) === text
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array(), (octets) => {
      decodeGrpcMessage(Buffer.from(octets).toString('latin1'))
    }),
  )
  t.pass()
})
