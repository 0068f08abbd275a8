import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { formatHostPort, ipVersion, parseHostPort } from '../../lib/base/ip-address.ts'

const V4 = ['0.0.0.0', '127.0.0.1', '255.255.255.255', '1.20.199.249']
const V6 = [
  '::',
  '::1',
  '1::',
  '1:2:3:4:5:6:7:8',
  'fe80::1%eth0',
  '2001:DB8::a',
  '::ffff:1.2.3.4',
  '1:2:3:4:5:6:1.2.3.4',
  '1::3:4:5:6:7:8',
  '1:2:3:4:5:6:7::',
]
const NEITHER = [
  '',
  'localhost',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '01.2.3.4',
  '1.2.3.4 ',
  '1..2.3',
  ':',
  ':::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  '12345::',
  'g::',
  '::1%',
  '::1%a%b',
  '1.2.3.4::',
  '1:2:3:4:5:6:7:1.2.3.4',
  '1::2:3:4:5:6:7:8:9',
  ':1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7:8:',
  '[::1]',
]

t.test('literal addresses are told apart from names', (t) => {
  for (const text of V4) t.equal(ipVersion(text), 4, text)
  for (const text of V6) t.equal(ipVersion(text), 6, text)
  for (const text of NEITHER) t.equal(ipVersion(text), 0, text)
  t.end()
})

t.test('Node agrees', (t) => {
  const part = fc.constantFrom(
    '',
    ':',
    '::',
    '.',
    '0',
    '1',
    '25',
    '255',
    '256',
    'f',
    'abcd',
    '%',
    'e0',
  )
  const anything = fc.array(part, { maxLength: 16 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), anything), (text) => {
      const theirs = isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0
      return ipVersion(text) === theirs
    }),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('host and port are read', (t) => {
  for (const [text, host, port] of [
    ['a.example', 'a.example', 443],
    ['a.example:80', 'a.example', 80],
    ['1.2.3.4:0', '1.2.3.4', 0],
    ['[::1]:65535', '::1', 65_535],
    ['[::1]', '::1', 443],
    ['::1', '::1', 443],
    ['fe80::1%eth0', 'fe80::1%eth0', 443],
    [':8080', 'localhost', 8080],
  ] as const) {
    t.strictSame(parseHostPort(text, 443), { host, port }, text)
  }
  t.end()
})

t.test('what is neither is refused', (t) => {
  for (const text of [
    '',
    ':',
    'a:',
    'a:b',
    'a:65536',
    'a:123456',
    'a:-1',
    'a:1:2',
    '[a]:1',
    '[]:1',
    '[::1',
    '::1]',
    '[::1]1',
    '[::1]:',
    '[1.2.3.4]:1',
  ]) {
    t.equal(parseHostPort(text, 443), undefined, text)
  }
  t.end()
})

t.test('what is written is read back', (t) => {
  t.equal(formatHostPort('a', 1), 'a:1')
  t.equal(formatHostPort('::1', 1), '[::1]:1')
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), fc.nat(65_535), (host, port) => {
      const read = parseHostPort(formatHostPort(host, port), 0)
      return read?.host === host && read.port === port
    }),
  )
  t.end()
})
